//! Whole texts: the charger's, and legacy's and the candidate's against each other, line by line.

use ratatui::style::Modifier;
use ratatui::text::{Line, Span};
use similar::{Algorithm, ChangeTag, capture_diff_slices};

use super::Sheet;
use super::words::first;
use crate::report::comparison::{Comparison, Raw};
use crate::watch::personal;
use crate::watch::theme::Tone;

/// Equal lines around a difference that are shown while folded.
const AROUND: usize = 2;

/// Lines of a text that nothing is compared with, while folded.
const FEW: usize = 8;

pub(super) fn lines(sheet: &Sheet<'_>, comparison: &Comparison, lines: &mut Vec<Line<'static>>) {
    let of = |who: &str| comparison.raw.iter().find(|raw| raw.who == who);
    match (of("legacy"), of("candidate")) {
        (Some(legacy), Some(candidate)) => both(sheet, legacy, candidate, lines),
        (one, other) => one
            .into_iter()
            .chain(other)
            .for_each(|raw| alone(sheet, raw, lines)),
    }
    for raw in of("charger").into_iter().chain(of("stand-in")) {
        alone(sheet, raw, lines);
    }
}

fn both(sheet: &Sheet<'_>, legacy: &Raw, candidate: &Raw, lines: &mut Vec<Line<'static>>) {
    let head = format!(
        "raw  L legacy seq {}, C candidate seq {}",
        legacy.seq, candidate.seq
    );
    lines.push(sheet.said(&head, Tone::Head));
    for op in capture_diff_slices(Algorithm::Myers, &legacy.lines, &candidate.lines) {
        let changes: Vec<_> = op.iter_changes(&legacy.lines, &candidate.lines).collect();
        let equal = changes
            .iter()
            .all(|change| change.tag() == ChangeTag::Equal);
        let fold = equal && !sheet.fold.unfolded && changes.len() > 2 * AROUND + 1;
        for (at, change) in changes.iter().enumerate() {
            if fold && at >= AROUND && at + AROUND < changes.len() {
                if at == AROUND {
                    let folded = changes.len() - 2 * AROUND;
                    lines.push(
                        sheet.said(&format!("   {folded} equal lines (u unfolds)"), Tone::Dim),
                    );
                }
                continue;
            }
            let (who, tone) = match change.tag() {
                ChangeTag::Equal => (" ", Tone::Dim),
                ChangeTag::Delete => ("L", Tone::Plain),
                ChangeTag::Insert => ("C", Tone::Bad),
            };
            push(sheet, who, &change.value(), tone, lines);
        }
    }
}

fn alone(sheet: &Sheet<'_>, raw: &Raw, lines: &mut Vec<Line<'static>>) {
    let head = format!("raw  {} seq {}", raw.who, raw.seq);
    lines.push(sheet.said(&head, Tone::Head));
    let shown = if sheet.fold.unfolded {
        raw.lines.len()
    } else {
        raw.lines.len().min(FEW)
    };
    for line in &raw.lines[..shown] {
        push(sheet, " ", line, Tone::Plain, lines);
    }
    if shown < raw.lines.len() {
        let left = raw.lines.len() - shown;
        lines.push(sheet.said(&format!("   {left} more lines (u unfolds)"), Tone::Dim));
    }
}

fn push(sheet: &Sheet<'_>, who: &str, text: &str, tone: Tone, lines: &mut Vec<Line<'static>>) {
    let text = personal::masked_line(text, sheet.look.mask);
    let mut style = sheet.style(tone);
    if who == "L" || who == "C" {
        style = style.add_modifier(Modifier::BOLD);
    }
    let text = first(&text, sheet.width.saturating_sub(3)).to_owned();
    let head = first(&format!("{who}  "), sheet.width).to_owned();
    lines.push(Line::from(vec![
        Span::styled(head, style),
        Span::styled(text, style),
    ]));
}
