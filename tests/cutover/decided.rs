//! A group that goes and comes back because people decide so, with a tap as real processes.

use std::path::{Path, PathBuf};
use std::process::Command;

use evenkeel::facts::Leg;
use evenkeel::facts::authority::{Journal, Step};
use evenkeel::ledger::query::Reader;
use serde_json::Value;

use crate::killed::eventually;
use crate::killed::tap::Tap;
use crate::world::{backend, journal};
use crate::{Charger, fleet_at, hears};

/// What every charger does when it comes.
const GATE: &str = r#"
[gate]
name = "boots"
fresh = "1h"

[[criterion]]
id = "B1"
area = "charger"
title = "chargers boot alike"
unit = "exchange"
actions = ["BootNotification"]
failures = 0
sample = 2
"#;

/// Runs a verb beside the chargers; its exit code and all it says.
async fn evenkeel(args: &[&str], recording: &Path) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_evenkeel"));
    command.env("NO_COLOR", "1").args(args).arg(recording);
    let output = tokio::task::spawn_blocking(move || command.output());
    let output = output.await.unwrap().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code().unwrap(),
        String::from_utf8(said).unwrap(),
    )
}

struct Desk {
    recording: PathBuf,
    gate: PathBuf,
}

impl Desk {
    async fn decide(&self, word: &str, by: &str, more: &[&str]) -> (i32, String) {
        let gate = self.gate.to_str().unwrap();
        let args = [
            &["decide", word, "--group", "all", "--by", by][..],
            &["--reason", "because", "--confirm", "all", "--gate", gate],
            more,
        ];
        evenkeel(&args.concat(), &self.recording).await
    }

    /// Waits until so many switches are over.
    async fn over(&self, count: usize) {
        eventually("the switch is over", || {
            let steps = journal(&self.recording).into_iter();
            steps.filter(|(_, one)| one.step == Step::Over).count() == count
        })
        .await;
    }

    fn authority(&self, charger: &Charger) -> Option<Leg> {
        let journal = Journal::at(&self.recording).unwrap();
        let standing = journal.chargers.get(&charger.name);
        standing.map(|standing| standing.authority)
    }
}

#[tokio::test(flavor = "current_thread")]
async fn what_is_decided_moves_the_group_and_says_who_bills() {
    let dir = tempfile::tempdir().unwrap();
    let desk = Desk {
        recording: dir.path().join("recording"),
        gate: dir.path().join("gate.toml"),
    };
    std::fs::write(&desk.gate, GATE).unwrap();
    let (legacy, candidate) = (backend(4711).await, backend(1).await);
    let mut tap = Tap::start(&legacy.url(), &candidate.url(), &desk.recording);
    eventually("the tap judges", || {
        Reader::open(&desk.recording).is_ok_and(|ledger| ledger.cursor().is_ok())
    })
    .await;
    // The gate is waited for before there is anything to weigh.
    let waits = {
        let (gate, recording) = (desk.gate.clone(), desk.recording.clone());
        tokio::spawn(async move {
            let gate = gate.to_str().unwrap();
            let args = ["gate", "--group", "all", "--wait", "60s", "--gate", gate];
            evenkeel(&args, &recording).await
        })
    };
    let chargers = fleet_at(&tap.url(), [&legacy, &candidate], 2).await;
    let (exit, said) = waits.await.unwrap();
    assert_eq!(exit, 0, "{said}");
    let (exit, said) = desk.decide("go", "bob", &[]).await;
    assert!(
        exit == 2 && said.contains("nobody has signed off"),
        "{said}"
    );
    assert_eq!(desk.decide("sign-off", "ann", &[]).await.0, 0);
    assert_eq!(
        desk.authority(&chargers[0]),
        None,
        "a signature moves nobody"
    );

    let (exit, said) = desk.decide("go", "bob", &["--now"]).await;
    assert!(
        exit == 0 && said.contains("2 chargers of all go to candidate"),
        "{said}"
    );
    desk.over(1).await;
    for charger in &chargers {
        assert_eq!(desk.authority(charger), Some(Leg::Candidate));
    }
    let begun = journal(&desk.recording);
    let plan = begun.iter().find_map(|(_, change)| change.plan.as_ref());
    assert!(plan.unwrap().by.starts_with("bob (decision "), "{plan:?}");
    // One session ends at the candidate, the other begins there and ends at the legacy.
    chargers[0].stop().await;
    chargers[0].start().await;
    let (exit, said) = desk.decide("roll-back", "cy", &[]).await;
    assert!(
        exit == 0 && said.contains("2 chargers of all go to legacy"),
        "{said}"
    );
    desk.over(2).await;
    let (exit, said) = desk.decide("go", "bob", &[]).await;
    assert!(exit != 0 && said.contains("DEC-002"), "{said}");
    chargers[0].stop().await;
    for backend in [&legacy, &candidate] {
        hears(&backend.log(), "the end", |log| {
            log.transactions().len() == 2
                && log.transactions().iter().all(|one| one.ended.is_some())
        })
        .await;
    }
    for charger in chargers {
        charger.leave().await;
    }
    tap.stop();

    let (exit, said) = evenkeel(&["sessions", "--switched", "--json"], &desk.recording).await;
    let list: Value = serde_json::from_str(&said).expect(&said);
    assert_eq!(exit, 0, "{said}");
    let told: Vec<[&str; 4]> = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            ["legacy", "candidate", "bills", "state"].map(|key| one[key].as_str().unwrap_or("none"))
        })
        .collect();
    assert_eq!(
        told,
        [
            ["4711", "1", "candidate", "ended"],
            ["4712", "2", "legacy", "ended"]
        ],
        "{said}"
    );
    // Without a tap the decision stands, and says that nobody is moved.
    let (exit, said) = desk.decide("roll-back", "cy", &[]).await;
    assert!(
        exit == 0 && said.contains("no tap runs on this recording"),
        "{said}"
    );
    let (exit, said) = evenkeel(&["verify"], &desk.recording).await;
    assert_eq!(exit, 0, "{said}");
}
