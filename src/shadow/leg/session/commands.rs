//! Commands of the shadow backend: chosen an answer for, held for the authority's twin, answered, told to operators.

use serde_json::{Map, Value};
use tokio::time::Instant;

use super::Session;
use crate::clock::Clock;
use crate::facts::{Dir, Kind};
use crate::ocpp::json::Step;
use crate::ocpp::rewrite::{self, Change};
use crate::ocpp::{Envelope, Version, effect};
use crate::shadow::commands::{Pairs, Real};
use crate::shadow::memory::{Contradiction, Memory};
use crate::shadow::queue::Synthetic;
use crate::shadow::socket::SocketEnd;
use crate::shadow::stand_in::{self, Acceptance, Answer, Choice, Situation, Wait, source};
use crate::shadow::translate::{self, Plan};

/// How many commands wait for a twin at once; one more is answered without.
const MOST_HELD: usize = 16;

/// How many bytes of them.
const MOST_HELD_BYTES: usize = 256 << 10;

/// How many notices are remembered, so that a backend that repeats itself does not fill the log.
const NOTICED: usize = 16;

/// A command that waits for the authority's twin.
pub(super) struct Held {
    asked: Asked,
    /// What for.
    wait: Wait,
    /// When it is answered without.
    pub(super) until: Instant,
}

impl Held {
    /// Its number among the shadow's commands.
    pub(super) const fn number(&self) -> u64 {
        self.asked.number
    }
}

/// A command of the backend's.
struct Asked {
    /// The whole CALL.
    text: String,
    /// Its `ShadowReceived` fact.
    fact: u64,
    /// Its number among the shadow's commands.
    number: u64,
    since: Instant,
}

impl Session<'_> {
    /// Answers a command in the charger's place, or lets it wait for the authority's twin.
    pub(super) async fn stand_in(
        &mut self,
        text: &str,
        command: &Envelope<'_>,
    ) -> Result<(), SocketEnd> {
        let fact = self.received(0, text.as_bytes(), None);
        let settings = &self.link.common().settings;
        let twin = {
            let mut memory = self.link.memory.borrow_mut();
            let memory = &mut *memory;
            let now = Clock::system().now();
            let reuse = settings.reuse.as_micros() as i64;
            memory
                .commands
                .shadow_called(self.link.version, command, now, &memory.relation, reuse)
        };
        self.learn(twin.pairs, fact);
        let asked = Asked {
            text: text.to_owned(),
            fact,
            number: twin.number,
            since: Instant::now(),
        };
        let real = twin
            .answer
            .and_then(|real| self.handed_on(command, fact, real));
        let may_wait = !settings.hold.is_zero()
            && self.has_room_to_hold(text)
            && self.link.drain_by().is_none();
        let wait = match twin.under_way {
            _ if !may_wait => Wait::Not,
            true => Wait::ForAnswer,
            false => Wait::ForTwin,
        };
        let until = asked.since + settings.hold;
        if let Some(answer) = self.choose(&asked, command, real.as_ref(), wait) {
            return self.answer(&asked, command, answer).await;
        }
        let number = asked.number;
        self.link.memory.borrow_mut().commands.waits(number, true);
        self.held.push(Held { asked, wait, until });
        Ok(())
    }

    fn has_room_to_hold(&self, text: &str) -> bool {
        let bytes: usize = self.held.iter().map(|held| held.asked.text.len()).sum();
        self.held.len() < MOST_HELD && bytes + text.len() <= MOST_HELD_BYTES
    }

    /// Answers held commands whose twin the charger has answered, those that the charger's model can answer by now, and those
    /// whose time is over.
    pub(super) async fn settle_held(&mut self) -> Result<(), SocketEnd> {
        let leaving = self.link.drain_by().is_some();
        let mut at = 0;
        while let Some(held) = self.held.get(at) {
            let number = held.asked.number;
            let found = self.link.memory.borrow().commands.real_answer(number);
            let early = found.is_none() && !leaving && held.until > Instant::now();
            let known = if early { self.known(held) } else { None };
            if early && known.is_none() {
                at += 1;
                continue;
            }
            let Held { asked, .. } = self.held.remove(at);
            self.link.memory.borrow_mut().commands.waits(number, false);
            let Ok(command) = Envelope::parse(&asked.text) else {
                continue;
            };
            let real = found.and_then(|(real, pairs)| {
                if real.is_accepted() {
                    self.learn(pairs, asked.fact);
                }
                self.handed_on(&command, asked.fact, real)
            });
            let answer = known.or_else(|| self.choose(&asked, &command, real.as_ref(), Wait::Not));
            if let Some(answer) = answer {
                // Boxed: a leg spends its life in this loop without anything to answer.
                Box::pin(self.answer(&asked, &command, answer)).await?;
            }
        }
        Ok(())
    }

    /// The answer to a held command that need not wait any longer: the charger has told its authority what was asked.
    fn known(&self, held: &Held) -> Option<Answer> {
        let command = Envelope::parse(&held.asked.text).ok()?;
        self.choose(&held.asked, &command, None, held.wait)
    }

    /// The best answer; `None`: wait.
    fn choose(
        &self,
        asked: &Asked,
        command: &Envelope<'_>,
        real: Option<&Real>,
        wait: Wait,
    ) -> Option<Answer> {
        let mut memory = self.link.memory.borrow_mut();
        let memory: &mut Memory = &mut memory;
        let simulate = &self.link.common().settings.simulate;
        let situation = Situation {
            version: self.link.version,
            model: &memory.model,
            ongoing: memory.is_ongoing(command),
            acceptance: self.acceptance,
            real,
            overlay: &memory.overlay,
            wait,
            simulates: simulate.iter().any(|action| *action == command.action),
            now: Clock::system().now(),
        };
        match stand_in::choose(&asked.text, command, situation) {
            Choice::Answer(answer) => Some(answer),
            Choice::Hold => None,
            Choice::Simulate(otherwise) => Some(self.obey(asked, command, memory, &otherwise)),
        }
    }

    /// Pretends to obey, or refuses where even a pretence may not.
    fn obey(
        &self,
        asked: &Asked,
        command: &Envelope<'_>,
        memory: &mut Memory,
        otherwise: &str,
    ) -> Answer {
        let (overlay, version) = (&mut memory.overlay, self.link.version);
        let before = overlay.is_empty();
        let told = overlay.obey(version, command, otherwise);
        self.link.note_overlay(overlay, before, asked.fact);
        match told {
            Some(told) => {
                if told.restarts {
                    overlay.restart();
                }
                stand_in::pretended(&asked.text, command, told)
            }
            None => stand_in::refuse(&asked.text, command, version),
        }
    }

    /// The charger's real answer with the shadow's identifiers; `None` if it may not be handed on.
    fn handed_on(&self, command: &Envelope<'_>, fact: u64, real: Real) -> Option<Real> {
        let mut memory = self.link.memory.borrow_mut();
        if command.action == "SendLocalList" && real.is_accepted() {
            let overlay = &mut memory.overlay;
            let before = overlay.is_empty();
            overlay.list_is_real(self.link.version, command.payload);
            self.link.note_overlay(overlay, before, fact);
        }
        match real {
            Real::Result(payload) => {
                let (version, action) = (self.link.version, &command.action);
                let payload = translate::answer(version, action, &payload, &memory.relation)?;
                Some(Real::Result(payload.into()))
            }
            error @ Real::Error(_) => Some(error),
        }
    }

    fn learn(&self, pairs: Pairs, fact: u64) {
        let about = self.link.fact(Kind::IdentifierLearned, None).because(fact);
        self.link.memory.borrow_mut().learn(
            &self.link.common().recorder,
            &about,
            pairs,
            Contradiction::TakesLast,
        );
    }

    /// Sends an answer and records it, then what a charger would send after it.
    async fn answer(
        &mut self,
        asked: &Asked,
        command: &Envelope<'_>,
        mut answer: Answer,
    ) -> Result<(), SocketEnd> {
        let planned = answer.follow.len();
        let follow = std::mem::take(&mut answer.follow);
        let mut follow = self.translated(follow, answer.is_own);
        if !self.link.queue(|queue| queue.has_room_for(follow.len())) {
            follow.clear();
        }
        if planned > 0 && follow.is_empty() {
            answer = stand_in::refuse(&asked.text, command, self.link.version);
        }
        self.write(&answer.text).await?;
        self.record_answer(asked, command, &answer);
        self.tell_operators(command, answer.source);
        self.link.make_up(follow);
        self.restarts |= command.action == "Reset" && answer.source == source::SIMULATE;
        Ok(())
    }

    fn record_answer(&self, asked: &Asked, command: &Envelope<'_>, answer: &Answer) {
        let mut note = Map::new();
        note.insert("action".to_owned(), command.action.as_ref().into());
        note.insert("source".to_owned(), answer.source.into());
        let waited = asked.since.elapsed().as_micros() as u64;
        note.insert("waited_us".to_owned(), waited.into());
        if let Some(evidence) = answer.evidence {
            let age = (Clock::system().now() - evidence.at).max(0);
            note.insert("model".to_owned(), evidence.label.word().into());
            note.insert("age_us".to_owned(), age.into());
        }
        if let Some(missing) = answer.missing {
            note.insert("missing".to_owned(), missing.into());
            let onboarding = matches!(self.acceptance, Acceptance::Pending | Acceptance::Rejected);
            note.insert("onboarding".to_owned(), onboarding.into());
        }
        let fact = self
            .link
            .fact(Kind::ShadowAnswered, Some(Dir::FromCharger))
            .because(asked.fact)
            .body(answer.text.as_bytes())
            .note(&Value::Object(note));
        self.link.common().recorder.record(fact);
    }

    /// Whoever watches the tap hears of a backend that tries to take or change the charger, once for each way. Values stay
    /// out: they may be secrets.
    fn tell_operators(&mut self, command: &Envelope<'_>, source: &str) {
        if matches!(source, source::REUSE | source::NO_OP) {
            return;
        }
        let version = self.link.version;
        let Some(notice) = effect::notice(version, &command.action, command.payload) else {
            return;
        };
        let about = format!("{}: {}", command.action, notice.words());
        if self.noticed.contains(&about) {
            return;
        }
        tracing::warn!(charger = %self.link.charger.escape_debug(), conn = self.link.conn,
            backend = self.link.common().settings.leg.word(), action = %command.action.escape_debug(),
            would = notice.words(), answered = source,
            "a backend without authority commands what would change the charger; nothing was done");
        if self.noticed.len() >= NOTICED {
            self.noticed.pop_front();
        }
        self.noticed.push_back(about);
    }

    /// The CALLs that a triggered charger would send now, translated like any other; what cannot be is left out. A
    /// report that the shadow asked for is in its own names already (`is_own`).
    fn translated(
        &mut self,
        follow: Vec<(&'static str, Box<str>)>,
        is_own: bool,
    ) -> Vec<Synthetic> {
        let mut calls = Vec::new();
        for (action, payload) in follow {
            let mut call = self.ids.call(action, &payload, "trigger");
            if is_own {
                calls.push(call);
                continue;
            }
            let Plan::Send(done) = self.plan(action, &call.text) else {
                continue;
            };
            if !done.rewrites.is_empty() && !self.is_synced() {
                continue;
            }
            if let Some(text) = done.text {
                call.text = text.into();
            }
            calls.push(call);
        }
        calls
    }

    /// A station that restarts because it was told to says so (2.x `reason`).
    pub(super) fn after_restart(&self, mut boot: Synthetic) -> Synthetic {
        let restarted = self.link.memory.borrow_mut().overlay.take_restart();
        if !restarted || self.link.version == Version::V16 {
            return boot;
        }
        let renamed = Envelope::parse(&boot.text).ok().and_then(|call| {
            let at = rewrite::places(&call, &[Step::Key("reason")]).ok()?.pop()?;
            let to = "RemoteReset".to_owned();
            let changed = rewrite::rewrite(&boot.text, &[Change::Value { at, to }]).ok()?;
            Some(changed.into_owned())
        });
        if let Some(text) = renamed {
            boot.text = text.into();
        }
        boot
    }
}
