//! Connections that the recording never heard of.
//!
//! A connection that began moments before a plane was killed may lie in no fact at all: its beginning was on its way.
//! The seen-board still counts its frames, so they can be confessed: a beginning, a gap in each direction, an end.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;

use crate::clock::Clock;
use crate::facts::{Dir, Fact, Kind, Reader, Recorder, RecordingError};
use crate::live::seen::Seen;

/// Why their frames are lost.
const WHY: &str = "killed before it was recorded";

/// Those of `slots` whose beginning is not recorded, once each.
pub fn among(
    recording: &Reader,
    slots: impl IntoIterator<Item = Seen>,
) -> Result<Vec<Seen>, RecordingError> {
    let mut strangers = HashMap::new();
    for slot in slots {
        if !recording.knows(slot.conn)? {
            strangers.insert(slot.conn, slot);
        }
    }
    let mut strangers: Vec<Seen> = strangers.into_values().collect();
    strangers.sort_by_key(|stranger| stranger.conn);
    Ok(strangers)
}

/// Records that they were there, and how many of their frames are lost.
pub fn confess(recorder: &Recorder, strangers: &[Seen]) {
    for stranger in strangers {
        for fact in facts(stranger) {
            if recorder.record(fact).is_none() {
                tracing::error!(
                    conn = stranger.conn,
                    "recorder has no room for a lost connection"
                );
            }
        }
    }
    if !strangers.is_empty() {
        tracing::warn!(
            connections = strangers.len(),
            "connections had been lost, their frames are gaps"
        );
    }
}

fn facts(stranger: &Seen) -> Vec<Fact> {
    let charger: Arc<str> = Arc::from(stranger.charger.as_str());
    let fact = |kind| {
        let fact = Fact::new(kind, Clock::system().now()).on(&charger, stranger.conn);
        Fact {
            leg: Some(stranger.authority),
            ..fact
        }
    };
    // With its slot the next plane can bury it, should this one be killed between these facts.
    let note = json!({"why": WHY, "slot": stranger.slot});
    let mut facts = vec![fact(Kind::ConnOpened).note(&note)];
    for dir in Dir::BOTH {
        let last = stranger.frames[dir.index()];
        if last > 0 {
            let note = json!({"why": WHY, "first": 1, "last": last, "bytes": 0});
            let gap = fact(Kind::Gap)
                .via(stranger.authority, dir)
                .covering(last, last)
                .note(&note);
            facts.push(gap);
        }
    }
    let seen = stranger.frames;
    let note = json!({"by": "unknown", "how": WHY, "flows": null, "seen": seen});
    facts.push(fact(Kind::ConnClosed).note(&note));
    facts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::accounting::Accounting;
    use crate::facts::{Leg, Limits};

    #[test]
    fn only_what_the_recording_does_not_know_is_confessed() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        let known = Fact::new(Kind::ConnOpened, 1).on(&Arc::from("CP1"), 7);
        recorder.record(known).unwrap();
        recorder.close(std::time::Duration::from_secs(30)).unwrap();
        let slot = |conn, frames| Seen {
            slot: 3,
            conn,
            frames,
            authority: Leg::Legacy,
            charger: "CP2".to_owned(),
        };
        let reader = Reader::open(dir.path()).unwrap();
        let slots = [slot(7, [1, 1]), slot(8, [3, 0]), slot(8, [3, 0])];
        let strangers = among(&reader, slots).unwrap();
        assert_eq!(strangers, [slot(8, [3, 0])]);

        let recorder = Recorder::in_memory();
        confess(&recorder, &strangers);
        let sum = Accounting::of(&recorder.facts());
        assert!(sum.is_whole(), "{sum:?}");
        assert_eq!(
            (sum.connections, sum.closed, sum.seen, sum.in_gaps),
            (1, 1, 3, 3)
        );
    }
}
