//! OCPP-J as text: envelopes, actions, identifiers, lint. Pure: no I/O, no clock, no randomness.

pub mod actions;
pub mod effect;
pub mod envelope;
pub mod fields;
pub mod identifiers;
pub mod instant;
pub mod json;
pub mod lint;
pub mod quirks;
pub mod refusals;
pub mod relation;
pub mod rewrite;
pub mod severity;
pub mod version;

pub use actions::{Action, Reply, Sender, Side};
pub use envelope::{Envelope, EnvelopeError, MessageType};
pub use fields::Fields;
pub use identifiers::{Class, Part, Role, Site};
pub use relation::{Learned, Relation};
pub use severity::Severity;
pub use version::Version;
