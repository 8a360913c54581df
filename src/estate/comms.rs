//! What to tell those who wait for news of a group: three sentences each, made of the gate's result, the decision log and the
//! switches. People send them; nothing here does.

use std::fmt::Write as _;

use super::gate::report::{Outcome, Report, Stage, Told};
use super::switches::Switch;
use crate::facts::Leg;
use crate::ledger::views::rfc3339;

/// Chargers that are named at most.
const NAMED: usize = 5;

/// A text for one kind of people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Whom it is for.
    pub to: &'static str,
    /// What to tell them.
    pub says: [String; 3],
}

/// The texts for site hosts, support desk and vendor about a group and its last switch, if there was one. Times are UTC.
pub fn messages(report: &Report, switch: Option<&Switch>) -> [Message; 3] {
    [
        Message {
            to: "site hosts",
            says: [stands(report, switch), on_site(switch), next(report)],
        },
        Message {
            to: "support desk",
            says: [
                stands(report, switch),
                drivers(report, switch),
                undo(report),
            ],
        },
        Message {
            to: "vendor",
            says: [verdict(report), why(report), to_go(report)],
        },
    ]
}

/// The texts, one below the other.
pub fn text(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "To {}:\n{}\n", message.to, message.says.join(" "));
    }
    text.truncate(text.trim_end().len());
    text + "\n"
}

fn group(report: &Report) -> String {
    let chargers = match report.evidence.chargers {
        1 => "1 charger".to_owned(),
        chargers => format!("{chargers} chargers"),
    };
    match &report.group {
        Some(group) => format!("{group} ({chargers})"),
        None => format!("all groups ({chargers})"),
    }
}

/// Hours and minutes of an RFC 3339 instant.
fn clock(at: &str) -> &str {
    at.get(11..16).unwrap_or(at)
}

/// The newest decision about where the group goes.
fn decided(report: &Report) -> Option<&Told> {
    let moves = ["go", "hold", "roll-back"];
    let decisions = report.decisions.iter().rev();
    decisions.into_iter().find(|it| moves.contains(&it.decided))
}

/// Where the group is, in words that need no explanation.
fn stands(report: &Report, switch: Option<&Switch>) -> String {
    let group = group(report);
    if let Some(switch) = switch {
        let (back, all) = (switch.back.len(), switch.chargers.len());
        let began = rfc3339(switch.began);
        let began = clock(&began);
        let way = match switch.to {
            Leg::Candidate => "moved to the new backend",
            Leg::Legacy => "taken back to the old backend",
        };
        return match switch.ended {
            None => format!(
                "{group} is being {way} since {began} UTC: {back} of {all} chargers have arrived."
            ),
            Some(_) if back == all => {
                format!("{group} was {way} at {began} UTC: all {all} chargers have arrived.")
            }
            Some(_) => {
                format!("{group} was {way} at {began} UTC: {back} of {all} chargers have arrived.")
            }
        };
    }
    let when = decided(report).map_or_else(String::new, |it| format!(" at {} UTC", clock(&it.at)));
    match report.stage {
        Stage::Shadow | Stage::Signed => {
            format!("{group} stays with the old backend: nothing has changed.")
        }
        Stage::Held => format!("{group} stays with the old backend for now, as was decided{when}."),
        Stage::Going => format!(
            "{group} is to move to the new backend, as was decided{when}: no charger has moved yet."
        ),
        Stage::RolledBack => {
            format!("{group} is to go back to the old backend, as was decided{when}.")
        }
    }
}

/// What there is to do on site.
fn on_site(switch: Option<&Switch>) -> String {
    let Some(switch) = switch else {
        return "Nothing is to be done on site.".to_owned();
    };
    if switch.missing.is_empty() {
        return format!(
            "Nothing is to be done on site: no charger was away for more than {} s.",
            switch.longest_outage.max(0) as u64 / 1_000_000 + 1
        );
    }
    let named: Vec<&str> = switch
        .missing
        .iter()
        .map(AsRef::as_ref)
        .take(NAMED)
        .collect();
    let more = switch.missing.len() - named.len();
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!(
        "Please look at {}{more} (not back in time).",
        named.join(", ")
    )
}

/// What drivers may ask about.
fn drivers(report: &Report, switch: Option<&Switch>) -> String {
    let open = match report.undo.open_sessions {
        0 => "No session is under way".to_owned(),
        1 => "1 session is under way".to_owned(),
        open => format!("{open} sessions are under way"),
    };
    match switch {
        None => format!("{open}."),
        Some(_) => {
            format!("{open}; one that was open when its charger moved goes on and is billed once.")
        }
    }
}

/// How it is undone, and until when.
fn undo(report: &Report) -> String {
    let undo = &report.undo;
    let way = match undo.path.as_str() {
        "" => return "Nobody has said how the chargers would come back.".to_owned(),
        path => path,
    };
    let takes = undo.takes_s.map_or_else(String::new, |takes| {
        format!(", in about {} min", takes.div_ceil(60))
    });
    let last = undo.last_safe_start.as_ref();
    let last = last.map_or_else(String::new, |at| format!(", if begun by {} UTC", clock(at)));
    format!("The chargers can come back by {way}{takes}{last}.")
}

/// When there is more to tell.
fn next(report: &Report) -> String {
    match report.people.communications.as_slice() {
        [] => "No further news is planned.".to_owned(),
        planned => format!("News is planned for: {}.", planned.join("; ")),
    }
}

fn verdict(report: &Report) -> String {
    let count = |outcome| report.counts.get(&outcome).copied().unwrap_or(0);
    let build = match report.evidence.build.as_str() {
        "" => String::new(),
        build => format!(" with build {build}"),
    };
    format!(
        "{}: the gate says {}{build}, as of {} UTC; of {} criteria {} met, {} failed.",
        group(report),
        report.says,
        clock(&report.as_of),
        report.criteria.len(),
        count(Outcome::Met),
        count(Outcome::Failed),
    )
}

fn why(report: &Report) -> String {
    match report.why.as_slice() {
        [] => "Nothing that blocks has failed or is missing.".to_owned(),
        why => format!("Why: {}.", why.join("; ")),
    }
}

fn to_go(report: &Report) -> String {
    match report.to_go.as_slice() {
        [] => "Nothing is asked of you now.".to_owned(),
        to_go => format!("What would make it GO: {}.", to_go.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::estate::gate::report::{Looked, People, Undo};
    use crate::estate::gate::{Asked, Gate, weigh};
    use crate::ledger::evidence::Evidence;

    fn report(stage: Stage) -> Report {
        let gate = Gate::read(crate::estate::gate::file::DEFAULT).unwrap();
        let asked = Asked {
            group: Some("harbour".to_owned()),
            now: 0,
            is_checkpoint: false,
            gate_hash: String::new(),
        };
        let report = weigh(&gate, &Evidence::default(), &asked);
        Report {
            stage,
            evidence: Looked {
                chargers: 3,
                build: "2.4.1".to_owned(),
                ..report.evidence
            },
            undo: Undo {
                path: "tap".to_owned(),
                takes_s: Some(200),
                last_safe_start: Some("2026-12-02T04:24:00.000Z".to_owned()),
                open_sessions: 2,
                ..Undo::default()
            },
            people: People {
                communications: vec!["02:30 site hosts".to_owned()],
                ..People::default()
            },
            why: vec!["A1 is thin".to_owned()],
            to_go: vec!["A1: wait".to_owned()],
            ..report
        }
    }

    fn switch(ended: Option<i64>, missing: &[&str]) -> Switch {
        let of = |names: &[&str]| -> BTreeSet<Arc<str>> {
            names.iter().map(|&name| Arc::from(name)).collect()
        };
        let all = of(&["a", "b", "c"]);
        let missing = of(missing);
        Switch {
            number: 1,
            to: Leg::Candidate,
            began: 7_620_000_000,
            ended,
            back: all.difference(&missing).cloned().collect(),
            chargers: all,
            missing,
            kept: BTreeSet::new(),
            longest_outage: 13_200_000,
        }
    }

    #[test]
    fn nothing_has_changed_for_who_is_only_shadowed() {
        let [site, desk, vendor] = messages(&report(Stage::Shadow), None);
        assert_eq!(
            site.says.join(" "),
            "harbour (3 chargers) stays with the old backend: nothing has changed. Nothing is to be done on site. News is \
             planned for: 02:30 site hosts."
        );
        assert_eq!(
            desk.says[1..].join(" "),
            "2 sessions are under way. The chargers can come back by tap, in about 4 min, if begun by 04:24 UTC."
        );
        assert!(vendor.says[0].contains("the gate says HOLD with build 2.4.1"));
        assert_eq!(
            vendor.says[1..].join(" "),
            "Why: A1 is thin. What would make it GO: A1: wait."
        );
    }

    #[test]
    fn a_switch_is_told_as_it_goes_and_who_is_missing_is_named() {
        let going = report(Stage::Going);
        let [site, desk, _] = messages(&going, Some(&switch(None, &["b", "c"])));
        assert_eq!(
            site.says[..2].join(" "),
            "harbour (3 chargers) is being moved to the new backend since 02:07 UTC: 1 of 3 chargers have arrived. Please look \
             at b, c (not back in time)."
        );
        assert!(desk.says[1].ends_with("goes on and is billed once."));
        let [site, ..] = messages(&going, Some(&switch(Some(9), &[])));
        assert_eq!(
            site.says[..2].join(" "),
            "harbour (3 chargers) was moved to the new backend at 02:07 UTC: all 3 chargers have arrived. Nothing is to be \
             done on site: no charger was away for more than 14 s."
        );
        // Before the tap acts, what counts is what was decided.
        let [site, ..] = messages(&going, None);
        assert!(
            site.says[0].ends_with("no charger has moved yet."),
            "{site:?}"
        );
    }

    #[test]
    fn every_text_is_whole_and_names_whom_it_is_for() {
        let told = text(&messages(&report(Stage::Held), None));
        assert!(
            told.starts_with("To site hosts:\n") && told.ends_with(".\n"),
            "{told}"
        );
        assert_eq!(told.matches("\n\nTo ").count(), 2);
    }
}
