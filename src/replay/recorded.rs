//! A bundle told as it was recorded, or as if one backend had answered in the other's place: what its steps show without
//! a network.

use serde_json::json;

use super::bundle::{Answer, Bundle, By, Step};
use super::story::Story;
use super::verdict::{Played, Seen};
use crate::clock::Micros;
use crate::facts::{Dir, Leg};
use crate::judge::Rules;
use crate::ocpp::identifiers::Part;
use crate::ocpp::instant;
use crate::shadow::translate;

/// Whether the asserted step shows the bundle's finding when the candidate answers as `voice` was recorded.
pub fn shows(bundle: &Bundle, rules: &Rules, voice: Leg) -> bool {
    let played = tell(bundle, voice);
    Seen::of(&played.facts, rules).shows(bundle, &played)
}

/// The facts of a bundle as it was recorded, with `voice` speaking for the candidate.
pub fn tell(bundle: &Bundle, voice: Leg) -> Played {
    let began = instant::rfc3339(&bundle.began).unwrap_or(0);
    let mut teller = Teller {
        bundle,
        voice,
        story: Story::open(
            &bundle.charger,
            bundle.handshake.legacy.subprotocol.as_deref(),
            began,
        ),
        calls: Vec::new(),
        began,
    };
    teller.handshake();
    for step in &bundle.steps {
        match step.by {
            By::Charger => teller.call(step),
            By::Legacy => teller.legacy_commands(step),
            By::Candidate if voice == Leg::Candidate => teller.candidate_commands(step),
            By::Candidate => {}
        }
        if step.by == By::Legacy && voice == Leg::Legacy {
            teller.candidate_commands(step);
        }
    }
    let last = bundle.steps.last().map_or(began, |step| teller.at(step));
    Played {
        facts: teller.story.end(last + MINUTES),
        calls: teller.calls,
        broke: None,
    }
}

/// Every window of the judge's is over by then.
const MINUTES: Micros = 300_000_000;

struct Teller<'a> {
    bundle: &'a Bundle,
    voice: Leg,
    story: Story,
    calls: Vec<(u32, u64)>,
    began: Micros,
}

impl Teller<'_> {
    fn at(&self, step: &Step) -> Micros {
        self.began + step.after_ms as Micros * 1_000
    }

    fn handshake(&mut self) {
        let shake = match self.voice {
            Leg::Legacy => &self.bundle.handshake.legacy,
            Leg::Candidate => &self.bundle.handshake.candidate,
        };
        if shake.why.is_empty() {
            self.story.let_in(shake.subprotocol.as_deref(), self.began);
        } else {
            let mut note =
                json!({"why": shake.why, "status": shake.status, "subprotocol": shake.subprotocol});
            if let Some(members) = note.as_object_mut() {
                members.retain(|_, value| !value.is_null());
            }
            self.story.refused(&note, self.began);
        }
    }

    fn call(&mut self, step: &Step) {
        let at = self.at(step);
        let id = format!("step-{}", step.step);
        let told = self
            .story
            .call((&id, &step.action), &call_text(&id, step), &[], at);
        self.calls.push((step.step, told.call));
        let legacy = step.legacy.as_ref();
        let later = |answer: &Answer| at + answer.after_ms as Micros * 1_000;
        if let Some((answer, text)) = legacy.and_then(|answer| Some((answer, answer.text(&id)?))) {
            self.story.message(Dir::ToCharger, &text, later(answer));
        }
        let Some(answer) = step.answer_of(self.voice) else {
            return;
        };
        match answer.text(&id) {
            Some(text) => {
                let seq = self.story.answer(told.sent, &text, later(answer));
                self.learn(step, answer, seq, later(answer));
            }
            None => self
                .story
                .silence(told.sent, &step.action, later(answer) - at, later(answer)),
        }
    }

    fn learn(&mut self, step: &Step, answer: &Answer, cause: u64, at: Micros) {
        let minted = |answer: &Answer| {
            translate::mints(
                self.bundle.version(),
                &step.action,
                Part::Response,
                answer.payload(),
            )
        };
        let ours = step.legacy.as_ref().map_or_else(Vec::new, minted);
        for (class, ours, theirs) in translate::pair(&ours, &minted(answer)) {
            self.story.learn(class, &ours, &theirs, cause, at);
        }
    }

    fn legacy_commands(&mut self, step: &Step) {
        let at = self.at(step);
        let id = format!("legacy-{}", step.step);
        let seq = self
            .story
            .message(Dir::ToCharger, &call_text(&id, step), at);
        self.calls.push((step.step, seq));
        if let Some(text) = step.charger.as_ref().and_then(|answer| answer.text(&id)) {
            self.story.message(Dir::FromCharger, &text, at);
        }
    }

    fn candidate_commands(&mut self, step: &Step) {
        let at = self.at(step);
        let id = format!("candidate-{}", step.step);
        let seq = self.story.answer(0, &call_text(&id, step), at);
        if let Some(text) = step.charger.as_ref().and_then(|answer| answer.text(&id)) {
            self.story.obey(seq, &step.action, &text, at);
        }
    }
}

/// The CALL of a step.
pub(super) fn call_text(id: &str, step: &Step) -> String {
    let action = serde_json::Value::from(step.action.as_str());
    let id = serde_json::Value::from(id);
    format!("[2,{id},{action},{}]", step.payload)
}
