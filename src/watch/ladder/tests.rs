use std::collections::BTreeSet;

use super::*;
use crate::ledger::query::Item;
use crate::ledger::row::Subject;
use crate::watch::text::Zone;
use crate::watch::theme::{Colours, Theme};

fn item(
    subject: Subject,
    id: u64,
    action: &str,
    facts: [u64; 3],
    sent: u64,
    outcome: &str,
) -> Item {
    Item {
        subject,
        id,
        at: id as i64 * 1_000_000,
        conn: 1,
        action: action.to_owned(),
        authority: "legacy".to_owned(),
        outcome: outcome.to_owned(),
        reason: String::new(),
        detail: String::new(),
        severity: None,
        facts,
        sent,
        answered_us: [Some(41_000), Some(63_000)],
        queue_us: Some(500),
        findings: Vec::new(),
    }
}

fn exchange(id: u64, action: &str, outcome: &str) -> Item {
    item(
        Subject::Exchange,
        id,
        action,
        [id, id + 2, id + 3],
        id + 1,
        outcome,
    )
}

/// A session: the answers of the second exchange come only after the third has begun.
fn story() -> Story {
    let mut late = exchange(14, "StartTransaction", "explained");
    late.facts = [14, 20, 21];
    let mut silent = item(
        Subject::Exchange,
        40,
        "StopTransaction",
        [40, 42, 0],
        41,
        "divergent",
    );
    silent.findings = vec!["F-AAAAAAAA".to_owned(), "F-BBBBBBBB".to_owned()];
    let mut fenced = item(Subject::Command, 50, "Reset", [0, 0, 50], 0, "divergent");
    fenced.findings = vec!["F-CCCCCCCC".to_owned()];
    let mut withheld = item(
        Subject::Exchange,
        60,
        "Heartbeat",
        [60, 61, 0],
        0,
        "not comparable",
    );
    withheld.reason = "shadow-gap".to_owned();
    let items = vec![
        exchange(10, "Authorize", "equal"),
        late,
        exchange(16, "StatusNotification", "equal"),
        exchange(24, "MeterValues", "equal"),
        exchange(28, "MeterValues", "equal"),
        exchange(32, "MeterValues", "equal"),
        silent,
        fenced,
        withheld,
    ];
    let said = [
        (12, "Accepted"),
        (13, "Accepted"),
        (20, "tx 101"),
        (21, "tx 701"),
        (18, "{}"),
        (19, "{}"),
        (42, "Accepted"),
        (61, "{}"),
    ];
    Story {
        items,
        said: said.map(|(seq, text)| (seq, text.to_owned())).into(),
        fates: [
            (40, "no answer in 30.0 s"),
            (50, "answered from model"),
            (60, "candidate away"),
        ]
        .map(|(id, text)| (id, text.to_owned()))
        .into(),
        events: vec![Event {
            seq: 58,
            at: 58_000_000,
            says: "gap: 2 frames from the charger (hand-over full)".to_owned(),
            loss: true,
        }],
    }
}

const PLAIN: Theme = Theme {
    colours: Colours::None,
    unicode: false,
};

fn drawn(story: &Story, unfolded: bool, width: usize, theme: Theme) -> String {
    let steps = story.steps(&BTreeSet::new(), unfolded);
    let lines = lanes(story, &steps, ("CP1", 10_000_000), width, theme);
    lines.into_iter().map(|line| line.text + "\n").collect()
}

#[test]
fn lanes_follow_the_tap_and_fold_what_is_equal() {
    insta::assert_snapshot!(drawn(&story(), false, 76, PLAIN));
}

#[test]
fn unfolded_lanes_show_every_message() {
    let text = drawn(&story(), true, 76, PLAIN);
    assert_eq!(text.matches("-- MeterValues --").count(), 3, "{text}");
    assert!(!text.contains("all equal"), "{text}");
}

#[test]
fn a_candidate_in_charge_is_reached_across_legacys_lane() {
    let mut story = story();
    for item in &mut story.items {
        item.authority = "candidate".to_owned();
    }
    insta::assert_snapshot!(drawn(
        &story,
        false,
        76,
        Theme {
            unicode: true,
            ..PLAIN
        }
    ));
}

#[test]
fn narrow_screens_have_a_row_for_each_step() {
    let story = story();
    let steps = story.steps(&BTreeSet::new(), false);
    let said: Vec<String> = rows(&story, &steps, Zone::Fixed(0))
        .into_iter()
        .map(|cells| {
            cells
                .iter()
                .map(|cell| cell.text.as_ref())
                .collect::<Vec<_>>()
                .join(" | ")
        })
        .collect();
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(steps.len(), said.len());
}

#[test]
fn a_run_unfolds_by_itself() {
    let story = story();
    let folded = story.steps(&BTreeSet::new(), false);
    assert_eq!(folded[3], Step::Run(3, 6));
    let open = story.steps(&BTreeSet::from([24]), false);
    assert_eq!(open.len(), folded.len() + 2);
    assert_eq!(story.begins(&open[3]), 24);
}

#[test]
fn no_width_is_too_small() {
    for width in 1..=200 {
        for theme in [
            PLAIN,
            Theme {
                unicode: true,
                ..PLAIN
            },
        ] {
            let story = story();
            let steps = story.steps(&BTreeSet::new(), true);
            for line in lanes(&story, &steps, ("CP1", 0), width, theme) {
                assert!(
                    crate::watch::text::width(&line.text) <= width,
                    "{width}: {}",
                    line.text
                );
            }
        }
    }
}

#[test]
fn times_can_be_compared_down_a_column() {
    assert_eq!(
        [-41_000, 41_000, 93_770_000, 10_931_000_000].map(since),
        ["-0.041", "0.041", "1:33.7", "3:02:11"]
    );
}
