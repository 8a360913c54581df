//! The page that stands here without a gate file: no verdict is made up, and what was found so far is told instead.

use ratatui::text::Line;

use super::Data;
use crate::ledger::query::Outcomes;
use crate::report::printable;
use crate::watch::pane;
use crate::watch::screen::Look;
use crate::watch::text::{count_of, grouped};
use crate::watch::theme::{Mark, Tone};

/// Why there is no verdict, and what to do about it.
const NO_FILE: &str = "No gate file was loaded with this recording, so nobody can say whether chargers may move. A gate file lists \
    criteria: what is needed, on how many samples of each model and action, and which of them block. The verdict is that of the worst \
    blocking criterion, never an average; what was not exercised counts as HOLD. `evenkeel init --gate` writes one; `watch --gate FILE` looks through it, and `gate` in the estate of the \
    configuration has the tap record it.";

/// What is known, as lines of this width.
pub(super) fn lines(data: &Data, width: u16, look: &Look<'_>) -> Vec<Line<'static>> {
    let style = |tone| look.theme.style(tone);
    let verdict = format!(
        "VERDICT  {} none: no gate file",
        look.theme.mark(Mark::Absent)
    );
    let mut lines = vec![Line::styled(verdict, style(Tone::Head)), Line::raw("")];
    lines.extend(pane::broken(NO_FILE, width, style(Tone::Plain)));
    lines.push(Line::raw(""));
    lines.push(Line::styled(
        "What a gate would have to judge by so far",
        style(Tone::Head),
    ));
    for (name, seen) in &data.outcomes {
        lines.extend(pane::broken(&told(name, seen), width, style(Tone::Plain)));
    }
    for count in &data.findings {
        let says = format!(
            "  {} {:<10} {}, seen {}",
            count.severity.code(),
            printable(&count.state),
            count_of(count.findings, "finding"),
            count_of(count.seen, "time")
        );
        let open = matches!(count.state.as_str(), "new" | "regressed");
        lines.push(Line::styled(
            says,
            style(if open { Tone::Warn } else { Tone::Dim }),
        ));
    }
    if data.findings.is_empty() {
        lines.push(Line::raw(
            "  no findings; v shows what was exercised at all",
        ));
    }
    lines
}

fn told(name: &str, seen: &Outcomes) -> String {
    let not: u64 = seen.not_comparable.values().sum();
    match seen.comparable() {
        0 => format!(
            "  {name:<10} not exercised ({} not comparable)",
            grouped(not)
        ),
        compared => format!(
            "  {name:<10} {} of {} differ; {} not comparable, {} pending",
            grouped(seen.divergent),
            grouped(compared),
            grouped(not),
            grouped(seen.pending)
        ),
    }
}
