//! The quirks of chargers, each as a fixture: carried unchanged by the tap, survived by the observer, named, and never
//! blamed on a candidate. With a candidate that behaves as legacy does, and with a strict one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step of a test should end it"
)]

#[path = "quirks/backend.rs"]
mod backend;
#[path = "quirks/charger.rs"]
mod charger;
#[path = "quirks/fixtures.rs"]
mod fixtures;
#[path = "judging/story.rs"]
mod story;
#[path = "common/tap.rs"]
mod tap;
#[path = "quirks/wire.rs"]
mod wire;

use std::collections::{BTreeMap, BTreeSet};

use evenkeel::facts::{Fact, Kind};
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::row::{Divergence, Exchange, Outcome, Row};
use evenkeel::ocpp::quirks::{Effect, Quirk, Shown};
use serde_json::Value;

use backend::{Backend, Manner, Strict};
use fixtures::{FIXTURES, Fixture, ORDINARY};
use story::{Shadow, Story};
use tap::{Recording, Setup, Tap};

/// What came of playing every fixture.
struct Night {
    facts: Vec<Fact>,
    exchanges: Vec<Exchange>,
    divergences: Vec<Divergence>,
    /// Rows by charger.
    quirks: BTreeMap<String, BTreeSet<u8>>,
    /// What each charger said.
    said: BTreeMap<String, Vec<String>>,
    diffs: Value,
}

/// Plays every fixture through a tap, with a candidate that is strict where `strict` says so.
fn night(strict: &BTreeMap<String, Strict>) -> Night {
    let dir = tempfile::tempdir().unwrap();
    let manner = |first, strict| Backend::start(Manner { first, strict });
    let (legacy, candidate) = (manner(4710, BTreeMap::new()), manner(0, strict.clone()));
    let tap = Tap::start(&Setup::new(dir.path(), &legacy.url(), &candidate.url()));
    tap.records();
    let mut said = BTreeMap::new();
    for fixture in FIXTURES.iter().chain([&ORDINARY]) {
        let shut = matches!(strict.get(&fixture.charger()), Some(Strict::Shuts(_)));
        let texts = charger::play(fixture, &tap, &legacy, (!shut).then_some(&candidate));
        said.insert(fixture.charger(), texts);
    }
    let (recording, _) = tap.stop();
    recording.verify();
    judged(&recording, said)
}

fn judged(recording: &Recording, said: BTreeMap<String, Vec<String>>) -> Night {
    let facts = recording.facts();
    let mut night = Night {
        diffs: recording.diffs(),
        exchanges: Vec::new(),
        divergences: Vec::new(),
        quirks: BTreeMap::new(),
        said,
        facts: Vec::new(),
    };
    for row in rows(&facts) {
        match row {
            Row::Exchange(row) => night.exchanges.push(row),
            Row::Divergence(row) => night.divergences.push(row),
            Row::Quirk(seen) => {
                night
                    .quirks
                    .entry(seen.charger)
                    .or_default()
                    .insert(seen.row);
            }
            _ => {}
        }
    }
    night.facts = facts;
    night
}

fn rows(facts: &[Fact]) -> Vec<Row> {
    let mut judge = Judge::new(Rules::built_in().unwrap());
    let mut rows = Vec::new();
    for fact in facts {
        judge.feed(fact, &mut |row| rows.push(row));
    }
    rows
}

impl Night {
    /// What shows in a message, frames or handshake is a fact that names its cause.
    fn is_a_fact(&self, fixture: &Fixture) {
        let (charger, row) = (fixture.charger(), fixture.row);
        let quirk = Quirk::from_row(row).unwrap();
        let of_kind = |fact: &&Fact| {
            let note = fact.note_json();
            fact.kind == Kind::Quirk
                && *fact.charger == *charger
                && note["row"] == row
                && note["quirk"] == quirk.name()
        };
        let fact = self.facts.iter().find(of_kind);
        let fact = fact.unwrap_or_else(|| panic!("{quirk} is not named"));
        let cause = self.facts.iter().find(|one| one.seq == fact.cause).unwrap();
        let expected = match quirk.shown() {
            Shown::Message => Kind::Message,
            Shown::Frames => Kind::Opaque,
            _ => Kind::ConnOpened,
        };
        assert_eq!((cause.kind, &*cause.charger), (expected, &*charger));
        if expected == Kind::Message && row != 52 {
            let said = &self.said[&charger];
            assert!(
                said.iter().any(|text| Some(&**text) == cause.text()),
                "{quirk}"
            );
        }
    }

    /// The observer goes on: what follows is compared.
    fn goes_on(&self, fixture: &Fixture) {
        let last = self.facts.iter().rev().find(|fact| {
            *fact.charger == *fixture.charger()
                && fact.kind == Kind::Message
                && fact
                    .text()
                    .is_some_and(|text| text.starts_with(r#"[2,"last""#))
        });
        let last = last.unwrap().seq;
        let exchange = self.exchanges.iter().find(|row| row.id == last).unwrap();
        let equal = matches!(exchange.outcome, Outcome::Equal | Outcome::Explained);
        assert!(equal, "row {}: {exchange:?}", fixture.row);
    }
}

/// All rows of the catalogue, with a lenient candidate.
#[test]
fn item_10_all_rows_of_section_4_with_a_lenient_candidate() {
    let night = night(&BTreeMap::new());
    for fixture in &FIXTURES {
        let shown = Quirk::from_row(fixture.row).unwrap().shown();
        if shown != Shown::Sequence {
            night.is_a_fact(fixture);
        }
    }
    let expected: BTreeMap<String, BTreeSet<u8>> = FIXTURES
        .iter()
        .map(|fixture| (fixture.charger(), fixture.rows().into_iter().collect()))
        .filter(|(_, rows): &(_, BTreeSet<u8>)| !rows.is_empty())
        .collect();
    assert_eq!(night.quirks, expected);
    for fixture in FIXTURES.iter().chain([&ORDINARY]) {
        night.goes_on(fixture);
    }
    assert_eq!(night.divergences, [], "nobody is to blame");
    assert_eq!(night.diffs["findings"], serde_json::json!([]));
    let listed = night.diffs["quirks"].as_array().unwrap();
    let noted = |row: u64, leg: &str, detail: Option<&str>| {
        let is = |one: &&Value| {
            one["row"] == row && one["leg"] == leg && one["detail"].as_str() == detail
        };
        assert!(listed.iter().any(|one| is(&one)), "{row}: {listed:#?}");
    };
    noted(39, "candidate", Some("GetConfiguration"));
    noted(53, "legacy", None);
    noted(53, "candidate", None);
    noted(57, "candidate", Some("StartTransaction"));
    let rows: BTreeSet<u64> = listed
        .iter()
        .map(|one| one["row"].as_u64().unwrap())
        .collect();
    assert_eq!(rows.len(), 56, "{listed:#?}");
}

/// All rows of the catalogue, with a candidate that refuses what is odd.
#[test]
fn item_10_all_rows_of_section_4_with_a_strict_candidate() {
    let strict: BTreeMap<String, Strict> = FIXTURES
        .iter()
        .filter(|fixture| fixture.strict != Strict::Lenient)
        .map(|fixture| (fixture.charger(), fixture.strict))
        .collect();
    let night = night(&strict);
    for fixture in FIXTURES
        .iter()
        .filter(|one| strict.contains_key(&one.charger()))
    {
        let quirk = Quirk::from_row(fixture.row).unwrap();
        let of_charger = |row: &&Divergence| row.charger == fixture.charger();
        let found: Vec<_> = night.divergences.iter().filter(of_charger).collect();
        if quirk.effect() == Effect::Policy {
            assert!(found.is_empty(), "{quirk}: {found:#?}");
            let rule = quirk.to_string();
            assert!(night.exchanges.iter().any(|row| row.rules.contains(&rule)));
            continue;
        }
        assert!(!found.is_empty(), "{quirk} makes a strict candidate differ");
        for divergence in found {
            assert_eq!(divergence.quirk, Some(fixture.row), "{divergence:#?}");
            assert!(
                divergence
                    .title
                    .contains(&format!("rooted in {quirk}: {}", quirk.name()))
            );
        }
    }
    let innocent = |row: &&Divergence| !strict.contains_key(&row.charger);
    assert_eq!(night.divergences.iter().find(innocent), None);
    let findings = night.diffs["findings"].as_array().unwrap();
    assert!(
        findings.iter().all(|finding| finding["quirk"].is_number()),
        "{findings:#?}"
    );
}

#[test]
fn every_row_has_a_fixture_or_a_reason() {
    let with: BTreeSet<u8> = FIXTURES.iter().map(|fixture| fixture.row).collect();
    assert_eq!(with.len(), FIXTURES.len());
    for quirk in Quirk::all() {
        match quirk.shown() {
            Shown::Nowhere(reason) => {
                assert!(!with.contains(&quirk.row()) && !reason.is_empty());
            }
            _ => assert!(with.contains(&quirk.row()), "{quirk} has no fixture"),
        }
    }
}

/// The rows that a story shows.
fn quirks_of(story: &Story) -> Vec<(u8, String)> {
    let seen = rows(&story.facts).into_iter().filter_map(|row| match row {
        Row::Quirk(seen) => Some((seen.row, seen.leg)),
        _ => None,
    });
    seen.collect()
}

const STARTED: &str = r#"{"transactionId":5,"idTagInfo":{"status":"Accepted"}}"#;

fn start(timestamp: &str) -> String {
    format!(r#"{{"connectorId":1,"idTag":"A","meterStart":0,"timestamp":"{timestamp}"}}"#)
}

fn booted(charger: &str) -> Story {
    let mut story = Story::open(charger);
    let boot = r#"{"chargePointVendor":"v","chargePointModel":"m"}"#;
    let now = story.rfc3339();
    let answer = format!(r#"{{"status":"Accepted","interval":300,"currentTime":"{now}"}}"#);
    story.exchange("BootNotification", boot, &answer, Shadow::Answers(&answer));
    story
}

#[test]
fn row_10_a_start_that_comes_when_charging_is_over() {
    let mut story = booted("CP1");
    story.pass(60);
    let began = story.rfc3339();
    story.pass(1_000);
    story.exchange(
        "StartTransaction",
        &start(&began),
        STARTED,
        Shadow::Refuses("InternalError"),
    );
    assert_eq!(quirks_of(&story), [(10, String::new())]);
    let rooted = rows(&story.facts)
        .iter()
        .any(|row| matches!(row, Row::Divergence(row) if row.quirk == Some(10)));
    assert!(rooted);
}

#[test]
fn row_40_a_candidate_that_is_much_faster_is_noted_not_blamed() {
    let mut story = booted("CP1");
    let now = story.rfc3339();
    let call = story.call("StartTransaction", &start(&now));
    let sent = story.sent(call);
    let answer = format!(r#"[3,"x",{STARTED}]"#);
    story.shadow_answer(sent, &answer);
    story.pass(1);
    story.answer(call, STARTED);
    assert_eq!(quirks_of(&story), [(40, "candidate".to_owned())]);
    let blamed = rows(&story.facts);
    assert!(!blamed.iter().any(|row| matches!(row, Row::Divergence(_))));
}

#[test]
fn a_zero_that_legacy_assigned_is_no_quirk() {
    let mut story = booted("CP1");
    let (now, zero) = (story.rfc3339(), STARTED.replace('5', "0"));
    story.exchange(
        "StartTransaction",
        &start(&now),
        &zero,
        Shadow::Answers(&zero),
    );
    story.exchange(
        "StopTransaction",
        r#"{"transactionId":0,"meterStop":9}"#,
        "{}",
        Shadow::Answers("{}"),
    );
    let call = story.facts.iter().rev().find(|fact| {
        fact.text()
            .is_some_and(|text| text.contains("StopTransaction"))
    });
    let call = call.unwrap().clone();
    let mut quirk = Fact::new(Kind::Quirk, call.at).on(&call.charger, call.conn);
    quirk = quirk
        .because(call.seq)
        .note(&serde_json::json!({"quirk": "", "row": 56}));
    quirk.seq = story.facts.len() as u64 + 1;
    story.facts.push(quirk);
    assert_eq!(quirks_of(&story), []);
}

#[test]
fn what_a_quirk_does_not_explain_stays_the_candidates() {
    let mut story = booted("CP1");
    let now = story.rfc3339();
    story.exchange(
        "Authorize",
        r#"{"idTag":"AB"}"#,
        r#"{"idTagInfo":{"status":"Accepted"}}"#,
        Shadow::Answers(r#"{"idTagInfo":{"status":"Accepted"}}"#),
    );
    let ours = r#"{"transactionId":5,"idTagInfo":{"status":"Accepted","parentIdTag":"P"}}"#;
    let theirs = r#"{"transactionId":"5","idTagInfo":{"status":"Accepted","parentIdTag":"P"}}"#;
    let request = start(&now).replace("\"A\"", "\"ab\"");
    story.exchange("StartTransaction", &request, ours, Shadow::Answers(theirs));
    assert_eq!(quirks_of(&story), [(28, String::new())]);
    let blamed = rows(&story.facts)
        .iter()
        .any(|row| matches!(row, Row::Divergence(row) if row.quirk.is_none()));
    assert!(
        blamed,
        "a token in another case does not change the type of an identifier"
    );
}
