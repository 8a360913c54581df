//! A report as Markdown: the text of a mail, and one finding for somebody's tracker.

use std::fmt::Write as _;

use crate::ledger::Mark;
use crate::report::escape::markdown as escaped;
use crate::report::ladder::picture;
use crate::report::model::{Audience, Card, Report};

/// Findings that the mail lists.
const LISTED: usize = 25;

/// Rows of a comparison that a finding shows here.
const ROWS: usize = 20;

/// The text of the mail that a report goes with.
pub fn summary(report: &Report) -> String {
    let mut out = format!("# {}\n\n", title(report));
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{}\n", what(report));
    if let Some(gate) = &report.gate {
        let _ = writeln!(out, "**{}**\n", escaped(&gate.says));
        for why in &gate.why {
            let _ = writeln!(out, "- {}", escaped(why));
        }
        out.push('\n');
    }
    for sentence in &report.summary.words {
        let _ = writeln!(out, "{}", escaped(sentence));
    }
    list(&mut out, report);
    past(&mut out, report);
    if !report.settled.findings.is_empty() {
        let _ = writeln!(
            out,
            "\n{} findings are accepted or fixed; they are in the report with who says so.",
            report.settled.findings.len()
        );
    }
    out.push_str("\n## What shadow traffic cannot prove\n\n");
    for item in &report.unproven {
        let _ = writeln!(out, "- {item}");
    }
    let _ = write!(
        out,
        "\n## How to read and check it\n\n\
         `report.html` is one file: it opens without a network and without scripts. `report.json` holds the same as data \
         (`report.schema.json`), `report.sarif` and `junit.xml` the findings for programs. `bundles/`, if it is there, holds \
         the smallest series of messages that shows each: `evenkeel replay bundles --target ws://YOUR-TEST/ocpp --results results.json` plays \
         them against your backend and says FIXED or STILL DIVERGES; send `results.json` back.\n\n\
         `MANIFEST` lists the SHA-256 of every file: `sha256sum -c MANIFEST` in the unpacked folder, or `evenkeel verify` on \
         the archive, says whether anything was altered.\n\n\
         Names of chargers, tags and everything else that may lead to a person are pseudonyms (key {}): the same name has \
         the same pseudonym throughout. Models, firmware and error codes are real.{}\n",
        report.head.pseudonyms.key,
        if report.head.pseudonyms.times_shifted {
            " All times are shifted by one constant."
        } else {
            ""
        }
    );
    out
}

/// What the report is called.
pub fn title(report: &Report) -> String {
    let about = match &report.head.group {
        Some(group) => format!("group {}", escaped(group)),
        None => "all chargers".to_owned(),
    };
    match report.audience {
        Audience::Vendor => format!("What differs on the candidate: {about}"),
        Audience::SignOff => format!("Sign-off: {about}"),
    }
}

fn what(report: &Report) -> String {
    let head = &report.head;
    let builds = |builds: &[String]| match builds {
        [] => "of an unknown build".to_owned(),
        builds => format!("build {}", escaped(&builds.join(", "))),
    };
    let chargers: u64 = head.chargers.iter().map(|kind| kind.count).sum();
    format!(
        "Report {} for {}. Legacy {}, candidate {}; {} chargers, {} to {}.",
        report.id,
        escaped(&head.recipient),
        builds(&head.legacy_builds),
        builds(&head.candidate_builds),
        chargers,
        head.from,
        head.to
    )
}

fn list(out: &mut String, report: &Report) {
    if report.findings.is_empty() {
        return;
    }
    out.push_str("\n| | Finding | What | How often |\n|---|---|---|---|\n");
    for card in report.findings.iter().take(LISTED) {
        let change = card
            .since
            .as_ref()
            .map_or_else(String::new, |since| format!(" ({})", since.change.word()));
        let _ = writeln!(
            out,
            "| {} | {}{change} | {} | {} |",
            card.severity,
            card.id,
            escaped(&card.title),
            escaped(&card.exposure.says)
        );
    }
    let more = report.findings.len().saturating_sub(LISTED);
    if more > 0 {
        let _ = writeln!(out, "\n{more} more are in the report.");
    }
}

/// What an earlier report had and this one does not.
fn past(out: &mut String, report: &Report) {
    let past = report.since.iter().flat_map(|since| &since.past);
    for (at, was) in past.enumerate() {
        if at == 0 {
            out.push_str("\nNo longer open:\n\n");
        }
        let _ = writeln!(
            out,
            "- {} {}: {} ({}: {})",
            was.severity,
            was.id,
            escaped(&was.title),
            was.change.word(),
            escaped(&was.why)
        );
    }
}

/// One finding, to be pasted into a tracker.
pub fn card(card: &Card) -> String {
    let mut out = format!(
        "## {} {}: {}\n\n",
        card.severity,
        card.id,
        escaped(&card.title)
    );
    for (name, text) in [
        ("Where", &card.place),
        ("How often", &card.exposure.says),
        ("Why it matters", &card.why),
        ("What closes it", &card.closes),
    ] {
        let _ = writeln!(out, "- **{name}:** {}", escaped(text));
    }
    if let Some(clause) = &card.protocol {
        let _ = writeln!(
            out,
            "- **{}:** {}",
            escaped(&clause.section),
            escaped(&clause.says)
        );
    }
    if let Some(command) = card.reproduce.as_ref().and_then(|it| it.command.as_ref()) {
        let _ = writeln!(out, "- **To see it again:** `{command}`");
    }
    let Some(first) = card.exemplars.first() else {
        return out;
    };
    out.push_str("\n| | Field | Legacy | Candidate |\n|---|---|---|---|\n");
    let rows = first
        .comparison
        .sections
        .iter()
        .flat_map(|section| &section.rows);
    for row in rows.filter(|row| row.mark != Mark::Equal).take(ROWS) {
        let value = |value: &Option<String>| {
            value
                .as_deref()
                .map_or_else(|| "(absent)".to_owned(), escaped)
        };
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            escaped(&row.mark.char().to_string()),
            escaped(&row.path),
            value(&row.legacy),
            value(&row.candidate)
        );
    }
    if let Some(ladder) = &first.ladder {
        let _ = write!(
            out,
            "\n```text\n{}```\n",
            picture::text(ladder).replace("```", "'''")
        );
    }
    out
}
