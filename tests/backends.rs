//! Readers of session and CDR records against real HTTP servers and real files: what they read is recorded once, whole, and
//! nothing secret with it.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]
#![allow(
    clippy::needless_pass_by_value,
    reason = "answers are written where they are given"
)]

#[path = "backends/peer.rs"]
mod peer;
#[path = "common/tap.rs"]
mod tap;

#[path = "backends/rig.rs"]
mod rig;

#[path = "backends/exports.rs"]
mod exports;
#[path = "backends/pulled.rs"]
mod pulled;
#[path = "backends/pushed.rs"]
mod pushed;
#[path = "backends/tapped.rs"]
mod tapped;
