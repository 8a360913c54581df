//! Facts: what was observed, and the recording that keeps them.
//!
//! A recording is a directory; `facts.db` in it is append-only and the only truth. [`Recorder`] is its one writer,
//! [`Reader`] reads it while it grows, [`resume`] says where a restarted shadow plane goes on, [`accounting`] proves
//! that nothing is missing, [`chain`] that no human note was altered, [`authority`] says which backend each charger belongs to, [`redact`] keeps secrets out, and [`export`] turns it into JSON Lines.

pub mod accounting;
pub mod authority;
mod block;
pub mod chain;
pub mod export;
pub mod fact;
pub mod flow;
mod landmark;
mod packed;
pub mod private;
pub mod reader;
pub mod recorder;
pub mod redact;
pub mod resume;
mod store;
mod undelivered;

pub use fact::{Dir, Fact, Kind, Leg};
pub use flow::Flow;
pub use reader::Reader;
pub use recorder::{Follower, Limits, Recorder, RecordingError};
