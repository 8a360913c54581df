//! A report as `JUnit` XML: a finding is a test case. One that counts holds one `failure`, never more, since programs that
//! read this count elements; one that is undecided an `error`; one that somebody accepted is `skipped`. What was compared and
//! is free of findings is a case that passes, and so is what an earlier report had and is gone; what was not exercised since is
//! `skipped`.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::ledger::query::Matrix;
use crate::report::escape::markup;
use crate::report::ladder::picture;
use crate::report::model::since::{Change, Was};
use crate::report::model::{Card, Report};

/// The report as a test suite.
pub fn write(report: &Report) -> String {
    let failed = report.findings.iter().filter(|card| card.counts).count();
    let undecided = report.findings.len() - failed;
    let past: Vec<&Was> = (report.since.iter().flat_map(|since| &since.past))
        // Those that people settled stand there with who says so.
        .filter(|was| was.change != Change::Settled)
        .collect();
    let gone = past.iter().filter(|was| was.change == Change::Gone).count();
    let skipped = report.settled.findings.len() + past.len() - gone;
    let passed = passed(report);
    // Writing into a string cannot fail.
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let head = format!(
        "tests=\"{}\" failures=\"{failed}\" errors=\"{undecided}\" skipped=\"{skipped}\"",
        failed + undecided + skipped + gone + passed.len()
    );
    let _ = writeln!(
        out,
        "<testsuites {head}><testsuite name=\"evenkeel {}\" {head} timestamp=\"{}\">",
        markup(&report.id),
        markup(report.head.to.get(..19).unwrap_or(&report.head.to))
    );
    for card in &report.findings {
        case(&mut out, card);
    }
    for finding in &report.settled.findings {
        let reason = finding
            .triage
            .as_ref()
            .map_or("", |triage| triage.reason.as_str());
        let _ = writeln!(
            out,
            "<testcase classname=\"{}\" name=\"{} {}\"><skipped message=\"{}: {}\"/></testcase>",
            finding.state.word(),
            markup(&finding.id),
            markup(&finding.title),
            finding.state.word(),
            markup(reason)
        );
    }
    for was in past {
        let skipped = match was.change {
            Change::Gone => String::new(),
            change => format!(
                "<skipped message=\"{}: {}\"/>",
                change.word(),
                markup(&was.why)
            ),
        };
        let _ = writeln!(
            out,
            "<testcase classname=\"{}\" name=\"{} {}\">{skipped}</testcase>",
            was.change.word(),
            markup(&was.id),
            markup(&was.title)
        );
    }
    for (action, count) in passed {
        let _ = writeln!(
            out,
            "<testcase classname=\"{0}\" name=\"{0}: no finding in {count}\"/>",
            markup(action)
        );
    }
    out + "</testsuite></testsuites>\n"
}

fn case(out: &mut String, card: &Card) {
    let element = if card.counts { "failure" } else { "error" };
    let mut body = format!("{}\n{}\n{}\n", card.place, card.exposure.says, card.why);
    if let Some(since) = &card.since {
        let how = since.how.iter().map(|how| format!(": {how}"));
        let _ = writeln!(body, "{}{}", since.change.word(), how.collect::<String>());
    }
    if let Some(first) = card.exemplars.first()
        && let Some(ladder) = &first.ladder
    {
        let _ = write!(body, "\n{}", picture::text(ladder));
    }
    let _ = writeln!(
        out,
        "<testcase classname=\"{}\" name=\"{} {}\"><{element} type=\"{} {}\" message=\"{}\">{}</{element}></testcase>",
        markup(if card.action.is_empty() {
            "handshake"
        } else {
            &card.action
        }),
        markup(&card.id),
        markup(&card.title),
        card.severity,
        markup(&card.kind),
        markup(&card.title),
        markup(&body)
    );
}

/// Actions that were compared and show nothing, and how often they were.
fn passed(report: &Report) -> Vec<(&str, u64)> {
    let shown: BTreeSet<String> = (report.findings.iter())
        .map(|card| Matrix::key(card.subject, &card.action))
        .collect();
    let actions = report.coverage.actions.iter().map(|action| {
        let compared = action
            .cells
            .iter()
            .map(|cell| cell.matching + cell.divergent)
            .sum();
        (action.name.as_str(), compared)
    });
    actions
        .filter(|(name, compared)| *compared > 0 && !shown.contains(*name))
        .collect()
}
