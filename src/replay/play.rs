//! Plays a bundle: stands in the charger's place before any backend, and tells what was said as facts.
//!
//! Times in payloads move so that the last step is now: nothing lies in the future, and everything is as far apart as it
//! was. Identifiers are the target's own from its answers on; a 2.x transaction gets a fresh id, so that a bundle can be
//! played again and again. Commands of the target are answered as the charger was recorded to answer them, else with a
//! true refusal.

pub(super) mod line;
pub(super) mod prepared;

use std::time::Duration;

use super::bundle::{Bundle, By, Step};
use super::instants;
use super::story::Story;
use super::verdict::{Broke, Played};
use crate::clock::{Clock, Micros};
use crate::facts::Dir;
use crate::ledger::row::Subject;
use crate::live::Backend;
use crate::live::tls::TlsError;
use crate::ocpp::identifiers::Part;
use crate::ocpp::relation::Relation;
use crate::ocpp::{Class, Envelope};
use crate::shadow::credentials::Credentials;
use crate::shadow::dial::DialError;
use crate::shadow::translate::{self, Plan, Rewrite};
use line::{Heard, Line};
use prepared::Prepared;

/// Where a bundle is played, and as whom.
#[derive(Debug, Clone)]
pub struct Target {
    /// The backend.
    pub backend: Backend,
    /// How the charger logs in.
    pub credentials: Credentials,
    /// The charger's identity there; the bundle's own if none.
    pub identity: Option<String>,
    /// The subprotocol that is offered; the bundle's own if none.
    pub subprotocol: Option<String>,
    /// How long an answer may take.
    pub patience: Duration,
    /// How long a command may take that legacy sent, at least.
    pub command_patience: Duration,
    /// Whether steps wait until they are due, as they were recorded.
    pub original_timing: bool,
}

impl Target {
    /// A backend without login, and the usual patience.
    pub fn new(backend: Backend) -> Self {
        Self {
            backend,
            credentials: Credentials::default(),
            identity: None,
            subprotocol: None,
            patience: Duration::from_secs(30),
            command_patience: Duration::from_secs(5),
            original_timing: false,
        }
    }
}

/// How much longer than it was recorded to take a late answer is waited for.
const GRACE: Duration = Duration::from_secs(5);

/// Plays a bundle to its end, or as far as it goes.
pub async fn play(bundle: &Bundle, target: &Target) -> Result<Played, TlsError> {
    let prepared = Prepared::new(bundle, target, Clock::system().now());
    let dialler = line::dialler(target)?;
    let bundle = &prepared.bundle;
    let mut player = Player {
        target,
        bundle,
        story: Story::open(
            &bundle.charger,
            bundle.handshake.legacy.subprotocol.as_deref(),
            now(),
        ),
        relation: Relation::new(),
        calls: Vec::new(),
        commanded: false,
    };
    let offered = bundle.charger.subprotocol.as_deref();
    let broke = match line::open(&dialler, &bundle.charger.identity, offered).await {
        Ok((line, subprotocol)) => {
            player.story.let_in(subprotocol.as_deref(), now());
            player.run(line).await
        }
        Err(error) => {
            player.story.refused(&error.note(), now());
            Some(turned_away(&error, bundle.finding.subject))
        }
    };
    Ok(Played {
        facts: player.story.end(now()),
        calls: player.calls,
        broke,
    })
}

fn now() -> Micros {
    Clock::system().now()
}

/// What it means that a target does not let the charger in. What is wrong with its handshake is what such a finding is about.
fn turned_away(error: &DialError, subject: Subject) -> Broke {
    let answered = error.is_refusal()
        || (subject == Subject::Handshake && matches!(error.why(), "tls" | "answer" | "not http"));
    if answered {
        Broke::Refused(error.to_string())
    } else {
        Broke::Unreached(error.to_string())
    }
}

struct Player<'a> {
    target: &'a Target,
    bundle: &'a Bundle,
    story: Story,
    relation: Relation,
    calls: Vec<(u32, u64)>,
    /// The target has sent a command of the asserted action.
    commanded: bool,
}

impl Player<'_> {
    /// Plays all steps on an open line.
    async fn run(&mut self, mut line: Line) -> Option<Broke> {
        let began = now();
        for step in &self.bundle.steps {
            if self.target.original_timing {
                let due = began + step.after_ms as Micros * 1_000;
                if let Err(why) = self.until(&mut line, due).await {
                    return Some(self.lost(step.step, why));
                }
            }
            let done = match step.by {
                By::Charger => self.call(&mut line, step).await,
                By::Legacy => {
                    self.legacy_commands(step);
                    Ok(())
                }
                By::Candidate => Ok(()),
            };
            if let Err(why) = done {
                return Some(self.lost(step.step, why));
            }
        }
        let waited = self.await_command(&mut line).await;
        let broke = waited
            .err()
            .map(|why| self.lost(self.bundle.asserts.step, why));
        if broke.is_none() {
            line.close().await;
        }
        broke
    }

    fn lost(&mut self, step: u32, end: line::End) -> Broke {
        self.story.lost(end.code, now());
        Broke::Lost(step, end.why)
    }

    /// A CALL of the charger's, and what the target answers.
    async fn call(&mut self, line: &mut Line, step: &Step) -> Result<(), line::End> {
        let id = format!("evenkeel-{}-{}", self.bundle.finding.id, step.step);
        let text = super::recorded::call_text(&id, step);
        let (sent, rewrites) = self.translated(&text);
        let at = now();
        let told = self.story.call((&id, &step.action), &text, &rewrites, at);
        self.calls.push((step.step, told.call));
        self.legacy_answers(step, &id, at);
        line.send(&sent, self.target.patience).await?;
        let due = at + self.patience(step).as_micros() as Micros;
        loop {
            match line.hear(due).await? {
                Heard::Nothing => {
                    self.story
                        .silence(told.sent, &step.action, now() - at, now());
                    return Ok(());
                }
                Heard::Text(text) => {
                    let Ok(envelope) = Envelope::parse(&text) else {
                        // Whatever it is, it is no answer to another CALL: only one is open.
                        self.story.answer(told.sent, &text, now());
                        return Ok(());
                    };
                    if envelope.kind.is_answer() && envelope.id == id {
                        let seq = self.story.answer(told.sent, &text, now());
                        self.learn(step, &envelope, seq);
                        return Ok(());
                    }
                    self.obey(line, &text, &envelope).await?;
                }
            }
        }
    }

    /// How long the answer to a step may take: where it is asserted that it is not late, it must be heard that it is.
    fn patience(&self, step: &Step) -> Duration {
        let recorded = step.candidate.as_ref().map_or(0, |answer| answer.after_ms);
        let is_late = self.bundle.finding.kind == "late" && step.step == self.bundle.asserts.step;
        if is_late {
            (Duration::from_millis(recorded) + GRACE).max(self.target.patience)
        } else {
            self.target.patience
        }
    }

    /// The CALL as the target gets it: with its own identifiers, where it has assigned some.
    fn translated(&mut self, text: &str) -> (String, Vec<Rewrite>) {
        let Ok(envelope) = Envelope::parse(text) else {
            return (text.to_owned(), Vec::new());
        };
        let version = self.bundle.version();
        if let Some(event) = translate::transaction_event(version, &envelope) {
            // The charger's own: it means the same everywhere.
            let id = &event.transaction;
            self.relation.learn(Class::TransactionId, id, id);
        }
        match translate::plan(version, text, &envelope, &self.relation) {
            Plan::Send(done) => (done.text.unwrap_or_else(|| text.to_owned()), done.rewrites),
            // The target assigned none in its place: it gets what legacy would have got, and may say so.
            Plan::Withhold(_) => (text.to_owned(), Vec::new()),
        }
    }

    /// What legacy was recorded to answer, as if it had been asked now.
    fn legacy_answers(&mut self, step: &Step, id: &str, at: Micros) {
        let Some(answer) = &step.legacy else {
            return;
        };
        if let Some(text) = answer.text(id) {
            let at = at + answer.after_ms as Micros * 1_000;
            let by = at - self.bundle.heard_at(step, answer);
            let text = instants::clock_moved(&text, by);
            self.story.message(Dir::ToCharger, &text, at);
        }
    }

    /// Learns which of the target's identifiers stand for which of legacy's.
    fn learn(&mut self, step: &Step, answer: &Envelope<'_>, cause: u64) {
        let version = self.bundle.version();
        let minted = |payload| translate::mints(version, &step.action, Part::Response, payload);
        let ours = step
            .legacy
            .as_ref()
            .map_or_else(Vec::new, |answer| minted(answer.payload()));
        for (class, ours, theirs) in translate::pair(&ours, &minted(answer.payload)) {
            self.relation.relearn(class, &ours, &theirs);
            self.story.learn(class, &ours, &theirs, cause, now());
        }
    }

    fn legacy_commands(&mut self, step: &Step) {
        let id = format!("legacy-{}", step.step);
        let text = super::recorded::call_text(&id, step);
        let seq = self.story.message(Dir::ToCharger, &text, now());
        self.calls.push((step.step, seq));
        if let Some(text) = step.charger.as_ref().and_then(|answer| answer.text(&id)) {
            self.story.message(Dir::FromCharger, &text, now());
        }
    }

    /// Answers a command of the target's. Anything else that it says unasked is left alone.
    async fn obey(
        &mut self,
        line: &mut Line,
        text: &str,
        envelope: &Envelope<'_>,
    ) -> Result<(), line::End> {
        if envelope.kind != crate::ocpp::MessageType::Call {
            return Ok(());
        }
        self.commanded |= envelope.action == self.bundle.finding.action;
        let seq = self.story.answer(0, text, now());
        let answer = prepared::obedience(self.bundle, envelope);
        self.story.obey(seq, &envelope.action, &answer, now());
        line.send(&answer, self.target.patience).await
    }

    /// Serves the target until an instant.
    async fn until(&mut self, line: &mut Line, due: Micros) -> Result<(), line::End> {
        while let Heard::Text(text) = line.hear(due).await? {
            if let Ok(envelope) = Envelope::parse(&text) {
                self.obey(line, &text, &envelope).await?;
            }
        }
        Ok(())
    }

    /// Waits for the command that is asserted: as long as the judge would give a backend, or until it is there.
    async fn await_command(&mut self, line: &mut Line) -> Result<(), line::End> {
        let asserted = self.bundle.asserted().filter(|step| step.by != By::Charger);
        let Some(step) = asserted else {
            return Ok(());
        };
        let before = (self.bundle.steps.iter())
            .rfind(|it| it.by == By::Charger && it.step < step.step)
            .map_or(0, |it| it.after_ms);
        let took = Duration::from_millis(step.after_ms.saturating_sub(before)) * 3;
        let waits = took.clamp(self.target.command_patience, Duration::from_mins(1));
        let due = now() + waits.as_micros() as Micros;
        while !self.commanded {
            let Heard::Text(text) = line.hear(due).await? else {
                return Ok(());
            };
            if let Ok(envelope) = Envelope::parse(&text) {
                self.obey(line, &text, &envelope).await?;
            }
        }
        Ok(())
    }
}
