//! The ladder in words: one line a step, for who cannot see the drawing, and for text that is mailed.

use std::fmt::Write as _;

use super::{Lane, Line, Picture, Stroke};

/// One line for each line of the drawing.
pub fn text(picture: &Picture) -> String {
    let mut out = String::new();
    for line in &picture.lines {
        let mark = line.mark.map_or(' ', crate::ledger::Mark::char);
        let here = if line.here { '>' } else { ' ' };
        // Writing into a string cannot fail.
        let _ = writeln!(out, "{here}{mark} {:>8}  {}", line.since, says(line));
    }
    if picture.folded > 0 {
        let _ = writeln!(
            out,
            "             {} equal steps are left out",
            picture.folded
        );
    }
    out
}

fn says(line: &Line) -> String {
    let arrow = match line.stroke {
        Stroke::Live => "->",
        Stroke::Copy => "~>",
        Stroke::Nothing => {
            return format!("{:<9}     ({})", line.to.word(), line.label);
        }
    };
    let Line {
        from, to, label, ..
    } = line;
    let widest = Lane::Candidate.word().len();
    format!(
        "{:<widest$} {arrow} {:<widest$}  {label}",
        from.word(),
        to.word()
    )
}
