//! What is known of a charger before it says so: from the recording of an earlier run, and from the operator's files.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use evenkeel::facts::resume::Resume;
use evenkeel::facts::{Fact, Kind, Leg, Limits, Reader, Recorder};
use evenkeel::ocpp::Version;
use evenkeel::shadow::model::import;
use serde_json::json;

use crate::shadow_support::{Candidate, World, run, start, started};
use crate::talk::{ACCEPTED, FULL, SECRET, Talk, report, variable};

fn resumed(dir: &Path) -> Resume {
    Resume::read(&Reader::open(dir).unwrap()).unwrap()
}

fn on_disk<'a>(recorder: &Recorder, resume: &'a Resume) -> impl FnOnce(&Candidate) -> World + 'a {
    simulating(recorder, resume, Vec::new())
}

/// The same, where the stand-in pretends to obey these actions.
fn simulating<'a>(
    recorder: &Recorder,
    resume: &'a Resume,
    simulate: Vec<String>,
) -> impl FnOnce(&Candidate) -> World + 'a {
    let recorder = recorder.clone();
    move |candidate| {
        let world = World::recording(candidate, recorder, |settings| {
            settings.hold = Duration::ZERO;
            settings.simulate = simulate;
        });
        world.legs.resume(Leg::Candidate, resume);
        world
    }
}

#[test]
fn a_restart_knows_the_charger_again() {
    let dir = tempfile::tempdir().unwrap();
    let patience = Duration::from_secs(10);
    run(async {
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        let nothing = Resume::default();
        let talk = Talk::new(Version::V201, on_disk(&recorder, &nothing)).await;
        // A selection first: its pages must not be taken for the inventory's.
        talk.world
            .authority(r#"[2,"g","GetReport",{"requestId":9}]"#);
        report(&talk.world, 3);
        talk.world.charger(r#"[2,"t","TransactionEvent",{"eventType":"Started","triggerReason":"Authorized","seqNo":0,"transactionInfo":{"transactionId":"T1"},"evse":{"id":1}}]"#);
        talk.world.charger(r#"[2,"u","TransactionEvent",{"eventType":"Started","triggerReason":"Authorized","seqNo":0,"transactionInfo":{"transactionId":"T2"},"evse":{"id":2}}]"#);
        talk.world.charger(r#"[2,"v","TransactionEvent",{"eventType":"Ended","triggerReason":"EVDeparted","seqNo":1,"transactionInfo":{"transactionId":"T2"},"evse":{"id":2}}]"#);
        drop(talk);
        recorder.close(patience).unwrap();
    });
    run(async {
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        let resume = resumed(dir.path());
        assert!(!resume.chargers["CP1"].lessons.is_empty());
        let mut talk = Talk::new(Version::V201, on_disk(&recorder, &resume)).await;
        for id in ["t", "u", "v"] {
            talk.gets_again("TransactionEvent", id, "{}").await;
        }
        assert_eq!(talk.ask("GetBaseReport", FULL).await, ACCEPTED);
        for number in 0..3 {
            let page = talk.follows("NotifyReport").await.payload;
            assert!(page.contains(&format!(r#""seqNo":{number}"#)), "{page}");
        }
        for (id, going_on) in [("T1", true), ("T2", false)] {
            let answer = talk
                .ask(
                    "GetTransactionStatus",
                    &format!(r#"{{"transactionId":"{id}"}}"#),
                )
                .await;
            assert!(
                answer.contains(&format!(r#""ongoingIndicator":{going_on}"#)),
                "{answer}"
            );
        }
        drop(talk);
        recorder.close(patience).unwrap();
    });
}

#[test]
fn a_restart_knows_a_configuration_and_its_changes_again() {
    let dir = tempfile::tempdir().unwrap();
    let patience = Duration::from_secs(10);
    let listing = format!(
        r#"{{"configurationKey":[{{"key":"Foo","readonly":false,"value":"1"}},{{"key":"AuthorizationKey","readonly":false,"value":"{SECRET}"}}]}}"#
    );
    run(async {
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        let nothing = Resume::default();
        let mut talk = Talk::new(Version::V16, on_disk(&recorder, &nothing)).await;
        talk.commanded("GetConfiguration", "{}", &listing);
        talk.commanded(
            "ChangeConfiguration",
            r#"{"key":"Foo","value":"2"}"#,
            ACCEPTED,
        );
        talk.world.charger(&start("x", 1));
        talk.world
            .authority(&format!(r#"[3,"x",{}]"#, started("8", "Accepted")));
        drop(talk);
        recorder.close(patience).unwrap();
    });
    run(async {
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        let resume = resumed(dir.path());
        let mut talk = Talk::new(Version::V16, on_disk(&recorder, &resume)).await;
        talk.gets_again("StartTransaction", "x", &started("9", "Accepted"))
            .await;
        let all = r#"{"configurationKey":[{"key":"Foo","readonly":false,"value":"2"}]}"#;
        assert_eq!(talk.ask("GetConfiguration", "{}").await, all);
        drop(talk);
        recorder.close(patience).unwrap();
    });
}

#[test]
fn what_was_simulated_is_forgotten_at_a_restart_and_that_is_said_once() {
    let dir = tempfile::tempdir().unwrap();
    let patience = Duration::from_secs(10);
    let simulate = || vec!["ChangeConfiguration".to_owned()];
    let listing = r#"{"configurationKey":[{"key":"Foo","readonly":false,"value":"1"}]}"#;
    let pretended = listing.replace("\"1\"", "\"2\"");
    for (run_number, expected) in [pretended.as_str(), listing, listing]
        .into_iter()
        .enumerate()
    {
        run(async {
            let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
            let resume = resumed(dir.path());
            let world = simulating(&recorder, &resume, simulate());
            let mut talk = Talk::new(Version::V16, world).await;
            if run_number == 0 {
                talk.commanded("GetConfiguration", "{}", listing);
                let set = r#"{"key":"Foo","value":"2"}"#;
                assert_eq!(talk.ask("ChangeConfiguration", set).await, ACCEPTED);
            }
            assert_eq!(talk.ask("GetConfiguration", "{}").await, expected);
            drop(talk);
            recorder.close(patience).unwrap();
        });
    }
    let facts = Reader::open(dir.path())
        .unwrap()
        .of_kind(Kind::ModelLearned, 0, 99);
    let notes: Vec<_> = facts.unwrap().iter().map(Fact::note_json).collect();
    let told: Vec<_> = notes
        .iter()
        .filter(|note| note["part"] == "overlay")
        .collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[0]["from"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&told[1]["from"], &told[1]["why"]),
        (&json!([]), &json!("restart"))
    );
}

#[test]
fn what_was_imported_answers_until_the_charger_speaks() {
    run(async {
        let source = json!({"chargers": {"CP1": {
            "taken": "2026-01-01T00:00:00Z",
            "configuration": {"configurationKey": [
                {"key": "Foo", "readonly": true, "value": "old"},
                {"key": "AuthorizationKey", "readonly": false, "value": SECRET}]},
            "reports": {"FullInventory": [variable("A", "B", "1", "ReadWrite"),
                variable("SecurityCtrlr", "BasicAuthPassword", SECRET, "WriteOnly")]}}}})
        .to_string();
        let read = import::parse(&source, 0).unwrap();
        let models: BTreeMap<String, Rc<_>> = read
            .into_iter()
            .map(|(name, model)| (name, Rc::new(model)))
            .collect();
        let world = |candidate: &Candidate| {
            let world = World::new(candidate, |settings| settings.hold = Duration::ZERO);
            world.legs.import(Leg::Candidate, &models);
            world
        };
        let mut talk = Talk::new(Version::V201, world).await;
        assert_eq!(talk.ask("GetBaseReport", FULL).await, ACCEPTED);
        let page = talk.follows("NotifyReport").await.payload;
        assert!(
            page.contains(r#""generatedAt":"2026-01-01T00:00:00Z""#),
            "{page}"
        );
        let note = talk.note().await;
        assert_eq!(note["model"], "imported");
        assert!(note["age_us"].as_i64().unwrap() > 0);
        talk.publish("imported");

        let mut talk = Talk::new(Version::V16, world).await;
        let old = r#"{"configurationKey":[{"key":"Foo","readonly":true,"value":"old"}]}"#;
        assert_eq!(talk.ask("GetConfiguration", "{}").await, old);
        assert_eq!(talk.note().await["model"], "imported");
        let new = old.replace("old", "new");
        talk.commanded("GetConfiguration", "{}", &new);
        assert_eq!(talk.ask("GetConfiguration", "{}").await, new);
        assert_eq!(talk.note().await["model"], "learned");
    });
}
