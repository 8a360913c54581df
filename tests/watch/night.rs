//! A recording that never changes: four chargers whose stories hold one of everything. No sockets, no clock.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use evenkeel::cli::judging::judge_recording;
use evenkeel::facts::authority::{Change, Mode, Plan, Step};
use evenkeel::facts::{Dir, Fact, Kind, Leg, Limits, Recorder};
use evenkeel::judge::Rules;
use serde_json::json;
use tempfile::TempDir;

use crate::charged::{Books, charge};
use crate::story::{Shadow, Story};

/// The last fact of the night, µs, and a second later: the time at which it is looked at.
pub(crate) const NOW: i64 = 1_795_007_299_000_000;

/// Criteria of which some fail, some lack evidence and some are met.
const GATE: &str = include_str!("gate.toml");

const ACCEPTED: &str = r#"{"idTagInfo":{"status":"Accepted"}}"#;
const BLOCKED: &str = r#"{"idTagInfo":{"status":"Blocked"}}"#;

/// A recording in a directory of its own.
pub(crate) struct Night {
    root: TempDir,
}

impl Night {
    /// Where it is.
    pub(crate) fn place(&self) -> PathBuf {
        self.root.path().join("pilot-nl")
    }

    /// The whole night, judged.
    pub(crate) fn whole() -> Self {
        Self::of(&woven(vec![boots(), tags(), energy(), silent()]))
    }

    /// The same night, with groups and a wave that the operator described.
    pub(crate) fn grouped() -> Self {
        Self::described(None)
    }

    /// The same, with criteria for its groups.
    pub(crate) fn gated(criteria: &str) -> Self {
        Self::described(Some(criteria))
    }

    fn described(criteria: Option<&str>) -> Self {
        let estate = json!({
            "groups": [
                {"name": "harbour-ac", "wave": "first", "patterns": ["harbour-*"]},
                {"name": "station-dc", "wave": "second", "patterns": ["station-*"]},
            ],
            "waves": [{"name": "first", "date": "2026-12-01", "window": "22:00 to 05:00", "sign_off": "Billing", "decision": "Ops"}],
        });
        let mut facts = woven(vec![boots(), tags(), energy(), silent()]);
        let said = Fact::new(Kind::EstateLoaded, facts[0].at).body(estate.to_string());
        let mut before = vec![said];
        before.extend(criteria.map(|text| {
            let note = json!({"file": "gate.toml", "hash": "sha256:0"});
            Fact::new(Kind::GateLoaded, facts[0].at)
                .body(text)
                .note(&note)
        }));
        let more = before.len() as u64;
        for fact in &mut facts {
            fact.seq += more;
            fact.cause += if fact.cause > 0 { more } else { 0 };
        }
        for (number, fact) in (1..).zip(&mut before) {
            fact.seq = number;
        }
        Self::of(&[before, facts].concat())
    }

    /// The whole night with two groups, a wave and criteria; somebody has said that one group stays.
    pub(crate) fn planned() -> Self {
        Self::of(&Self::plan(None, None))
    }

    fn plan(no_return: Option<&str>, more: Option<Story>) -> Vec<Fact> {
        let mut first = boots();
        let no_return = no_return.map(|at| at.parse::<DateTime<Utc>>().unwrap().timestamp_micros());
        first.loaded(&json!({
            "groups": [
                {"name": "harbour", "patterns": ["harbour-*"], "rollback": "tap", "rollback_s": 240, "rehearsed": "2026-11-01", "wave": "pilot"},
                {"name": "station", "patterns": ["station-*"]},
            ],
            "waves": [{
                "name": "pilot", "date": "2026-12-01", "window": "22:00-05:00", "sign_off": "Billing", "decision": "Ops",
                "deputy": "Net", "communications": ["02:30 site hosts"], "point_of_no_return": no_return,
            }],
        }));
        first.gate(GATE);
        first.decide(&json!({"group": "harbour", "word": "hold", "by": "ann", "role": "Billing", "reason": "too early"}));
        let stories = [first, tags(), energy(), silent()];
        woven(stories.into_iter().chain(more).collect())
    }

    /// The planned night; harbour is being moved, and one of its chargers has not come back.
    pub(crate) fn moved() -> Self {
        let steps = [
            ("", Step::Begun, 600),
            ("harbour-ac-01", Step::Acting, 599),
            ("harbour-ac-02", Step::Acting, 598),
            ("harbour-ac-01", Step::Done, 580),
            ("harbour-ac-02", Step::Missing, 300),
        ];
        Self::switched(Leg::Candidate, &steps)
    }

    /// The planned night; harbour was brought back, which took ten minutes.
    pub(crate) fn rehearsed() -> Self {
        let steps = [
            ("", Step::Begun, 900),
            ("harbour-ac-01", Step::Acting, 890),
            ("harbour-ac-02", Step::Acting, 890),
            ("harbour-ac-01", Step::Done, 880),
            ("harbour-ac-02", Step::Done, 301),
            ("", Step::Over, 300),
        ];
        Self::switched(Leg::Legacy, &steps)
    }

    /// The planned night with the steps of a switch, so many seconds before it ends.
    fn switched(to: Leg, steps: &[(&str, Step, i64)]) -> Self {
        let mut switch = Story::open("switch");
        switch.facts.clear();
        for (charger, step, before) in steps {
            let at = NOW - before * 1_000_000;
            let plan = (*step == Step::Begun).then(|| Plan {
                to,
                mode: Mode::Now,
                pace: 10,
                limit_us: 60_000_000,
                deadline_us: 60_000_000,
                rollback: to == Leg::Legacy,
                by: "ops".to_owned(),
                chargers: ["harbour-ac-01", "harbour-ac-02"]
                    .map(str::to_owned)
                    .to_vec(),
            });
            let change = Change {
                plan,
                ..Change::new(NOW - 600_000_000, *step, to)
            };
            let mut fact = change.fact(&Arc::from(*charger), at);
            fact.seq = switch.facts.len() as u64 + 1;
            switch.facts.push(fact);
        }
        Self::of(&Self::plan(Some("2026-12-02T03:30:00Z"), Some(switch)))
    }

    /// Two groups with criteria; the only charger of one has been away for long.
    pub(crate) fn darkened() -> Self {
        let mut first = Story::open("ferry-ac-01");
        first.loaded(&json!({
            "groups": [{"name": "ferry", "patterns": ["ferry-*"]}, {"name": "others", "patterns": ["*"]}],
        }));
        first.gate(GATE);
        boot(&mut first, "Kerb 22", 300, 300);
        first.pass(60);
        first.close();
        Self::of(&woven(vec![first, tags(), energy(), silent()]))
    }

    /// A tap that has just begun: nothing is judged yet.
    pub(crate) fn empty() -> Self {
        Self::of(&[
            Fact::new(Kind::TapStarted, NOW - 1_000_000).note(&json!({"authority": "legacy"}))
        ])
    }

    /// These facts, recorded and judged.
    pub(crate) fn of(facts: &[Fact]) -> Self {
        let night = Self {
            root: tempfile::tempdir().unwrap(),
        };
        record(&night.place(), facts);
        judge_recording(
            &night.place(),
            Rules::built_in().unwrap(),
            None,
            &mut |_, _| {},
        )
        .unwrap();
        night
    }
}

fn record(place: &Path, facts: &[Fact]) {
    let recorder = Recorder::open(place, Limits::default()).unwrap();
    for fact in facts {
        recorder.record(fact.clone()).unwrap();
    }
    recorder.close(Duration::from_secs(30)).unwrap();
}

/// One recording of several stories: by time, with numbers and connections of their own. The first tells that the tap began.
fn woven(stories: Vec<Story>) -> Vec<Fact> {
    let mut facts: Vec<(usize, Fact)> = Vec::new();
    for (number, story) in stories.into_iter().enumerate() {
        for mut fact in story.facts {
            fact.conn = if fact.conn == 0 {
                0
            } else {
                fact.conn + 100 * number as u64
            };
            if fact.kind == Kind::TapStarted {
                let note = json!({"authority": "legacy", "legacy": "wss://legacy.example", "candidate": "wss://new.example", "version": "0.1.0"});
                fact.note = note.to_string();
                if number > 0 {
                    continue;
                }
            }
            facts.push((number, fact));
        }
    }
    facts.sort_by_key(|(number, fact)| (fact.at, *number, fact.seq));
    let place = |number: usize, seq: u64| {
        facts
            .iter()
            .position(|(of, fact)| *of == number && fact.seq == seq)
    };
    let seqs: Vec<u64> = facts
        .iter()
        .map(|(number, fact)| {
            if fact.cause == 0 {
                0
            } else {
                place(*number, fact.cause).map_or(0, |at| at as u64 + 1)
            }
        })
        .collect();
    let numbered = facts.into_iter().zip(seqs).enumerate();
    numbered
        .map(|(at, ((_, mut fact), cause))| {
            fact.seq = at as u64 + 1;
            fact.cause = cause;
            fact
        })
        .collect()
}

fn boot(story: &mut Story, model: &str, ours: u32, theirs: u32) {
    let now = story.rfc3339();
    let answer = |interval: u32| {
        format!(r#"{{"status":"Accepted","currentTime":"{now}","interval":{interval}}}"#)
    };
    let request = format!(
        r#"{{"chargePointVendor":"Tallow","chargePointModel":"{model}","firmwareVersion":"1.9.4"}}"#
    );
    story.exchange(
        "BootNotification",
        &request,
        &answer(ours),
        Shadow::Answers(&answer(theirs)),
    );
}

/// Boots with another interval at the candidate; loses frames once; the connection ends.
fn boots() -> Story {
    let mut story = Story::open("harbour-ac-01");
    boot(&mut story, "Kerb 22", 300, 900);
    story.pass(60);
    story.exchange(
        "Heartbeat",
        "{}",
        r#"{"currentTime":"2026-11-18T08:08:00Z"}"#,
        Shadow::Answers(r#"{"currentTime":"2026-11-18T08:08:00Z"}"#),
    );
    story.pass(600);
    story.gap(Dir::FromCharger);
    story.exchange(
        "Heartbeat",
        "{}",
        r#"{"currentTime":"2026-11-18T08:20:00Z"}"#,
        Shadow::Withheld("queue full"),
    );
    story.pass(3_000);
    story.close();
    story
}

/// A tag that is blocked on legacy and not at the candidate; a command that only the candidate sends, and is fenced.
fn tags() -> Story {
    let mut story = Story::open("harbour-ac-02");
    boot(&mut story, "Kerb 22", 300, 300);
    for _ in 0..6 {
        story.pass(300);
        story.exchange(
            "Authorize",
            r#"{"idTag":"04A1B2C3D4"}"#,
            ACCEPTED,
            Shadow::Answers(ACCEPTED),
        );
    }
    for _ in 0..2 {
        story.pass(300);
        story.exchange(
            "Authorize",
            r#"{"idTag":"04B10C4ED0"}"#,
            BLOCKED,
            Shadow::Answers(ACCEPTED),
        );
    }
    story.pass(120);
    story.stand_in("Reset", r#"{"type":"Soft"}"#, "no-op");
    story.pass(400);
    story
}

/// Two sessions; the candidate books Wh as kWh once. Transaction numbers differ, as a rule explains.
fn energy() -> Story {
    let mut story = Story::open("station-dc-01");
    boot(&mut story, "Surge 150", 300, 300);
    let start = charge(&mut story, 1);
    let mut books = Books::of(1, start);
    for record in &mut books.candidate {
        if record.get("total_energy").is_some() {
            record["total_energy"] = crate::charged::parse("10.332");
        }
    }
    story.pass(90);
    books.read_into(&mut story);
    story
}

/// The candidate gives no answer, then is away.
fn silent() -> Story {
    let mut story = Story::open("station-dc-02");
    boot(&mut story, "Surge 300", 300, 300);
    story.pass(900);
    let status = r#"{"connectorId":1,"errorCode":"NoError","status":"Available"}"#;
    story.exchange("StatusNotification", status, "{}", Shadow::Silent);
    story.pass(60);
    story.exchange(
        "StatusNotification",
        status,
        "{}",
        Shadow::Refuses("InternalError"),
    );
    story.pass(60);
    story.exchange("StatusNotification", status, "{}", Shadow::Answers("{}"));
    story.record(Leg::Legacy, "ocpi", "session", &json!({"id": "L-1"}));
    story
}
