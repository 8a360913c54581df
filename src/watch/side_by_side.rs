//! A comparison as lines of a terminal: the path list first, in columns where there is room and stacked where there is none.
//!
//! Five marks, the same as everywhere. What differs inside a value is set apart word by word. Runs of equal fields are
//! folded and say how many they are; the whole texts follow when they are asked for.

mod raw;
mod words;

use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

use super::personal;
use super::screen::Look;
use super::table::padded;
use super::text::width as columns_of;
use super::theme::{Tone, tone_of};
use crate::ledger::Mark;
use crate::report::comparison::{Comparison, Row, Section};
use words::{Piece, differing, wrapped};

/// What is shown of a comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fold {
    /// Whole texts too.
    pub raw: bool,
    /// Equal fields one by one.
    pub unfolded: bool,
}

/// Equal fields in a row that are shown one by one all the same.
const FEW: usize = 3;

/// Lines that one value may take while it is folded.
const LINES: usize = 6;

/// The width from which on backends stand in columns of their own.
const COLUMNS: usize = 58;

/// Words for a value that is not there.
const ABSENT: &str = "(absent)";

/// What the columns of the backends are called.
const BACKENDS: [&str; 2] = ["LEGACY", "CANDIDATE"];

/// The comparison as lines of at most `width` columns.
pub fn lines(
    comparison: &Comparison,
    width: u16,
    fold: Fold,
    look: &Look<'_>,
) -> Vec<Line<'static>> {
    lines_of(comparison, BACKENDS, (width, fold), look)
}

/// The same of two things that are called otherwise, by names whose first letters differ.
pub fn lines_of(
    comparison: &Comparison,
    names: [&'static str; 2],
    (width, fold): (u16, Fold),
    look: &Look<'_>,
) -> Vec<Line<'static>> {
    let sheet = Sheet {
        width: usize::from(width),
        names,
        fold,
        look,
    };
    let mut lines = Vec::new();
    for section in &comparison.sections {
        sheet.section(section, &mut lines);
    }
    if fold.raw {
        raw::lines(&sheet, comparison, &mut lines);
    }
    lines
}

/// How many fields have which mark: `2 divergent  1 equal  1 explained`.
pub fn summary(comparison: &Comparison) -> String {
    let told = [
        Mark::Divergent,
        Mark::Equal,
        Mark::Explained,
        Mark::NotComparable,
        Mark::Synthetic,
    ];
    let counts = told.into_iter().filter_map(|mark| {
        let count = comparison.count(mark);
        (count > 0).then(|| format!("{count} {}", mark.word()))
    });
    let said = counts.collect::<Vec<_>>().join("  ");
    if said.is_empty() {
        "no fields".to_owned()
    } else {
        said
    }
}

/// What every line is laid out by.
struct Sheet<'a> {
    width: usize,
    names: [&'static str; 2],
    fold: Fold,
    look: &'a Look<'a>,
}

impl Sheet<'_> {
    fn style(&self, tone: Tone) -> Style {
        self.look.theme.style(tone)
    }

    /// A line of one piece, cut to the width.
    fn said(&self, text: &str, tone: Tone) -> Line<'static> {
        let room = u16::try_from(self.width).unwrap_or(u16::MAX);
        let text = padded(text, room, false);
        Line::styled(text.trim_end().to_owned(), self.style(tone))
    }

    fn section(&self, section: &Section, lines: &mut Vec<Line<'static>>) {
        let note = self.look.mask.text(&section.note);
        lines.push(self.said(&format!("{}  {note}", section.title), Tone::Head));
        let named = section
            .rows
            .iter()
            .any(|row| row.legacy.is_some() || row.candidate.is_some() || row.wire.is_some());
        if named && self.in_columns(section) {
            lines.push(self.heads(section));
        }
        let mut rows = section.rows.as_slice();
        let mut told = "";
        while let Some((row, rest)) = rows.split_first() {
            let equal = rows.iter().take_while(|row| row.mark == Mark::Equal);
            let run = equal.count();
            if run > FEW && !self.fold.unfolded {
                // Fields that have no rows belong to a run that reaches the end.
                let more = if run == rows.len() { section.more } else { 0 };
                lines.push(self.folded(run + more));
                rows = &rows[run..];
                continue;
            }
            self.row(section, row, lines);
            if !row.why.is_empty() && row.why != told {
                lines.push(self.said(
                    &format!("     {}", self.look.mask.text(&row.why)),
                    Tone::Dim,
                ));
            }
            told = row.why.as_str();
            rows = rest;
        }
        let last = section.rows.iter().rev();
        let run = last.take_while(|row| row.mark == Mark::Equal).count();
        if section.more > 0 && (run <= FEW || self.fold.unfolded) {
            lines.push(self.folded(section.more));
        }
    }

    fn folded(&self, run: usize) -> Line<'static> {
        self.said(&format!("=  {run} equal fields (u unfolds)"), Tone::Dim)
    }

    fn in_columns(&self, section: &Section) -> bool {
        let needed = if section.three_way {
            COLUMNS + COLUMNS / 4
        } else {
            COLUMNS
        };
        self.width >= needed
    }

    /// Widths of the path and of each value.
    fn widths(&self, section: &Section) -> (usize, usize) {
        let values = if section.three_way { 3 } else { 2 };
        let paths = section.rows.iter().map(|row| columns_of(&row.path));
        let longest = paths.max().unwrap_or_default();
        let path = (self.width * 3 / 10).clamp(8, 34).min(longest.max(4) + 1);
        let left = self.width.saturating_sub(3 + path + 1);
        (path, (left / values).saturating_sub(1).max(4))
    }

    fn heads(&self, section: &Section) -> Line<'static> {
        let (path, value) = self.widths(section);
        let mut text = format!("   {:path$} ", "path");
        let wire = section.three_way.then_some("WIRE TRUTH");
        for head in wire.into_iter().chain(self.names) {
            text += &padded(head, u16::try_from(value).unwrap_or(u16::MAX), false);
            text.push(' ');
        }
        self.said(&text, Tone::Dim)
    }

    fn row(&self, section: &Section, row: &Row, lines: &mut Vec<Line<'static>>) {
        // What is said of the whole has no values to set side by side.
        if [&row.wire, &row.legacy, &row.candidate]
            .iter()
            .all(|value| value.is_none())
        {
            let path = Span::raw(row.path.clone());
            let mark = Span::styled(format!("{}  ", row.mark.char()), self.mark(row.mark));
            lines.push(trimmed(vec![mark, path], self.width));
            return;
        }
        let [wire, legacy, candidate] = self.values(row);
        let sides = match (&row.legacy, &row.candidate) {
            (Some(_), Some(_)) if row.mark != Mark::Equal => differing(&legacy, &candidate),
            _ => [vec![Piece::same(&legacy)], vec![Piece::same(&candidate)]],
        };
        if self.in_columns(section) {
            self.across(section, row, &wire, sides, lines);
        } else {
            self.stacked(section, row, &wire, sides, lines);
        }
    }

    /// Wire, legacy and candidate as they may be shown.
    fn values(&self, row: &Row) -> [String; 3] {
        [&row.wire, &row.legacy, &row.candidate].map(|value| match value {
            Some(value) => personal::masked(&row.path, value, self.look.mask),
            None => ABSENT.to_owned(),
        })
    }

    fn across(
        &self,
        section: &Section,
        row: &Row,
        wire: &str,
        [legacy, candidate]: [Vec<Piece>; 2],
        lines: &mut Vec<Line<'static>>,
    ) {
        let (path_width, value_width) = self.widths(section);
        let mut cells = Vec::new();
        if section.three_way {
            let wire = if row.wire.is_some() { wire } else { "-" };
            cells.push(wrapped(vec![Piece::same(wire)], value_width));
        }
        cells.push(wrapped(legacy, value_width));
        cells.push(wrapped(candidate, value_width));
        let path = wrapped(vec![Piece::same(&row.path)], path_width);
        let tall = cells.iter().chain([&path]).map(Vec::len).max().unwrap_or(1);
        let shown = self.tall(tall);
        for at in 0..shown {
            let mut spans = vec![if at == 0 {
                Span::styled(format!("{}  ", row.mark.char()), self.mark(row.mark))
            } else {
                Span::raw("   ")
            }];
            spans.extend(self.cell(path.get(at), path_width, Tone::Plain, row.mark));
            for cell in &cells {
                spans.extend(self.cell(cell.get(at), value_width, tone(row.mark), row.mark));
            }
            lines.push(trimmed(spans, self.width));
        }
        self.rest(tall - shown, lines);
    }

    fn stacked(
        &self,
        section: &Section,
        row: &Row,
        wire: &str,
        [legacy, candidate]: [Vec<Piece>; 2],
        lines: &mut Vec<Line<'static>>,
    ) {
        let tone = tone(row.mark);
        let room = self.width.saturating_sub(3).max(1);
        let path = padded(&row.path, u16::try_from(room).unwrap_or(u16::MAX), false);
        lines.push(trimmed(
            vec![
                Span::styled(format!("{}  ", row.mark.char()), self.mark(row.mark)),
                Span::raw(path.trim_end().to_owned()),
            ],
            self.width,
        ));
        // What is equal is said once.
        let mut sides = Vec::new();
        if section.three_way && row.wire.is_some() {
            sides.push(("W", vec![Piece::same(wire)]));
        }
        if row.mark == Mark::Equal {
            sides.push(("=", candidate));
        } else {
            let [ours, theirs] = self.names.map(|name| &name[..1]);
            sides.push((ours, legacy));
            sides.push((theirs, candidate));
        }
        for (who, pieces) in sides {
            let value = wrapped(pieces, self.width.saturating_sub(6).max(1));
            let shown = self.tall(value.len());
            let left = value.len() - shown;
            for (at, pieces) in value.into_iter().take(shown).enumerate() {
                let who = if at == 0 { who } else { " " };
                let mut spans = vec![Span::styled(format!("   {who}  "), self.style(Tone::Dim))];
                spans.extend(self.pieces(&pieces, tone, row.mark));
                lines.push(trimmed(spans, self.width));
            }
            self.rest(left, lines);
        }
    }

    /// How many of so many lines of a value are shown.
    fn tall(&self, lines: usize) -> usize {
        if self.fold.unfolded {
            lines
        } else {
            lines.min(LINES)
        }
    }

    fn rest(&self, left: usize, lines: &mut Vec<Line<'static>>) {
        if left > 0 {
            lines.push(self.said(&format!("     {left} more lines (u unfolds)"), Tone::Dim));
        }
    }

    fn mark(&self, mark: Mark) -> Style {
        self.style(tone_of(mark.char()))
    }

    /// One line of a cell, filled to its width.
    fn cell(
        &self,
        pieces: Option<&Vec<Piece>>,
        width: usize,
        tone: Tone,
        mark: Mark,
    ) -> Vec<Span<'static>> {
        let none = Vec::new();
        let pieces = pieces.unwrap_or(&none);
        let used: usize = pieces.iter().map(|piece| columns_of(&piece.text)).sum();
        let mut spans = self.pieces(pieces, tone, mark);
        spans.push(Span::raw(" ".repeat(width.saturating_sub(used) + 1)));
        spans
    }

    fn pieces(&self, pieces: &[Piece], tone: Tone, mark: Mark) -> Vec<Span<'static>> {
        let apart = self.mark(mark).add_modifier(Modifier::UNDERLINED);
        let styled = |piece: &Piece| {
            let style = if piece.apart { apart } else { self.style(tone) };
            Span::styled(piece.text.clone(), style)
        };
        pieces.iter().map(styled).collect()
    }
}

/// Values that are equal matter less.
fn tone(mark: Mark) -> Tone {
    if mark == Mark::Equal {
        Tone::Dim
    } else {
        Tone::Plain
    }
}

/// A line that does not reach beyond its width.
fn trimmed(spans: Vec<Span<'static>>, width: usize) -> Line<'static> {
    let mut used = 0;
    let mut kept = Vec::new();
    for span in spans {
        let wide = span.width();
        if used + wide <= width {
            used += wide;
            kept.push(span);
            continue;
        }
        let room = u16::try_from(width - used).unwrap_or(u16::MAX);
        let cut = words::first(&span.content, usize::from(room)).to_owned();
        kept.push(Span::styled(cut, span.style));
        break;
    }
    while kept
        .last()
        .is_some_and(|span| span.content.trim().is_empty())
    {
        kept.pop();
    }
    Line::from(kept)
}

#[cfg(test)]
mod tests;
