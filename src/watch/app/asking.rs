//! Questions to the source thread and what comes back: which answer is shown, and which alarm is heard.

use super::{App, Effect, Reply, Request};
use crate::ocpp::Severity;
use crate::watch::snapshot::Alarm;

impl App {
    /// Takes an answer. While the screen is frozen only what was not known yet is shown.
    pub(super) fn reply(&mut self, reply: Reply) {
        let wanted = self
            .asked
            .as_ref()
            .is_some_and(|asked| asked.number == reply.number);
        let first = reply.number > self.answered;
        if wanted && (first || self.frozen.is_none()) {
            self.answered = reply.number;
            self.screen_mut().hear(reply.answer);
        }
    }

    /// Asks what the screen on top has to know, if that is another question than the last.
    pub(super) fn ask(&mut self, effects: &mut Vec<Effect>) {
        let question = self.screen().question(self.size.1);
        let at = self.point();
        if self
            .asked
            .as_ref()
            .is_some_and(|asked| asked.question == question && asked.at == at)
        {
            return;
        }
        self.questions += 1;
        let request = Request {
            number: self.questions,
            question,
            at,
        };
        self.asked = Some(request.clone());
        effects.push(Effect::Ask(request));
    }

    /// Once per new alarm.
    pub(super) fn sound(&mut self, effects: &mut Vec<Effect>) {
        let alarms = self.alarms();
        let new: Vec<&Alarm> = alarms
            .iter()
            .filter(|alarm| {
                let known = |key| self.heard.contains(key) || self.silenced.contains(key);
                alarm.severity <= Severity::S1 && !alarm.keys.iter().all(known)
            })
            .collect();
        if let Some(worst) = new.first() {
            effects.push(Effect::Bell(self.mask.text(&worst.says)));
        }
        // What has gone may sound again when it comes back.
        self.heard = alarms.into_iter().flat_map(|alarm| alarm.keys).collect();
    }
}
