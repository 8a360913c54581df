//! Facts: what was observed, and the recording that keeps them.

pub mod fact;
pub mod recorder;

pub use fact::{Dir, Fact, Kind, Leg};
pub use recorder::Recorder;
