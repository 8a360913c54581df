//! OCPP-J as text: envelopes, actions, identifiers, lint. Pure: no I/O, no clock, no randomness.

pub mod envelope;
pub mod json;
pub mod version;

pub use envelope::{Envelope, EnvelopeError, MessageType};
pub use version::Version;
