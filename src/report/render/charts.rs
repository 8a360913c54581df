//! Charts, drawn by hand as SVG: what people look at rather than read. Each says in words what it shows.

use std::fmt::Write as _;

use crate::ledger::views::Outcomes;
use crate::report::escape::markup;
use crate::report::model::summary::Timeline;
use crate::report::words::grouped;

/// What came out as one bar, its parts as long as they are many.
pub fn outcomes(name: &str, outcomes: &Outcomes) -> String {
    const WIDTH: f64 = 600.0;
    let not = outcomes.not_comparable.get("total").copied().unwrap_or(0);
    let parts = [
        ("equal", outcomes.equal),
        ("explained", outcomes.explained),
        ("divergent", outcomes.divergent),
        ("not-comparable", not),
    ];
    let all: u64 = parts.iter().map(|(_, count)| count).sum();
    let says: Vec<String> = (parts.iter())
        .map(|(name, count)| format!("{} {}", grouped(*count), name.replace('-', " ")))
        .collect();
    let mut out = svg(
        "bar",
        (WIDTH, 14.0),
        &format!("{name}: {}", says.join(", ")),
    );
    let mut x = 0.0_f64;
    for (class, count) in parts {
        let width = WIDTH * count as f64 / all.max(1) as f64;
        if count > 0 {
            // What is there is seen, however little it is.
            let seen = width.max(2.0);
            // Writing into a string cannot fail.
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"0\" width=\"{seen:.1}\" height=\"14\"/>",
                x.min(WIDTH - seen)
            );
        }
        x += width;
    }
    out + "</svg>"
}

/// What came in when: matching, divergent and not comparable messages.
pub fn timeline(timeline: &Timeline) -> String {
    const SIZE: (f64, f64) = (720.0, 90.0);
    let most = timeline
        .parts
        .iter()
        .map(|part| part.iter().sum::<u64>())
        .max()
        .unwrap_or(0);
    let divergent: u64 = timeline
        .parts
        .iter()
        .map(|[_, divergent, _]| divergent)
        .sum();
    let says = format!(
        "messages of chargers over the recording, in {} parts of {} s; at most {} in one, {} divergent in all",
        timeline.parts.len(),
        grouped(timeline.part_s),
        grouped(most),
        grouped(divergent)
    );
    let mut out = svg("timeline", SIZE, &says);
    let width = SIZE.0 / timeline.parts.len().max(1) as f64;
    for (at, part) in timeline.parts.iter().enumerate() {
        let mut y = SIZE.1;
        let [matching, divergent, not] = *part;
        for (class, count) in [
            ("divergent", divergent),
            ("equal", matching),
            ("not-comparable", not),
        ] {
            if count == 0 {
                continue;
            }
            let height = (SIZE.1 * count as f64 / most.max(1) as f64).max(1.5);
            y -= height;
            let _ = write!(
                out,
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
                at as f64 * width,
                y.max(0.0),
                (width - 1.0).max(0.5)
            );
        }
    }
    out + "</svg>"
}

/// How often something was seen, in a strip.
pub fn strip(counts: &[u64]) -> String {
    const SIZE: (f64, f64) = (160.0, 22.0);
    let most = counts.iter().copied().max().unwrap_or(0);
    let says = format!(
        "seen over the recording; at most {} in one part of {}",
        grouped(most),
        counts.len()
    );
    let mut out = svg("strip", SIZE, &says);
    let width = SIZE.0 / counts.len().max(1) as f64;
    let _ = write!(
        out,
        "<line class=\"ground\" x1=\"0\" y1=\"21.5\" x2=\"160\" y2=\"21.5\"/>"
    );
    for (at, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let height = (20.0 * *count as f64 / most.max(1) as f64).max(2.0);
        let _ = write!(
            out,
            "<rect class=\"divergent\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{height:.1}\"/>",
            at as f64 * width,
            21.0 - height,
            (width - 1.0).max(1.0)
        );
    }
    out + "</svg>"
}

fn svg(class: &str, (width, height): (f64, f64), says: &str) -> String {
    format!(
        "<svg class=\"{class}\" viewBox=\"0 0 {width} {height}\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"{}\">",
        markup(says)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rare_is_seen_and_said() {
        let counts = Outcomes {
            equal: 1_000_000,
            explained: 0,
            divergent: 1,
            not_comparable: [("total".to_owned(), 0)].into(),
            pending: Some(0),
        };
        let bar = outcomes("messages", &counts);
        assert!(
            bar.contains("1,000,000 equal, 0 explained, 1 divergent"),
            "{bar}"
        );
        assert!(
            bar.contains("class=\"divergent\" x=\"598.0\" y=\"0\" width=\"2.0\""),
            "{bar}"
        );
        assert_eq!(strip(&[0, 3, 0, 1]).matches("<rect").count(), 2);
        assert!(!strip(&[]).contains("NaN") && !timeline(&Timeline::default()).contains("NaN"));
    }
}
