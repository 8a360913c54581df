//! Screen 4: what the gate says of a group; without a gate file no verdict is made up.

use evenkeel::report::verdict::Criteria;
use evenkeel::watch::app::{Effect, Event};
use evenkeel::watch::books::Books;

use crate::night::{NOW, Night};
use crate::stage::{ASCII, Stage, golden};

#[test]
fn gate_at_every_size() {
    golden("gate", &Night::whole(), "4");
}

#[test]
fn a_verdict_at_every_size() {
    golden("verdict", &Night::planned(), "4");
}

#[test]
fn the_board_with_a_gate_at_every_size() {
    golden("board-gated", &Night::planned(), "");
}

#[test]
fn without_a_gate_file_there_is_no_verdict_and_nothing_to_decide() {
    let night = Night::whole();
    let mut stage = Stage::open(&night, ASCII, (80, 24));
    stage.press("4");
    let picture = stage.picture();
    assert!(picture.contains("none: no gate file"), "{picture}");
    assert!(picture.contains("evenkeel init --gate"), "{picture}");
    for verdict in ["GO+", "] GO", "NO-GO", "ROLL"] {
        assert!(!picture.contains(verdict), "{verdict}: {picture}");
    }
    stage.press("D");
    assert!(
        stage
            .picture()
            .contains("nothing can be decided without a gate file"),
        "{}",
        stage.picture()
    );
}

#[track_caller]
fn shows(stage: &Stage<'_>, says: &str) {
    let picture = stage.picture();
    assert!(picture.contains(says), "{says}: {picture}");
}

#[test]
fn the_worst_group_is_first_and_enter_tells_why() {
    let night = Night::planned();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    let rows = stage.picture();
    let row = |group: &str, word: &str| {
        rows.lines()
            .position(|line| line.contains(group) && line.contains(word))
            .expect(&rows)
    };
    assert!(row("harbour", "[x] NO-GO") < row("station", "[x] NO-GO"));
    stage.press("<Enter>");
    shows(&stage, "GATE harbour");
    shows(&stage, "hold by ann: too");
    stage.press("D");
    shows(
        &stage,
        "view only: `watch --operate NAME`, or evenkeel decide go|hold|roll-back --group harbour --by NAME",
    );
    stage.press("<Esc><Down><Enter>");
    shows(&stage, "GATE station");
    shows(&stage, "nobody said how the chargers come back");
    stage.press("c");
    shows(&stage, "To support desk");
    shows(&stage, "station (2 chargers) stays with the old backend");
    let news = stage.press("y");
    let [Effect::Copy(news)] = news.as_slice() else {
        panic!("{news:?}");
    };
    assert!(news.starts_with("To site hosts:\nstation"), "{news}");
    assert!(
        news.contains("station (2 chargers): the gate says NO-GO"),
        "{news}"
    );
    stage.press("<Esc>");
    shows(&stage, "GATE station");
}

#[test]
fn what_is_behind_a_failed_criterion_opens() {
    let night = Night::planned();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.press("4<Enter>");
    assert_eq!(stage.app.crumbs(), ["Gate", "Diffs"]);
    shows(&stage, "filter: finding:F-");
}

#[test]
fn a_silent_tap_is_stale_whatever_the_gate_said() {
    let night = Night::planned();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    stage.now = NOW + 600_000_000;
    stage.tell(Event::Time);
    stage.press("4");
    shows(&stage, "VERDICT  [~] STALE");
    shows(&stage, "the tap is silent; it said NO-GO before");
    stage.press("1");
    shows(&stage, "[~] STALE");
}

#[test]
fn a_group_whose_chargers_have_gone_is_stale_and_needs_a_person() {
    let night = Night::darkened();
    let mut stage = Stage::open(&night, ASCII, (120, 40));
    let picture = stage.picture();
    let row = picture.lines().find(|line| line.contains("[~] STALE"));
    assert!(row.unwrap_or(&picture).contains("ferry"), "{picture}");
    shows(&stage, "[~] ferry STALE since 12:07:40");
    shows(&stage, "its charger is silent; look at the");
    shows(
        &stage,
        "ALERT tap              ferry: its charger is silent",
    );
    shows(&stage, "[x] NO-GO");
    stage.press("/verdict:STALE<Enter><Enter>");
    shows(&stage, "GATE ferry");
    shows(&stage, "VERDICT  [~] STALE");
    shows(&stage, "its charger is silent; it said");
}

#[test]
fn old_evidence_holds_and_a_named_gate_file_comes_first() {
    let night = Night::planned();
    let text = include_str!("gate.toml").replace("failures = 0", "failures = 9");
    let books = Books::open(&night.place())
        .unwrap()
        .gated_by(Criteria::parse(&text).unwrap());
    let said = |now: i64| {
        let books = Books::open(&night.place()).unwrap().looked_at(now);
        let said = books.verdicts().of_groups(&books).unwrap().unwrap();
        said.into_iter()
            .map(|said| (said.group.clone(), said.report.says.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(said(NOW)[0], ("harbour".to_owned(), "NO-GO".to_owned()));
    let books = books.looked_at(NOW + 30 * 86_400_000_000);
    let lenient = books.verdicts().of_groups(&books).unwrap().unwrap();
    let harbour = lenient.iter().find(|said| said.group == "harbour").unwrap();
    assert_eq!(harbour.report.says, "HOLD");
}
