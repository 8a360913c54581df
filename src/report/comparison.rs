//! What the parties said, as one list of paths: what is equal, what is explained and by which rule, what differs.
//!
//! The judge has the last word: what it found different has a row with its verdict, and every other field is equal by its
//! rules. Nothing is compared a second time. All text in it is fit for a terminal.

mod fields;
mod pair;

use serde::Serialize;

use super::escape::{printable, printable_bytes};
use super::evidence::{Evidence, Text, pretty};
use crate::facts::Leg;
use crate::judge::tree::Node;
use crate::ledger::Mark;
use crate::ledger::row::Subject;
use crate::ledger::sessions::View;
use crate::ocpp::{Envelope, MessageType};
use fields::Fields;
pub use fields::dotted;

/// Lines of a whole text that are shown: a report of ten thousand variables is compared in a file, not on a screen.
const LINES: usize = 1_000;

/// Longest text of a row, in bytes: a message of a megabyte stays in the raw text.
const LONGEST: usize = 2_000;

/// Texts side by side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What is compared: `StopTransaction seq 10561`.
    pub title: String,
    /// Part after part.
    pub sections: Vec<Section>,
    /// Whole texts as sent, spread over lines, of whoever sent one.
    pub raw: Vec<Raw>,
}

/// One part of a comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Section {
    /// `request`, `answer`, `command`, ...
    pub title: String,
    /// What is to be known of the whole of it; empty if nothing.
    pub note: String,
    /// Its fields.
    pub rows: Vec<Row>,
    /// Equal fields that are too many to list.
    pub more: usize,
    /// Whether the charger's own account is a third column.
    pub three_way: bool,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What came out.
    pub mark: Mark,
    /// Where, as `meterValue[0].value`; what is in parentheses is no field.
    pub path: String,
    /// By the charger's own account; none where it does not tell.
    pub wire: Option<String>,
    /// Legacy's value; none if it has none.
    pub legacy: Option<String>,
    /// The candidate's.
    pub candidate: Option<String>,
    /// The rule, relation or reason behind the mark; empty if none is needed.
    pub why: String,
}

/// A whole text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Raw {
    /// Who sent it: `charger`, `legacy`, `candidate` or `stand-in`.
    pub who: &'static str,
    /// Its fact.
    pub seq: u64,
    /// A line for each member, keys sorted; bytes that are no text are spelled out.
    pub lines: Vec<String>,
}

impl Comparison {
    /// Of an exchange or command.
    pub fn of(evidence: &Evidence) -> Self {
        let judged = &evidence.judged;
        let action = match judged.action.as_str() {
            "" => "(no action)".to_owned(),
            action => printable(action),
        };
        let mut sections = Vec::new();
        if judged.subject == Subject::Command {
            sections.push(Parties::of(evidence).section("command"));
            sections.extend(stand_in(evidence));
        } else {
            sections.push(request(evidence));
            sections.push(Parties::of(evidence).section("answer"));
        }
        Self {
            title: format!("{action} seq {}", judged.id),
            sections,
            raw: raw(evidence),
        }
    }

    /// Of a session, three ways.
    pub fn of_session(session: &View) -> Self {
        let rows = session.verdict.checks.iter().map(|check| {
            let mark = match check.verdict.as_ref() {
                "equal" => Mark::Equal,
                // The charger's account says that the candidate is right.
                "legacy wrong" => Mark::Explained,
                "unknown" => Mark::NotComparable,
                _ => Mark::Divergent,
            };
            let why = if mark == Mark::Equal {
                ""
            } else {
                check.verdict.as_ref()
            };
            Row {
                mark,
                path: printable(&check.name),
                wire: check.wire.as_deref().map(printable),
                legacy: check.legacy.as_deref().map(printable),
                candidate: check.candidate.as_deref().map(printable),
                why: why.to_owned(),
            }
        });
        let note = match session.verdict.reason {
            Some(reason) => format!("not comparable: {reason}"),
            None => String::new(),
        };
        Self {
            title: format!("session {}", session.id),
            sections: vec![Section {
                title: "books".to_owned(),
                note,
                rows: rows.collect(),
                more: 0,
                three_way: true,
            }],
            raw: Vec::new(),
        }
    }

    /// How many fields have this mark. What is not listed one by one is equal.
    pub fn count(&self, mark: Mark) -> usize {
        let more = |section: &Section| if mark == Mark::Equal { section.more } else { 0 };
        let of = |section: &Section| {
            let rows = section.rows.iter().filter(|row| row.mark == mark);
            rows.count() + more(section)
        };
        self.sections.iter().map(of).sum()
    }
}

/// What the charger asked, and what of it went to the shadow.
fn request(evidence: &Evidence) -> Section {
    let fate = &evidence.fate;
    let shadow = evidence.shadow_leg().word();
    let bytes = evidence.request.as_ref().map_or(0, |it| it.bytes.len());
    let note = if evidence.judged.reason == "synthetic" {
        "made up by the tap: no charger sent it".to_owned()
    } else if let Some(why) = &fate.withheld {
        format!("withheld from the {shadow}: {}", printable(why))
    } else if evidence.judged.sent == 0 {
        format!("did not go to the {shadow}")
    } else if fate.rewrites.is_empty() {
        format!("the same {bytes} bytes to both")
    } else {
        format!("identifiers rewritten for the {shadow}")
    };
    let rows = fate.rewrites.iter().map(|rewritten| {
        let [from, to] = [&rewritten.from, &rewritten.to].map(|value| Some(printable(value)));
        let [legacy, candidate] = if evidence.shadow_leg() == Leg::Candidate {
            [from, to]
        } else {
            [to, from]
        };
        Row {
            mark: Mark::Explained,
            path: dotted(&rewritten.path),
            wire: None,
            legacy,
            candidate,
            why: format!("relation {}", printable(&rewritten.class)),
        }
    });
    Section {
        title: "request".to_owned(),
        note,
        rows: rows.collect(),
        ..Section::default()
    }
}

/// What the shadow was told in the charger's place.
fn stand_in(evidence: &Evidence) -> Option<Section> {
    let answered = evidence.fate.stand_in.as_ref()?;
    let text = String::from_utf8_lossy(&answered.text.bytes);
    let mut fields = Fields::default();
    if let Ok(envelope) = Envelope::parse(&text)
        && let Ok(node) = Node::parse(envelope.payload)
    {
        fields.all(&node, |value| Row {
            mark: Mark::Synthetic,
            path: String::new(),
            wire: None,
            legacy: None,
            candidate: Some(value),
            why: String::new(),
        });
    }
    Some(Section {
        title: "stand-in".to_owned(),
        note: format!(
            "the charger never heard of it; answered in its place from {}",
            printable(&answered.source)
        ),
        rows: fields.rows,
        more: fields.more,
        three_way: false,
    })
}

/// One party's text, as far as it can be read.
enum Said<'a> {
    Nothing,
    Payload(Node<'a>),
    Error(Envelope<'a>),
    Bytes(&'a Text),
}

impl<'a> Said<'a> {
    fn of(text: Option<&'a Text>) -> Self {
        let Some(text) = text else {
            return Self::Nothing;
        };
        let envelope = std::str::from_utf8(&text.bytes)
            .ok()
            .filter(|_| text.opaque.is_none())
            .and_then(|said| Envelope::parse(said).ok());
        match envelope {
            Some(envelope) if envelope.kind == MessageType::CallError => Self::Error(envelope),
            Some(envelope) => match Node::parse(envelope.payload) {
                Ok(node) => Self::Payload(node),
                Err(_) => Self::Bytes(text),
            },
            None => Self::Bytes(text),
        }
    }
}

/// Both backends' texts.
struct Parties<'a> {
    evidence: &'a Evidence,
    legacy: Said<'a>,
    candidate: Said<'a>,
    /// The mark of what differs as a whole.
    whole: Mark,
}

impl<'a> Parties<'a> {
    fn of(evidence: &'a Evidence) -> Self {
        let [legacy, candidate] = evidence.sides().map(Said::of);
        let whole = match evidence.judged.reason.as_str() {
            "synthetic" | "simulated" => Mark::Synthetic,
            _ => Mark::of(&evidence.judged.outcome),
        };
        Self {
            evidence,
            legacy,
            candidate,
            whole,
        }
    }

    fn section(&self, title: &str) -> Section {
        let mut fields = Fields::default();
        match (&self.legacy, &self.candidate) {
            (Said::Payload(legacy), Said::Payload(candidate)) => {
                fields.pair(self.evidence, legacy, candidate);
            }
            (legacy, candidate) => {
                fields.rows.push(self.as_a_whole(title));
                if let Said::Payload(node) = legacy {
                    fields.all(node, |value| self.one_sided(Some(value), None));
                }
                if let Said::Payload(node) = candidate {
                    fields.all(node, |value| self.one_sided(None, Some(value)));
                }
            }
        }
        Section {
            title: title.to_owned(),
            note: self.note(),
            rows: fields.rows,
            more: fields.more,
            three_way: false,
        }
    }

    /// The row for texts that cannot be compared field by field.
    fn as_a_whole(&self, title: &str) -> Row {
        let bytes = |said: &Said<'_>| matches!(said, Said::Bytes(_));
        let path = if bytes(&self.legacy) || bytes(&self.candidate) {
            "(bytes)".to_owned()
        } else {
            format!("({title})")
        };
        Row {
            mark: self.whole,
            path,
            wire: None,
            legacy: Some(self.says(&self.legacy, Leg::Legacy)),
            candidate: Some(self.says(&self.candidate, Leg::Candidate)),
            why: self.decided(),
        }
    }

    fn one_sided(&self, legacy: Option<String>, candidate: Option<String>) -> Row {
        Row {
            mark: self.whole,
            path: String::new(),
            wire: None,
            legacy,
            candidate,
            why: String::new(),
        }
    }

    /// One party's whole text in words.
    fn says(&self, said: &Said<'_>, leg: Leg) -> String {
        let is_command = self.evidence.judged.subject == Subject::Command;
        match said {
            Said::Nothing if is_command => "not sent".to_owned(),
            Said::Payload(_) if is_command => "sent".to_owned(),
            Said::Payload(_) => "answered".to_owned(),
            Said::Nothing => self.silence(leg),
            Said::Error(error) => cut(printable(&format!(
                "error {} {:?}",
                error.code, error.description
            ))),
            Said::Bytes(text) => {
                let start = &text.bytes[..text.bytes.len().min(LONGEST)];
                cut(printable_bytes(start))
            }
        }
    }

    /// Why a backend has no answer.
    fn silence(&self, leg: Leg) -> String {
        let fate = &self.evidence.fate;
        if leg != self.evidence.shadow_leg() {
            return match self.evidence.judged.reason.as_str() {
                "synthetic" => "(not asked)".to_owned(),
                _ => "(no answer)".to_owned(),
            };
        }
        match (fate.waited_us, &fate.withheld) {
            (Some(waited), _) => format!("(no answer in {:.1} s)", waited as f64 / 1e6),
            (None, Some(_)) => "(withheld)".to_owned(),
            (None, None) if self.evidence.judged.sent == 0 => "(not asked)".to_owned(),
            (None, None) => "(no answer)".to_owned(),
        }
    }

    /// The rule that decided about the whole.
    fn decided(&self) -> String {
        let places = &self.evidence.places;
        let whole = places.iter().find(|place| place.pointer.is_empty());
        match whole {
            Some(place) => format!("rule {}", printable(&place.decided.id)),
            None => because(self.evidence),
        }
    }

    fn note(&self) -> String {
        let bytes = |said: &Said<'_>| match said {
            Said::Bytes(text) => text.opaque.as_deref().map_or_else(
                || Some("not readable as OCPP-J".to_owned()),
                |why| Some(printable(why)),
            ),
            _ => None,
        };
        match (bytes(&self.legacy), bytes(&self.candidate)) {
            (None, None) => because(self.evidence),
            (legacy, candidate) => {
                let why = legacy.or(candidate).unwrap_or_default();
                format!("{why}: compared as bytes")
            }
        }
    }
}

/// Why the whole is not comparable; empty if it is.
fn because(evidence: &Evidence) -> String {
    let judged = &evidence.judged;
    match (judged.reason.as_str(), judged.root.as_str()) {
        ("", _) => String::new(),
        (reason, "") => reason.to_owned(),
        (reason, root) => format!("{reason}: follows from {}", printable(root)),
    }
}

fn raw(evidence: &Evidence) -> Vec<Raw> {
    let [legacy, candidate] = evidence.sides();
    let stand_in = evidence.fate.stand_in.as_ref().map(|it| &it.text);
    let texts = [
        ("charger", evidence.request.as_ref()),
        ("legacy", legacy),
        ("candidate", candidate),
        ("stand-in", stand_in),
    ];
    let shown = |(who, text): (&'static str, Option<&Text>)| {
        let text = text?;
        let lines = match std::str::from_utf8(&text.bytes) {
            Ok(said) if text.opaque.is_none() => spread(said),
            _ => vec![printable_bytes(&text.bytes)],
        };
        Some(Raw {
            who,
            seq: text.seq,
            lines,
        })
    };
    texts.into_iter().filter_map(shown).collect()
}

/// A text as lines, the rest of a long one counted.
fn spread(text: &str) -> Vec<String> {
    let spread = pretty(text);
    let mut lines: Vec<String> = spread.lines().take(LINES).map(printable).collect();
    let more = spread.lines().count().saturating_sub(LINES);
    if more > 0 {
        lines.push(format!("... {more} more lines"));
    }
    lines
}

/// A text that fits a row.
fn cut(text: String) -> String {
    match text.char_indices().find(|(at, _)| *at >= LONGEST) {
        Some((at, _)) => format!("{}... ({} bytes)", &text[..at], text.len()),
        None => text,
    }
}

#[cfg(test)]
mod tests;
