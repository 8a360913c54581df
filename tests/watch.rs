//! The dashboard: golden screens of one made-up night, keys, colours, sizes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step of a test should end it"
)]

#[path = "sessions/night.rs"]
#[allow(dead_code, unused_imports, reason = "only its records are needed here")]
mod charged;
#[path = "judging/story.rs"]
mod story;
#[path = "common/terminal.rs"]
mod terminal;

#[path = "watch/night.rs"]
mod night;
#[path = "watch/stage.rs"]
mod stage;

#[path = "watch/board.rs"]
mod board;
#[path = "watch/coverage.rs"]
mod coverage;
#[path = "watch/diffs.rs"]
mod diffs;
#[path = "watch/feed.rs"]
mod feed;
#[path = "watch/gate.rs"]
mod gate;
#[path = "watch/moved.rs"]
mod moved;
#[path = "watch/rewind.rs"]
mod rewind;
#[path = "watch/sessions.rs"]
mod sessions;
#[path = "watch/tap.rs"]
mod tap;
#[path = "watch/triage.rs"]
mod triage;

#[path = "watch/alone.rs"]
mod alone;
#[path = "watch/colours.rs"]
mod colours;
#[path = "watch/pressed.rs"]
mod pressed;
#[path = "watch/states.rs"]
mod states;
#[path = "watch/trace.rs"]
mod trace;
