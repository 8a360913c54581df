//! What a recording has of a charger up to a divergence, as steps.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::ties;
use super::{
    Answer, Asserts, BundleError, By, CallError, Charger, Handshakes, Shake, Source, Step,
};
use crate::clock::Micros;
use crate::facts::{Dir, Fact, Kind, Leg};
use crate::ledger::query::{Finding, Item};
use crate::ledger::row::Subject;
use crate::live::handover::Opened;
use crate::ocpp::{Class, Envelope, MessageType, Version};

/// How many exchanges and commands before the divergence are looked at.
const BEFORE: usize = 500;

/// How many facts behind a command its answer is looked for.
const ANSWER_WITHIN: usize = 2_000;

/// How long a backend that gave no answer is taken to have been waited for, ms.
const PATIENCE: u64 = 30_000;

/// The steps up to a divergence, and what is known of the connection.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) charger: Charger,
    pub(super) began: Micros,
    pub(super) handshake: Handshakes,
    pub(super) steps: Vec<Step>,
    pub(super) asserts: Asserts,
}

/// Gathers the steps up to what a finding was seen in; or says what is missing.
pub(super) fn gather(
    source: &Source<'_>,
    finding: &Finding,
    seen: u64,
) -> Result<Result<Series, String>, BundleError> {
    let Some(name) = source.ledger.charger_of(finding.subject, seen)? else {
        return Ok(Err("the ledger has lost it".to_owned()));
    };
    let items = source.ledger.around(&name, seen, (BEFORE, 1))?;
    let Some(item) = items.last().filter(|item| item.id == seen) else {
        return Ok(Err("the ledger has lost it".to_owned()));
    };
    let opened = match source.facts.opened(item.conn)? {
        Some(fact) => serde_json::from_str::<Opened>(&fact.note).ok(),
        None => None,
    };
    let Some(opened) = opened else {
        return Ok(Err(
            "the beginning of the connection was not recorded".to_owned()
        ));
    };
    let subprotocol = opened.subprotocol.clone();
    let version = subprotocol
        .as_deref()
        .and_then(Version::from_subprotocol)
        .unwrap_or(Version::V16);
    let mut steps = Vec::new();
    let mut asserted = 0;
    for found in &items {
        let recorded = Recorded {
            source,
            item: found,
            version,
        };
        let step = match found.subject {
            _ if finding.subject == Subject::Handshake => Vec::new(),
            Subject::Exchange => recorded.exchange()?.into_iter().collect(),
            Subject::Command => recorded.command()?,
            Subject::Handshake | Subject::Session => Vec::new(),
        };
        if found.id == seen && !step.is_empty() {
            asserted = steps.len() as u32 + 1;
        }
        for (at, step) in step {
            steps.push((at, step));
        }
    }
    if asserted == 0 && finding.subject != Subject::Handshake {
        return Ok(Err("what was said there cannot be read".to_owned()));
    }
    let began = steps.first().map_or(item.at, |(at, _)| *at);
    let mut steps: Vec<Step> = (steps.into_iter().zip(1..))
        .map(|((at, step), number)| Step {
            step: number,
            after_ms: millis(at - began),
            ..step
        })
        .collect();
    ties::name(version, &mut steps);
    if let Some(strange) = strange(version, &steps, asserted) {
        return Ok(Err(strange));
    }
    Ok(Ok(Series {
        charger: Charger {
            identity: name,
            version: version.number().to_owned(),
            subprotocol: subprotocol.clone(),
        },
        began,
        handshake: handshakes(source, &items, item, subprotocol)?,
        steps,
        asserts: Asserts {
            step: asserted,
            says: says(finding),
        },
    }))
}

/// What must hold, in words.
fn says(finding: &Finding) -> String {
    let field = match finding.path.as_str() {
        "" => String::new(),
        path => format!(" in {path}"),
    };
    match finding.subject {
        Subject::Handshake => "the charger is let in as legacy lets it in".to_owned(),
        Subject::Command => format!(
            "{} is commanded as legacy commands it{field}",
            finding.action
        ),
        _ => format!("{} is answered as legacy answers it{field}", finding.action),
    }
}

/// Why the asserted step cannot be played: it names what nobody assigned.
fn strange(version: Version, steps: &[Step], asserted: u32) -> Option<String> {
    let step = steps.get(asserted.checked_sub(1)? as usize)?;
    let class = ties::unexplained(version, step).into_iter().next()?;
    (step.by == By::Charger).then(|| {
        format!(
            "its {} was assigned before the recording, or long before",
            class.word()
        )
    })
}

/// How both backends took the charger in.
fn handshakes(
    source: &Source<'_>,
    items: &[Item],
    item: &Item,
    chosen: Option<String>,
) -> Result<Handshakes, BundleError> {
    let ours = Shake {
        status: Some(101),
        subprotocol: chosen,
        why: String::new(),
    };
    let shaken = match item.subject {
        Subject::Handshake => Some(item),
        _ => items
            .iter()
            .rfind(|it| it.subject == Subject::Handshake && it.conn == item.conn),
    };
    let theirs = match shaken {
        Some(shaken) => source.facts.by_seq(shaken.id)?.map(|fact| shake(&fact)),
        None => None,
    };
    let theirs = theirs.unwrap_or_else(|| ours.clone());
    Ok(match Leg::from_word(&item.authority) {
        Some(Leg::Candidate) => Handshakes {
            legacy: theirs,
            candidate: ours,
        },
        _ => Handshakes {
            legacy: ours,
            candidate: theirs,
        },
    })
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ShakeNote {
    status: Option<u16>,
    subprotocol: Option<String>,
    why: String,
}

fn shake(fact: &Fact) -> Shake {
    let note: ShakeNote = serde_json::from_str(&fact.note).unwrap_or_default();
    let is_open = fact.kind == Kind::ShadowOpened;
    Shake {
        status: note.status.or(is_open.then_some(101)),
        subprotocol: note.subprotocol,
        why: if is_open { String::new() } else { note.why },
    }
}

/// One row of the ledger with the facts behind it.
struct Recorded<'a> {
    source: &'a Source<'a>,
    item: &'a Item,
    version: Version,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct SentNote {
    rewrites: Vec<Rewritten>,
}

#[derive(Deserialize)]
struct Rewritten {
    class: String,
    from: String,
    to: String,
}

impl Recorded<'_> {
    fn fact(&self, seq: u64) -> Result<Option<Fact>, BundleError> {
        if seq == 0 {
            return Ok(None);
        }
        Ok(self.source.facts.by_seq(seq)?)
    }

    fn candidate_is_authority(&self) -> bool {
        self.item.authority == Leg::Candidate.word()
    }

    /// A charger's CALL; none if it cannot be read or was answered by nobody.
    fn exchange(&self) -> Result<Option<(Micros, Step)>, BundleError> {
        let [call, ours, theirs] = self.item.facts;
        let Some(fact) = self.fact(call)? else {
            return Ok(None);
        };
        let Some(text) = fact.text() else {
            return Ok(None);
        };
        let text = self.as_legacy_has_it(text)?;
        let Some((action, payload)) = call_of(&text) else {
            return Ok(None);
        };
        let ours = self.answer(ours, fact.at)?;
        let theirs = match self.answer(theirs, fact.at)? {
            None if self.item.sent != 0 => Some(Answer {
                after_ms: PATIENCE,
                ..Answer::default()
            }),
            other => other,
        };
        let (legacy, candidate) = if self.candidate_is_authority() {
            (theirs, ours)
        } else {
            (ours, theirs)
        };
        Ok(legacy.is_some().then(|| {
            let step = Step {
                legacy,
                candidate,
                shows: self.item.findings.clone(),
                ..blank(By::Charger, action, payload)
            };
            (fact.at, step)
        }))
    }

    /// Where the candidate is the authority, the charger's messages carry its identifiers: legacy got others.
    fn as_legacy_has_it(&self, text: &str) -> Result<String, BundleError> {
        if !self.candidate_is_authority() {
            return Ok(text.to_owned());
        }
        let note: SentNote = match self.fact(self.item.sent)? {
            Some(sent) => serde_json::from_str(&sent.note).unwrap_or_default(),
            None => SentNote::default(),
        };
        let pairs: Vec<(Class, String, String)> = (note.rewrites.into_iter())
            .filter_map(|it| Some((Class::from_word(&it.class)?, it.from, it.to)))
            .collect();
        Ok(ties::rewritten(self.version, text, &pairs))
    }

    /// The answer in the fact `seq` to a CALL that was sent `asked`.
    fn answer(&self, seq: u64, asked: Micros) -> Result<Option<Answer>, BundleError> {
        let Some(fact) = self.fact(seq)? else {
            return Ok(None);
        };
        Ok(fact.text().and_then(answer_of).map(|answer| Answer {
            after_ms: millis(fact.at - asked),
            ..answer
        }))
    }

    /// Both backends' commands, as far as they sent it, in the order in which they did.
    fn command(&self) -> Result<Vec<(Micros, Step)>, BundleError> {
        let [_, ours, theirs] = self.item.facts;
        let (legacy, candidate) = if self.candidate_is_authority() {
            (theirs, ours)
        } else {
            (ours, theirs)
        };
        let mut steps = Vec::new();
        for (by, seq) in [(By::Legacy, legacy), (By::Candidate, candidate)] {
            let Some(fact) = self.fact(seq)? else {
                continue;
            };
            let Some((action, payload)) = fact.text().and_then(call_of) else {
                continue;
            };
            let step = Step {
                charger: self.obeyed(&fact)?,
                shows: self.item.findings.clone(),
                ..blank(by, action, payload)
            };
            steps.push((fact.at, step));
        }
        steps.sort_by_key(|(at, _)| *at);
        Ok(steps)
    }

    /// What was answered to a command: by the charger, or in its place.
    fn obeyed(&self, command: &Fact) -> Result<Option<Answer>, BundleError> {
        let id = command
            .text()
            .and_then(|text| Some(Envelope::parse(text).ok()?.id.into_owned()));
        let later = self.source.facts.read(command.seq, ANSWER_WITHIN)?;
        let answered = later.iter().find_map(|fact| {
            let fits = fact.conn == command.conn
                && match fact.kind {
                    Kind::Message => {
                        command.kind == Kind::Message && fact.dir == Some(Dir::FromCharger)
                    }
                    Kind::ShadowAnswered => fact.cause == command.seq,
                    _ => false,
                };
            let text = fact.text().filter(|_| fits)?;
            let envelope = Envelope::parse(text).ok()?;
            let is_it = envelope.kind.is_answer() && Some(&*envelope.id) == id.as_deref();
            is_it.then(|| answer_of(text)).flatten()
        });
        Ok(answered)
    }
}

fn blank(by: By, action: String, payload: Box<RawValue>) -> Step {
    Step {
        step: 0,
        after_ms: 0,
        by,
        action,
        payload,
        refers: Vec::new(),
        legacy: None,
        candidate: None,
        charger: None,
        shows: Vec::new(),
    }
}

/// Action and payload of a CALL.
fn call_of(text: &str) -> Option<(String, Box<RawValue>)> {
    let envelope = Envelope::parse(text).ok()?;
    let payload = if envelope.payload.is_empty() {
        "{}"
    } else {
        envelope.payload
    };
    let is_call = envelope.kind == MessageType::Call;
    let payload = RawValue::from_string(payload.to_owned()).ok()?;
    is_call.then(|| (envelope.action.into_owned(), payload))
}

fn answer_of(text: &str) -> Option<Answer> {
    let envelope = Envelope::parse(text).ok()?;
    match envelope.kind {
        MessageType::CallResult => Some(Answer {
            result: Some(RawValue::from_string(envelope.payload.to_owned()).ok()?),
            ..Answer::default()
        }),
        MessageType::CallError => Some(Answer {
            error: Some(CallError {
                code: envelope.code.into_owned(),
                description: envelope.description.into_owned(),
            }),
            ..Answer::default()
        }),
        _ => None,
    }
}

fn millis(micros: Micros) -> u64 {
    u64::try_from(micros / 1_000).unwrap_or(0)
}
