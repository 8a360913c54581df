//! What a scenario expects, held against what was said and what the judge makes of it.

mod besides;
mod parity;

pub use besides::are_booked;

use super::actor::{By, NO_ANSWER, Played, Told};
use super::expect::{ERROR, Expected, Said};
use super::model::{Act, Capture, Scenario, Step, Terms};
use super::observed::Observed;
use super::results::{Came, Compared, Failure};
use super::variables::Meaning;
use crate::facts::Leg;
use crate::ocpp::{Envelope, MessageType};

/// What the candidate did not do.
const NOTHING: &str = "nothing";

/// A scenario with its file's name and text.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// What the file is called.
    pub file: &'a str,
    /// Its text.
    pub text: &'a str,
}

/// What came of a scenario. Without a recording there was only `leg`, and nothing to compare.
pub fn weigh(source: Source<'_>, played: &Played, leg: Leg, observed: Option<&Observed>) -> Came {
    let scenario = source.scenario;
    let mut weighing = Weighing {
        scenario,
        played,
        observed,
        leg,
        meanings: [played.meaning.clone(), played.meaning.clone()],
        seen: Vec::new(),
        fenced: 0,
        steps: Vec::new(),
        failures: Vec::new(),
        unchecked: Vec::new(),
    };
    for told in in_order(&played.lines) {
        weighing.told(told);
    }
    weighing.besides();
    weighing.end();
    for failure in &mut weighing.failures {
        let line = |at: usize| {
            source.text[..at.min(source.text.len())]
                .matches('\n')
                .count()
                + 1
        };
        failure.line = failure.span.as_ref().map(|span| line(span.start));
    }
    let (from, to) = played.within;
    Came {
        file: source.file.to_owned(),
        name: scenario.name.clone(),
        proves: scenario.proves.clone(),
        version: scenario.version.number().to_owned(),
        tags: scenario.tags.clone(),
        charger: played.charger.clone(),
        verdict: Came::verdict_of(&weighing.failures),
        took_ms: u64::try_from((to - from) / 1_000).unwrap_or_default(),
        steps: weighing.steps,
        failures: weighing.failures,
        unchecked: weighing.unchecked,
    }
}

/// What was said, in the order of the file: what waited for the network was said later.
fn in_order(lines: &[Told]) -> Vec<&Told> {
    let mut lines: Vec<&Told> = lines.iter().collect();
    lines.sort_by_key(|told| told.step);
    lines
}

struct Weighing<'a> {
    scenario: &'a Scenario,
    played: &'a Played,
    observed: Option<&'a Observed>,
    leg: Leg,
    /// What names mean at each backend: each has its own captures.
    meanings: [Meaning; 2],
    /// Rows of the judge that belong to steps, by the fact that began them.
    seen: Vec<u64>,
    /// The last of the candidate's commands that belongs to a step.
    fenced: u64,
    steps: Vec<Compared>,
    failures: Vec<Failure>,
    unchecked: Vec<String>,
}

/// What one backend said, as text of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Words {
    Payload(String),
    Error(String),
    Nothing(String),
    /// It was not told, and why: it could not answer.
    Untold(String),
}

impl Words {
    /// What a text says as an answer or a command.
    fn of(text: &str) -> Self {
        let Ok(envelope) = Envelope::parse(text) else {
            return Self::Nothing(format!("what is no OCPP-J: {text:.200}"));
        };
        match envelope.kind {
            MessageType::CallError => Self::Error(envelope.code.into_owned()),
            _ => Self::Payload(envelope.payload.to_owned()),
        }
    }

    fn said(&self) -> Said<'_> {
        match self {
            Self::Payload(text) => Said::Payload(text),
            Self::Error(code) => Said::Error(code),
            Self::Nothing(why) | Self::Untold(why) => Said::Nothing(why),
        }
    }

    /// For people.
    fn shown(&self) -> String {
        match self {
            Self::Payload(text) => text.clone(),
            Self::Error(code) => format!("CALLERROR {code}"),
            Self::Nothing(why) | Self::Untold(why) => why.clone(),
        }
    }
}

const LEGS: [Leg; 2] = [Leg::Legacy, Leg::Candidate];

const fn place(leg: Leg) -> usize {
    match leg {
        Leg::Legacy => 0,
        Leg::Candidate => 1,
    }
}

/// A step of which something is expected, and what was said in it.
struct Case<'a> {
    step: &'a Step,
    terms: &'a Terms,
    action: &'a str,
    /// What each said; none of a backend that was not there.
    words: [Option<Words>; 2],
}

impl<'a> Weighing<'a> {
    fn told(&mut self, told: &'a Told) {
        let step = &self.scenario.steps[told.step];
        let (Some(terms), Some(action)) = (step.act.terms(), self.action(told.step)) else {
            return;
        };
        for meaning in &mut self.meanings {
            meaning.now = told.now;
        }
        let case = |words| Case {
            step,
            terms,
            action,
            words,
        };
        match told.by {
            By::Nobody => self.copied(told, step, action),
            By::Charger => {
                let row = self.observed.and_then(|observed| {
                    let seq = observed.call(&self.played.charger, &told.id, told.nth)?;
                    observed.exchange(seq)
                });
                let case = case(LEGS.map(|leg| self.answer(told, leg, row)));
                self.expected(&case);
                self.compare_exchange(&case, row);
            }
            By::Backend => {
                let (ours, theirs) = self.commands(told, step, action);
                let case = case([
                    self.command_words(Leg::Legacy, told, ours),
                    self.command_words(Leg::Candidate, told, theirs),
                ]);
                self.expected(&case);
                self.compare_command(&case, (ours, theirs));
            }
        }
    }

    /// A message that nobody answers must have gone to the candidate, too.
    fn copied(&mut self, told: &Told, step: &Step, action: &str) {
        let Some(observed) = self.observed else {
            return;
        };
        let seq = observed.call(&self.played.charger, &told.id, told.nth);
        if seq.is_some_and(|seq| observed.is_copied(seq)) {
            return;
        }
        self.failures.push(Failure {
            step: Some(step.number),
            action: action.to_owned(),
            side: Leg::Candidate.word().to_owned(),
            expected: "a copy of the message".to_owned(),
            got: "none".to_owned(),
            span: Some(step.span.clone()),
            ..Failure::default()
        });
    }

    /// The action of a step; of a repetition, that of the CALL which it repeats.
    fn action(&self, step: usize) -> Option<&'a str> {
        let before = self.scenario.steps[..=step].iter().rev();
        match &self.scenario.steps[step].act {
            Act::Await(command) => Some(&command.action),
            _ => before.into_iter().find_map(|step| match &step.act {
                Act::Call(call) => Some(call.action.as_str()),
                _ => None,
            }),
        }
    }

    /// What a backend answered to a CALL.
    fn answer(
        &self,
        told: &Told,
        leg: Leg,
        row: Option<&crate::ledger::row::Exchange>,
    ) -> Option<Words> {
        if leg == self.leg {
            let silence = told.silence.unwrap_or(NO_ANSWER);
            let nothing = || Words::Nothing(silence.to_owned());
            return Some(told.heard.as_deref().map_or_else(nothing, Words::of));
        }
        let observed = self.observed?;
        if let Some(row) = row.filter(|row| row.sent == 0) {
            let why = row
                .reason
                .map_or("unknown", crate::ledger::row::Reason::word);
            return Some(Words::Untold(format!("was not told: {why}")));
        }
        let seq = row.map_or(0, |row| Observed::leg_of(row, leg));
        let nothing = || Words::Nothing(NO_ANSWER.to_owned());
        Some(observed.text(seq).map_or_else(nothing, Words::of))
    }

    /// What is expected of what each said, and what names it gives a value.
    fn expected(&mut self, case: &Case<'_>) {
        for leg in LEGS {
            let Some(words) = &case.words[place(leg)] else {
                continue;
            };
            let wants = case.terms.of(leg);
            self.unforeseen(case, leg, words, wants);
            for expected in wants {
                self.expect(case, leg, words, expected);
            }
            if let Words::Payload(text) = words {
                let values = &mut self.meanings[place(leg)].values;
                Capture::take(&case.terms.captures, text, values);
            }
        }
    }

    /// An error, or silence, that nobody asked for.
    fn unforeseen(&mut self, case: &Case<'_>, leg: Leg, words: &Words, wants: &[Expected]) {
        let is_awaited = match &case.step.act {
            Act::Await(command) => command.from.contains(&leg),
            _ => true,
        };
        let is_fine = match words {
            Words::Payload(_) => is_awaited || wants.is_empty(),
            Words::Error(_) => wants.iter().any(|expected| expected.path == ERROR),
            Words::Nothing(_) => !is_awaited,
            // The comparison says that nothing was compared.
            Words::Untold(_) => true,
        };
        // What is expected of it says it better.
        if is_fine || (!wants.is_empty() && !matches!(words, Words::Nothing(_))) {
            return;
        }
        let expected = if matches!(case.step.act, Act::Await(_)) {
            format!("a command {}", case.action)
        } else {
            "an answer".to_owned()
        };
        self.fail(
            case,
            Failure {
                side: leg.word().to_owned(),
                expected,
                got: words.shown(),
                span: Some(case.step.span.clone()),
                ..Failure::default()
            },
        );
    }

    fn expect(&mut self, case: &Case<'_>, leg: Leg, words: &Words, expected: &Expected) {
        // That it said nothing is told once; that it was not told leaves unproved what is expected of it.
        if matches!(words, Words::Nothing(_)) {
            return;
        }
        let (wanted, got) = match expected.miss(&words.said(), &self.meanings[place(leg)]) {
            Ok(None) => return,
            Ok(Some(miss)) => (miss.expected, miss.got),
            Err(unknown) => (expected.path.clone(), unknown.to_string()),
        };
        self.fail(
            case,
            Failure {
                side: leg.word().to_owned(),
                expected: wanted,
                got,
                span: Some(expected.span.clone()),
                ..Failure::default()
            },
        );
    }

    /// Notes a failure of a step, with what both said.
    fn fail(&mut self, case: &Case<'_>, failure: Failure) {
        let shown = |leg| case.words[place(leg)].as_ref().map(Words::shown);
        self.failures.push(Failure {
            step: Some(case.step.number),
            action: case.action.to_owned(),
            legacy: shown(Leg::Legacy),
            candidate: shown(Leg::Candidate),
            ..failure
        });
    }

    /// Why it went no further, if it did not.
    fn end(&mut self) {
        let Some(broke) = &self.played.broke else {
            return;
        };
        let step = broke.step.map(|place| &self.scenario.steps[place]);
        let action = broke.step.and_then(|place| self.action(place));
        self.failures.push(Failure {
            step: step.map(|step| step.number),
            action: action.unwrap_or_default().to_owned(),
            side: self.leg.word().to_owned(),
            expected: "the scenario goes on".to_owned(),
            got: broke.why.clone(),
            span: step.map(|step| step.span.clone()),
            is_error: !broke.is_answer,
            ..Failure::default()
        });
    }
}
