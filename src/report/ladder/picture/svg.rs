//! The ladder as SVG. Colours and fonts come from the document's style sheet, so that it follows light, dark and print.

use std::fmt::Write as _;

use super::{Lane, Line, Picture, Stroke};
use crate::report::escape::markup;

/// Where the lanes stand, and how wide it all is.
const LANES: [u32; 3] = [110, 380, 650];
const WIDTH: u32 = 760;

/// Height of the head, and of each line.
const HEAD: u32 = 34;
const LINE: u32 = 30;

/// The drawing. `title` says what it shows, for who hears the page.
pub fn svg(picture: &Picture, title: &str) -> String {
    let height = HEAD + LINE * picture.lines.len().max(1) as u32 + 10;
    let mut out = format!(
        "<svg class=\"ladder\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-label=\"{}\">",
        markup(title)
    );
    for (lane, x) in Lane::ALL.into_iter().zip(LANES) {
        // Writing into a string cannot fail.
        let _ = write!(
            out,
            "<text class=\"lane-name\" x=\"{x}\" y=\"16\" text-anchor=\"middle\">{}</text>\
             <line class=\"lane\" x1=\"{x}\" y1=\"{}\" x2=\"{x}\" y2=\"{height}\"/>",
            lane.word(),
            HEAD - 10
        );
    }
    for (row, line) in picture.lines.iter().enumerate() {
        draw(&mut out, line, HEAD + LINE * row as u32 + LINE / 2);
    }
    out + "</svg>"
}

fn x(lane: Lane) -> u32 {
    LANES[lane as usize]
}

fn draw(out: &mut String, line: &Line, y: u32) {
    let mark = line.mark.map_or("plain", |mark| match mark {
        crate::ledger::Mark::NotComparable => "not-comparable",
        mark => mark.word(),
    });
    let here = if line.here { " here" } else { "" };
    let _ = write!(out, "<g class=\"step {mark}{here}\">");
    if line.here {
        let _ = write!(
            out,
            "<rect class=\"band\" x=\"2\" y=\"{}\" width=\"{}\" height=\"{LINE}\" rx=\"4\"/>",
            y - LINE / 2,
            WIDTH - 4
        );
        for lane in LANES {
            let _ = write!(
                out,
                "<line class=\"lane\" x1=\"{lane}\" y1=\"{}\" x2=\"{lane}\" y2=\"{}\"/>",
                y - LINE / 2,
                y + LINE / 2
            );
        }
    }
    let _ = write!(
        out,
        "<text class=\"time\" x=\"8\" y=\"{}\">{}</text>",
        y + 4,
        markup(&line.since)
    );
    if line.stroke == Stroke::Nothing {
        words(out, line, y);
    } else {
        arrow(out, line, y);
    }
    if let Some(mark) = line.mark {
        let _ = write!(
            out,
            "<text class=\"mark\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            WIDTH - 8,
            y + 4,
            mark.char()
        );
    }
    out.push_str("</g>");
}

/// An arrow with its label on it.
fn arrow(out: &mut String, line: &Line, y: u32) {
    let (from, to) = (x(line.from), x(line.to));
    let tip: i64 = if to > from { -8 } else { 8 };
    let class = match line.stroke {
        Stroke::Live => "live",
        Stroke::Copy | Stroke::Nothing => "copy",
    };
    let base = i64::from(to) + tip;
    let _ = write!(
        out,
        "<line class=\"{class}\" x1=\"{from}\" y1=\"{y}\" x2=\"{base}\" y2=\"{y}\"/>\
         <polygon class=\"tip\" points=\"{to},{y} {base},{} {base},{}\"/>",
        y - 4,
        y + 4
    );
    // Beside the lane in the middle, never on it.
    let (left, right) = (from.min(to), from.max(to));
    let middle = match (right - left > LANES[1] - LANES[0], line.from) {
        (true, Lane::Charger) => u32::midpoint(LANES[0], LANES[1]),
        (true, _) => u32::midpoint(LANES[1], LANES[2]),
        (false, _) => u32::midpoint(left, right),
    };
    let _ = write!(
        out,
        "<text class=\"label\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
        y - 5,
        markup(&line.label)
    );
}

/// Words where nothing went, on the lane of who is meant.
fn words(out: &mut String, line: &Line, y: u32) {
    let at = x(line.to);
    let _ = write!(
        out,
        "<text class=\"label words\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>\
         <circle class=\"stop\" cx=\"{at}\" cy=\"{y}\" r=\"4\"/>",
        at - 10,
        y + 4,
        markup(&line.label)
    );
}
