//! Commands: those that a step awaits, and those that nobody does.

use serde_json::{Value, json};

use super::{Actor, By, End, NO_COMMAND, Told, deadline};
use crate::facts::Leg;
use crate::ocpp::Envelope;
use crate::replay::play::prepared::refused;
use crate::replay::scenario::model::{Act, Await, Reply};
use crate::replay::scenario::orders::Order;

impl<'a> Actor<'a> {
    /// Answers a command: as the step says that awaits it, now or later, else with a true refusal.
    pub(super) async fn obey(&mut self, text: &str, command: &Envelope<'_>) -> Result<(), End> {
        let awaited = self.awaited(&command.action);
        let id = Value::from(&*command.id);
        let answer = match awaited {
            None => {
                let (id, action) = (&command.id, &command.action);
                self.unawaited.push((id.to_string(), action.to_string()));
                refused(self.scenario.version, command)
            }
            Some((step, awaited)) => {
                self.lines.push(Told {
                    step,
                    by: By::Backend,
                    id: command.id.clone().into_owned(),
                    nth: 0,
                    now: self.clock.now(),
                    heard: Some(text.to_owned()),
                    silence: None,
                });
                self.met.insert(step, self.lines.len() - 1);
                self.capture(step, command.payload);
                match &awaited.answer {
                    Reply::Result(payload) => {
                        let payload = self.render(payload, self.clock.now())?;
                        json!([3, id, payload]).to_string()
                    }
                    Reply::Error(code) => json!([4, id, code, "", {}]).to_string(),
                }
            }
        };
        self.send(&answer, 1).await
    }

    /// The first step from here on that awaits a command which has not come yet.
    fn awaited(&self, action: &str) -> Option<(usize, &'a Await)> {
        let steps = self.scenario.steps.iter().enumerate().skip(self.step);
        steps
            .filter_map(|(place, step)| match &step.act {
                Act::Await(it) => Some((place, it)),
                _ => None,
            })
            .find(|(place, it): &(usize, &Await)| {
                it.action == action
                    && it.from.contains(&self.stage.leg)
                    && !self.met.contains_key(place)
            })
    }

    pub(super) async fn await_command(&mut self, command: &Await) -> Result<(), End> {
        let step = self.step;
        let now = self.clock.now();
        let payload = self.render(&command.payload, now)?;
        let (stage, charger) = (self.stage, self.identity.clone());
        let order = Order {
            charger: &charger,
            action: &command.action,
            payload: &payload,
            within: command.within,
        };
        // One after the other: what the charger answers to legacy is known when the candidate asks.
        let ordered = async {
            for leg in [Leg::Legacy, Leg::Candidate] {
                if command.from.contains(&leg) && stage.is_there(leg) {
                    let given = stage.orders.give(leg, order).await;
                    given.map_err(|error| (error.to_string(), false))?;
                }
            }
            Ok::<(), End>(())
        };
        self.lingers |= command.from.len() == 1;
        let is_heard = command.from.contains(&self.stage.leg);
        let due = deadline(command.within);
        let heard = async {
            if is_heard {
                self.hear_until(due, None, |actor| actor.met.contains_key(&step))
                    .await?;
            }
            Ok::<(), End>(())
        };
        tokio::try_join!(heard, ordered)?;
        if !self.met.contains_key(&step) {
            self.lines.push(Told {
                step,
                by: By::Backend,
                id: String::new(),
                nth: 0,
                now,
                heard: None,
                silence: Some(NO_COMMAND),
            });
        }
        Ok(())
    }
}
