//! The ladder with three lanes: charger, legacy, candidate. Copies are dashed; what no charger heard ends at a fence.

use std::collections::BTreeMap;

use super::{Rung, Step, Story, What, mark, shadow, since};
use crate::clock::Micros;
use crate::facts::Leg;
use crate::ledger::Mark;
use crate::ledger::query::Item;
use crate::watch::table::padded;
use crate::watch::text::shown;
use crate::watch::theme::{Theme, Tone, tone_of};

/// Width of the time.
const TIME: usize = 9;

/// Columns before the charger's lane.
const EDGE: usize = 2;

/// One line of the ladder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The step that it belongs to, by its place.
    pub step: Option<usize>,
    /// What it says.
    pub text: String,
    /// How it looks.
    pub tone: Tone,
}

/// The whole ladder as lines of `width` columns, its head first.
pub fn lanes(
    story: &Story,
    steps: &[Step],
    (charger, origin): (&str, Micros),
    width: usize,
    theme: Theme,
) -> Vec<Line> {
    let canvas = Canvas::of(story, width, theme);
    let mut lines = vec![canvas.head(charger)];
    let mut step_of: BTreeMap<usize, usize> = BTreeMap::new();
    let mut folded: BTreeMap<usize, usize> = BTreeMap::new();
    let mut others: Vec<(u64, usize)> = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Item(at) => {
                step_of.insert(*at, number);
            }
            Step::Run(from, to) => {
                folded.extend((*from..*to).map(|at| (at, number)));
                others.push((story.items[*from].id, number));
            }
            Step::Event(at) => others.push((story.events[*at].seq, number)),
        }
    }
    let mut others = others.into_iter().peekable();
    let mut before = None;
    let rungs = story
        .rungs()
        .into_iter()
        .filter(|rung| !folded.contains_key(&rung.item));
    for rung in rungs {
        while let Some((_, number)) = others.next_if(|(seq, _)| *seq <= rung.seq) {
            lines.push(canvas.other(story, steps, number, origin));
            before = None;
        }
        let Some(step) = step_of.get(&rung.item).copied() else {
            continue;
        };
        let continues = before == Some(rung.item);
        before = Some(rung.item);
        lines.push(canvas.rung(story, &rung, (continues, origin), step));
    }
    for (_, number) in others {
        lines.push(canvas.other(story, steps, number, origin));
    }
    lines
}

struct Canvas {
    theme: Theme,
    width: usize,
    /// Columns of sequence numbers and marks.
    seq: usize,
    /// Columns between the lanes.
    gap: usize,
}

/// Where an arrow goes.
#[derive(Clone, Copy)]
enum Way {
    Right,
    Left,
}

impl Canvas {
    fn of(story: &Story, width: usize, theme: Theme) -> Self {
        let last = story.items.last().map_or(0, |item| item.id);
        let seq = (last.to_string().len() + 2).max(6);
        let left = width.saturating_sub(seq + TIME + EDGE + 3);
        Self {
            theme,
            width,
            seq,
            gap: (left / 2).max(6),
        }
    }

    fn lane(&self) -> char {
        if self.theme.unicode { '│' } else { '|' }
    }

    fn head(&self, charger: &str) -> Line {
        let legacy = self.seq + TIME + EDGE + 1 + self.gap;
        let mut text = pad(
            &format!(
                "{:<2$}{:<3$}CHARGER {charger}",
                "SEQ", "+TIME", self.seq, TIME
            ),
            legacy.saturating_sub(4),
        );
        text += " LEGACY";
        let candidate = (legacy + self.gap + 2).saturating_sub("CANDIDATE".len());
        text = pad(&text, candidate.max(legacy + 4));
        text += "CANDIDATE";
        Line {
            step: None,
            text: pad(&text, self.width).trim_end().to_owned(),
            tone: Tone::Head,
        }
    }

    /// A run of equal messages, or an event: a line across all lanes.
    fn other(&self, story: &Story, steps: &[Step], number: usize, origin: Micros) -> Line {
        let (seq, at, says, tone) = match &steps[number] {
            Step::Run(from, to) => {
                let first = &story.items[*from];
                let says = format!(
                    "{} {}, all equal (Enter unfolds)",
                    to - from,
                    shown(&first.action)
                );
                (first.id, first.at, says, Tone::Dim)
            }
            Step::Event(at) => {
                let event = &story.events[*at];
                let tone = if event.loss { Tone::Warn } else { Tone::Dim };
                (event.seq, event.at, shown(&event.says).into_owned(), tone)
            }
            Step::Item(at) => {
                let item = &story.items[*at];
                (item.id, item.at, item.action.clone(), Tone::Plain)
            }
        };
        let dots = if self.theme.unicode {
            "┄┄┄"
        } else {
            ". . ."
        };
        let (seq, time) = (seq.to_string(), since(at - origin));
        let text = format!("{seq:<0$}{time:<1$}{dots} {says} {dots}", self.seq, TIME);
        Line {
            step: Some(number),
            text: pad(&text, self.width).trim_end().to_owned(),
            tone,
        }
    }

    fn rung(
        &self,
        story: &Story,
        rung: &Rung,
        (continues, origin): (bool, Micros),
        step: usize,
    ) -> Line {
        let item = &story.items[rung.item];
        let mark = mark(item);
        let first = rung.seq == item.id && !continues;
        let label = if first {
            item.id.to_string()
        } else if continues {
            format!(" {}", mark_words(item, &rung.what))
        } else {
            // Something else came between: the number says what this belongs to.
            format!("^{}", item.id)
        };
        let time = rung.at.map_or_else(String::new, |at| since(at - origin));
        let body = self.body(story, item, &rung.what);
        let text = format!("{}{}{body}", pad(&label, self.seq), pad(&time, TIME));
        Line {
            step: Some(step),
            text: pad(&text, self.width).trim_end().to_owned(),
            tone: tone(mark, &rung.what),
        }
    }

    /// The lanes of one rung.
    fn body(&self, story: &Story, item: &Item, what: &What) -> String {
        let [_, ours, theirs] = item.facts;
        let shadow = shadow(item);
        let action = if item.action.is_empty() {
            "(no action)"
        } else {
            item.action.as_str()
        };
        match what {
            What::Call { copied } => {
                let copy = copied.then(|| self.copy("copy", shadow));
                self.authority(shadow, Way::Right, action, copy)
            }
            What::Copy => self.shadows(shadow, Way::Right, "copy"),
            What::MadeUp => self.shadows(shadow, Way::Right, &format!("{action} made up")),
            What::Withheld => {
                let why = story.fate(item, "");
                self.words(shadow, &format!("withheld {why}"), "")
            }
            What::Answer => self.authority(shadow, Way::Left, story.gist(ours), None),
            What::ShadowAnswer => self.shadows(shadow, Way::Left, story.gist(theirs)),
            What::Silence => self.words(shadow, story.fate(item, "no answer"), ""),
            What::Command => self.authority(shadow, Way::Left, action, None),
            What::Fenced => self.shadows(shadow, Way::Left, &format!("{action} (fenced)")),
            What::StandIn => {
                let from = story.fate(item, "synthetic answer");
                self.words(shadow, from, "not delivered")
            }
            What::Handshake => {
                let says = format!("handshake: {}", item.detail);
                self.words(shadow, &says, "")
            }
        }
    }

    /// Between charger and authority, with what the shadow's segment holds at the same time.
    fn authority(&self, shadow: Leg, way: Way, label: &str, copy: Option<String>) -> String {
        let lane = self.lane();
        if shadow == Leg::Candidate {
            let right = copy.unwrap_or_else(|| " ".repeat(self.gap));
            return self.framed(&self.arrow(way, label, true), lane, &right);
        }
        // The authority stands behind legacy's lane: the arrow crosses it.
        let dash = self.dash(true);
        let (left, right) = match way {
            Way::Right => (
                format!("{}{dash}", self.stem(label)),
                fill(dash, self.gap - 1) + ">",
            ),
            Way::Left => (format!("<{}", fill(dash, self.gap - 1)), self.tail(label)),
        };
        let crossing = if self.theme.unicode { '┼' } else { '+' };
        self.framed(
            &cut_to(&left, self.gap),
            crossing,
            &cut_to(&right, self.gap),
        )
    }

    /// Between the tap and the shadow.
    fn shadows(&self, shadow: Leg, way: Way, label: &str) -> String {
        let arrow = self.arrow(way, label, false);
        let blank = " ".repeat(self.gap);
        if shadow == Leg::Candidate {
            self.framed(&blank, self.lane(), &arrow)
        } else {
            self.framed(&arrow, self.lane(), &blank)
        }
    }

    fn copy(&self, label: &str, shadow: Leg) -> String {
        if shadow == Leg::Candidate {
            self.arrow(Way::Right, label, false)
        } else {
            " ".repeat(self.gap)
        }
    }

    /// Words in the shadow's segment, and perhaps in the charger's.
    fn words(&self, shadow: Leg, theirs: &str, charger: &str) -> String {
        let theirs = pad(&format!(" {theirs}"), self.gap);
        let charger = pad(&format!("  {charger}"), self.gap);
        if shadow == Leg::Candidate {
            self.framed(&charger, self.lane(), &theirs)
        } else {
            self.framed(&theirs, self.lane(), &charger)
        }
    }

    fn framed(&self, left: &str, middle: char, right: &str) -> String {
        let lane = self.lane();
        format!("{}{lane}{left}{middle}{right}{lane}", " ".repeat(EDGE))
    }

    fn dash(&self, solid: bool) -> &'static str {
        match (solid, self.theme.unicode) {
            (true, true) => "─",
            (true, false) => "-",
            (false, true) => "╌",
            (false, false) => "- ",
        }
    }

    fn arrow(&self, way: Way, label: &str, solid: bool) -> String {
        let dash = self.dash(solid);
        let start = fill(dash, 2).trim_end().to_owned();
        let begun = start.chars().count();
        let label = cut(label, self.gap.saturating_sub(begun + 4));
        let used = crate::watch::text::width(&label);
        let rest = fill(dash, self.gap.saturating_sub(used + begun + 3));
        match way {
            Way::Right => format!("{start} {label} {rest}>"),
            Way::Left => format!("<{start} {label} {rest}"),
        }
    }

    /// The beginning of an arrow that goes on in the next segment.
    fn stem(&self, label: &str) -> String {
        let label = cut(label, self.gap.saturating_sub(6));
        let used = crate::watch::text::width(&label);
        let dash = self.dash(true);
        format!(
            "{} {label} {}",
            fill(dash, 2),
            fill(dash, self.gap.saturating_sub(used + 4))
        )
    }

    /// The end of an arrow from the right that goes on in the segment before.
    fn tail(&self, label: &str) -> String {
        self.stem(label)
    }
}

fn tone(mark: Mark, what: &What) -> Tone {
    match what {
        What::Call { .. } | What::Copy | What::Command => Tone::Plain,
        _ => match mark {
            Mark::Equal => Tone::Plain,
            mark => tone_of(mark.char()),
        },
    }
}

/// What stands under the number of an item.
fn mark_words(item: &Item, what: &What) -> String {
    let mark = mark(item);
    let is_outcome = matches!(
        what,
        What::Answer | What::ShadowAnswer | What::Silence | What::StandIn | What::Withheld
    );
    if !is_outcome {
        return String::new();
    }
    match item.findings.len() {
        0 | 1 => mark.char().to_string(),
        // As many marks as findings, within reason.
        many => mark.char().to_string().repeat(many.min(3)),
    }
}

fn pad(text: &str, room: usize) -> String {
    padded(text, u16::try_from(room).unwrap_or(u16::MAX), false)
}

/// A label that fits, cut with two dots where it does not.
fn cut(label: &str, room: usize) -> String {
    let label = shown(label);
    pad(&label, room.min(crate::watch::text::width(&label)))
}

fn cut_to(text: &str, room: usize) -> String {
    let text: String = text.chars().take(room).collect();
    pad(&text, room)
}

/// A pattern repeated over so many columns.
fn fill(pattern: &str, columns: usize) -> String {
    pattern.chars().cycle().take(columns).collect()
}
