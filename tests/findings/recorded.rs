//! Stories on disk, looked at with the program itself.

#![allow(dead_code, reason = "each test file looks at its own part")]

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use evenkeel::facts::{Fact, Limits, Recorder};
use evenkeel::ledger::row::State;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::story::Story;

/// Somebody decides about a finding of Authorize.
pub(crate) fn note(story: &mut Story, finding: &str, state: State, more: &Value) {
    let mut said = json!({
        "finding": finding, "subject": "exchange", "action": "Authorize", "state": state
    });
    let more = more.as_object().unwrap().clone();
    said.as_object_mut().unwrap().extend(more);
    story.said(&said);
}

/// A recording in a directory of its own.
pub(crate) struct Recorded {
    dir: TempDir,
}

impl Recorded {
    pub(crate) fn of(facts: &[Fact]) -> Self {
        let night = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        let recorder = night.open();
        for fact in facts {
            recorder.record(fact.clone()).unwrap();
        }
        recorder.close(Duration::from_secs(30)).unwrap();
        night
    }

    fn place(&self) -> PathBuf {
        self.dir.path().join("night")
    }

    /// Has the recording open, as a tap would.
    pub(crate) fn open(&self) -> Recorder {
        Recorder::open(&self.place(), Limits::default()).unwrap()
    }

    /// Runs the program on the recording: exit code, and what it says on both streams.
    pub(crate) fn run(&self, verb: &[&str], more: &[&str]) -> (i32, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_evenkeel"))
            .args(verb)
            .args(more)
            .arg("--recording")
            .arg(self.place())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        (
            output.status.code().unwrap(),
            String::from_utf8(text).unwrap(),
        )
    }

    fn json(&self, verb: &str, more: &[&str]) -> (i32, Value) {
        let (exit, text) = self.run(&[verb, "--json"], more);
        (exit, serde_json::from_str(&text).expect(&text))
    }

    pub(crate) fn diffs(&self, more: &[&str]) -> (i32, Value) {
        self.json("diffs", more)
    }

    pub(crate) fn verify(&self) -> (i32, Value) {
        self.json("verify", &[])
    }

    /// Somebody alters the facts behind the program's back.
    pub(crate) fn alter(&self, sql: &str) {
        let database = rusqlite::Connection::open(self.place().join("facts.db")).unwrap();
        assert!(database.execute(sql, []).unwrap() > 0);
    }
}
