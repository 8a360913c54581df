//! Why a finding is taken for real, and what it follows, in sentences.

use crate::ledger::query::Trigger;
use crate::ledger::views::{Cause, Finding};
use crate::report::explain::Place;
use crate::report::veil::Veil;
use crate::report::words::{counted, grouped};

/// Rules that are named among those that did not decide.
const TRIED: usize = 3;

/// Attributes of causes whose values name nobody.
const OPEN: [&str; 4] = ["model", "firmware", "a quirk", "the command before"];

/// Why it is not noise.
pub(super) fn not_noise(finding: &Finding, place: Option<&Place>, veil: &Veil) -> Vec<String> {
    let mut says = Vec::new();
    if let Some(place) = place {
        says.push(format!(
            "Rule {} compares it ({}){}.",
            place.decided.id,
            place.decided.compare,
            stands(&place.decided.file, place.decided.line)
        ));
        let tried: Vec<String> = (place.tried.iter())
            .take(TRIED)
            .map(|tried| format!("{} ({})", tried.id, veil.prose(&tried.why)))
            .collect();
        if !tried.is_empty() {
            let more = place.tried.len().saturating_sub(TRIED);
            let more = if more == 0 {
                String::new()
            } else {
                format!(" and {more} more")
            };
            says.push(format!(
                "No rule explains it; tried before: {}{more}.",
                tried.join(", ")
            ));
        }
    }
    says.push(match &finding.unstable {
        None => "Legacy was not seen to answer equal requests differently there.".to_owned(),
        Some(unstable) => format!(
            "In {} of {} cases legacy itself varies there: {} values in {} equal requests.",
            grouped(unstable.count),
            grouped(finding.count),
            unstable.values,
            grouped(u64::from(unstable.requests))
        ),
    });
    says.push(match finding.quirk {
        None => "It is counted where it begins: what follows from it later in a session is not counted again.".to_owned(),
        Some(row) => format!(
            "It is rooted in an oddity of the charger (row {row} of the catalogue) that legacy copes with and the candidate does not."
        ),
    });
    says
}

fn stands(file: &str, line: usize) -> String {
    let file = file.rsplit('/').next().unwrap_or(file);
    match line {
        0 => String::new(),
        line => format!(", {file} line {line}"),
    }
}

/// The likely cause, with what it rests on.
pub(super) fn likely(cause: &Cause, veil: &Veil) -> String {
    let value = match cause.value.strip_prefix("is ") {
        _ if OPEN.contains(&cause.attribute.as_str()) => crate::report::printable(&cause.value),
        Some(value) => {
            let name = cause
                .attribute
                .rsplit(['.', '/', ' '])
                .next()
                .unwrap_or_default();
            format!("is {}", veil.value(name, value))
        }
        None => veil.prose(&cause.value),
    };
    format!(
        "{} {value}: {} of {} with it differ, {} of {} without",
        crate::report::printable(&veil.prose(&cause.attribute)),
        grouped(cause.with.divergent),
        grouped(cause.with.of),
        grouped(cause.without.divergent),
        grouped(cause.without.of),
    )
}

/// What came before commands, and how soon they followed.
pub(super) fn after(trigger: &Trigger, veil: &Veil) -> String {
    let seconds = |time: i64| time as f64 / 1e6;
    format!(
        "{} {}, {:.1} to {:.1} s before",
        crate::report::printable(&veil.prose(&trigger.after)),
        counted(trigger.count, "time"),
        seconds(trigger.soonest_us),
        seconds(trigger.latest_us),
    )
}
