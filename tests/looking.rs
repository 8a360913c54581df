//! What views read of a recording: ladders, texts side by side, pages of sessions, sums of books, model by action.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed step of a test should end it"
)]

#[path = "sessions/night.rs"]
mod night;
#[path = "judging/rows.rs"]
mod rows;
#[path = "judging/story.rs"]
mod story;

use std::path::Path;
use std::time::Duration;

use evenkeel::facts::{self, Fact, Leg, Limits, Recorder};
use evenkeel::ledger::filter::{self, Where};
use evenkeel::ledger::query::{Filter, Reader};
use evenkeel::ledger::row::Subject;
use evenkeel::ledger::{Ledger, Mark, Pending, sessions};
use evenkeel::report::evidence::Fate;
use evenkeel::report::{Comparison, Evidence, rules};
use tempfile::TempDir;

use night::{Books, charge};
use rows::{ACCEPTED, BLOCKED, TAG, judge};
use story::{Shadow, Story};

const BOOT: &str = r#"{"chargePointVendor":"Tallow","chargePointModel":"Kerb 11"}"#;
const BOOTED: &str = r#"{"currentTime":"2026-11-24T00:00:00Z","interval":300,"status":"Accepted"}"#;

/// A recording on disk, judged.
struct Recording(TempDir);

impl Recording {
    fn of(facts: &[Fact]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        for fact in facts {
            recorder.record(fact.clone()).unwrap();
        }
        recorder.close(Duration::from_secs(30)).unwrap();
        let mut ledger = Ledger::open(dir.path(), "test").unwrap();
        let last = facts.len() as u64;
        ledger
            .apply(&judge(facts), last, Pending::default())
            .unwrap();
        Self(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn ledger(&self) -> Reader {
        Reader::open(self.path()).unwrap()
    }

    fn facts(&self) -> facts::Reader {
        facts::Reader::open(self.path()).unwrap()
    }

    /// What stands behind the exchange or command with this fact, side by side.
    fn evidence(&self, id: u64) -> Evidence {
        let judged = self.ledger().judged(id).unwrap().unwrap();
        let rules = rules::of_recording(&self.facts()).unwrap();
        Evidence::of(&self.facts(), &rules, judged).unwrap()
    }
}

/// One charger that has met everything that a ladder shows.
fn everything() -> Recording {
    let mut story = Story::open("CP1");
    story.exchange("BootNotification", BOOT, BOOTED, Shadow::Answers(BOOTED));
    story.exchange("Authorize", TAG, BLOCKED, Shadow::Answers(ACCEPTED));
    story.exchange("Authorize", r#"{"idTag":"T2"}"#, ACCEPTED, Shadow::Silent);
    story.exchange("Heartbeat", "{}", "{}", Shadow::Withheld("candidate away"));
    story.exchange(
        "DataTransfer",
        r#"{"vendorId":"v"}"#,
        r#"{"status":"Accepted"}"#,
        Shadow::Refuses("NotSupported"),
    );
    story.stand_in("Reset", r#"{"type":"Hard"}"#, "model");
    story.pass(120);
    story.tick();
    story.stopped();
    Recording::of(&story.facts)
}

#[test]
fn a_ladder_holds_what_was_judged_of_a_charger_in_the_order_of_the_tap() {
    let night = everything();
    let ledger = night.ledger();
    let items = ledger.around("CP1", 1, (10, 100)).unwrap();
    let said: Vec<String> = items
        .iter()
        .map(|item| format!("{} {} {}", item.subject.word(), item.action, item.outcome))
        .collect();
    assert_eq!(
        said,
        [
            "handshake  equal",
            "exchange BootNotification equal",
            "exchange Authorize divergent",
            "exchange Authorize divergent",
            "exchange Heartbeat not comparable",
            "exchange DataTransfer divergent",
            "command Reset divergent",
        ]
    );
    assert!(items.windows(2).all(|pair| pair[0].id < pair[1].id));
    assert_eq!(items[2].findings.len(), 1);
    // A window around one of them, and nothing of others.
    let around = ledger.around("CP1", items[3].id, (1, 2)).unwrap();
    assert_eq!(around, items[2..5]);
    assert_eq!(ledger.around("CP2", 1, (10, 100)).unwrap(), []);
    assert_eq!(
        ledger
            .charger_of(Subject::Command, items[6].id)
            .unwrap()
            .as_deref(),
        Some("CP1")
    );
}

#[test]
fn exemplars_are_counted_from_the_first() {
    let night = everything();
    let ledger = night.ledger();
    let findings = ledger.findings(&Filter::default()).unwrap();
    let blocked = findings
        .iter()
        .find(|finding| finding.path == "/idTagInfo/status")
        .unwrap();
    let first = ledger.exemplar(&blocked.id, 0).unwrap().unwrap();
    assert_eq!(first, (Subject::Exchange, blocked.exemplars[0]));
    assert_eq!(ledger.exemplar(&blocked.id, 1).unwrap(), None);
}

#[test]
fn texts_stand_side_by_side_with_the_rules_that_decided() {
    let night = everything();
    let items = night.ledger().around("CP1", 1, (0, 100)).unwrap();
    let shown = |at: usize| Comparison::of(&night.evidence(items[at].id));
    let differs = shown(2);
    let row = &differs.sections[1].rows[0];
    assert_eq!(
        (row.mark, row.path.as_str()),
        (Mark::Divergent, "idTagInfo.status")
    );
    assert_eq!(row.legacy.as_deref(), Some("\"Blocked\""));
    assert_eq!(row.candidate.as_deref(), Some("\"Accepted\""));
    assert!(row.why.starts_with("S1 rule "), "{}", row.why);
    let equal = shown(1);
    assert_eq!(
        (equal.count(Mark::Equal), equal.count(Mark::Divergent)),
        (3, 0)
    );
    let silent = shown(3);
    assert_eq!(
        silent.sections[1].rows[0].candidate.as_deref(),
        Some("(no answer in 30.0 s)")
    );
    let withheld = shown(4);
    assert_eq!(
        withheld.sections[0].note,
        "withheld from the candidate: candidate away"
    );
    let refused = shown(5);
    let says = refused.sections[1].rows[0].candidate.clone().unwrap();
    assert!(says.starts_with("error NotSupported"), "{says}");
    let fenced = shown(6);
    assert!(fenced.sections[1].note.ends_with("in its place from model"));
    assert_eq!(fenced.count(Mark::Synthetic), 0, "the answer was empty");
}

#[test]
fn what_became_of_a_copy_is_looked_for_only_so_far() {
    let night = everything();
    let items = night.ledger().around("CP1", 1, (0, 100)).unwrap();
    let [call, _, shadow] = items[4].facts;
    let near = Fate::of(&night.facts(), ([call, shadow], items[4].sent), 1_000).unwrap();
    assert_eq!(near.says(), "candidate away");
    let nowhere = Fate::of(&night.facts(), ([call, shadow], items[4].sent), 0).unwrap();
    assert_eq!(nowhere.says(), "");
}

#[test]
fn coverage_is_told_by_action_and_by_the_model_that_a_charger_told_last() {
    let mut story = Story::open("CP1");
    let renamed = BOOT.replace("Kerb 11", "Kerb 12");
    story.exchange("BootNotification", BOOT, BOOTED, Shadow::Answers(BOOTED));
    story.exchange("Heartbeat", "{}", "{}", Shadow::Withheld("candidate away"));
    story.exchange(
        "BootNotification",
        &renamed,
        BOOTED,
        Shadow::Answers(BOOTED),
    );
    story.exchange("Authorize", TAG, BLOCKED, Shadow::Answers(ACCEPTED));
    story.stopped();
    let night = Recording::of(&story.facts);
    let matrix = night.ledger().matrix().unwrap();
    assert_eq!(matrix.models.get("Kerb 12"), Some(&1));
    assert_eq!(matrix.models.get("Kerb 11"), None);
    assert_eq!(matrix.cells["BootNotification"]["Kerb 12"].equal, 2);
    assert_eq!(matrix.cells["Authorize"]["Kerb 12"].divergent, 1);
    assert_eq!(matrix.cells["Heartbeat"]["Kerb 12"].comparable(), 0);
    // Nothing is counted twice because a charger has told two models.
    let covered = night.ledger().covered(&Filter::default()).unwrap();
    assert_eq!(covered.whole.comparable(), 3);
}

/// Three sessions; the candidate has no record of the last, and another cost of the second.
fn charged() -> Recording {
    let mut story = Story::open("CP1");
    let mut books = Vec::new();
    for number in 1..=3 {
        let start = charge(&mut story, number);
        story.pass(600);
        books.push(Books::of(number, start));
    }
    books[1].candidate[1]["total_cost"] = night::parse(r#"{"excl_vat":5.9,"incl_vat":7.139}"#);
    books[2].candidate.clear();
    for books in &books {
        books.read_into(&mut story);
    }
    // Long enough for what is missing to be missed.
    for _ in 0..10 {
        story.pass(86_400);
        story.swept(Leg::Candidate, "cdr");
        story.tick();
    }
    Recording::of(&story.facts)
}

#[test]
fn sessions_come_in_pages_the_newest_first() {
    let night = charged();
    let ledger = night.ledger();
    let all = sessions::page(&ledger, &Where::default(), (0, 10)).unwrap();
    assert_eq!((all.total, all.sessions.len()), (3, 3));
    assert!(all.sessions.windows(2).all(|pair| pair[0].at > pair[1].at));
    let second = sessions::page(&ledger, &Where::default(), (1, 1)).unwrap();
    assert_eq!((second.total, second.offset), (3, 1));
    assert_eq!(second.sessions, all.sessions[1..2]);
    let divergent = filter::Filter::parse("outcome:divergent", &filter::SESSIONS).unwrap();
    let divergent = divergent.to_sql(0, filter::SESSION_COLUMNS).unwrap();
    let differing = sessions::page(&ledger, &divergent, (0, 10)).unwrap();
    assert_eq!(differing.total, 2);
    assert_eq!(differing.sessions[1].names.legacy, ["102"]);
    let id = all.sessions[2].id;
    assert_eq!(ledger.session(id).unwrap().unwrap().id, id);
    assert_eq!(ledger.session_at("CP1", id + 1).unwrap().unwrap().id, id);
    assert_eq!(ledger.session_at("CP1", 1).unwrap(), None);
    let three_ways = Comparison::of_session(&differing.sessions[1]);
    assert!(three_ways.count(Mark::Divergent) > 0 && three_ways.count(Mark::Equal) > 5);
}

#[test]
fn books_are_added_up_exactly() {
    let night = charged();
    let totals = sessions::totals(&night.ledger(), &Where::default()).unwrap();
    assert_eq!((totals.sessions, totals.more), (3, false));
    let (legacy, candidate) = (&totals.legacy, &totals.candidate);
    assert_eq!((legacy.records, candidate.records), (3, 2));
    assert_eq!((legacy.closed, candidate.closed), (3, 2));
    assert_eq!((legacy.missing, candidate.missing), (0, 1));
    assert_eq!(
        (legacy.started, candidate.started),
        (3, 3),
        "both have a name for the third"
    );
    assert_eq!(legacy.energy_wh.to_string(), "31038");
    assert_eq!(candidate.energy_wh.to_string(), "20692");
    assert_eq!(legacy.cost["EUR"].to_string(), "18.9525");
    assert_eq!(candidate.cost["EUR"].to_string(), "13.4565");
}
