//! One CALL, said to every target, and what is told of it.

use std::borrow::Cow;

use super::{Actor, now};
use crate::clock::Micros;
use crate::facts::Dir;
use crate::ocpp::identifiers::Part;
use crate::ocpp::rewrite::{self, Change};
use crate::ocpp::{Class, Envelope, MessageType, Version};
use crate::replay::instants;
use crate::replay::play::line::{End, Heard, Line};
use crate::replay::play::prepared::{TRANSACTIONS, refused};
use crate::replay::story::Told;
use crate::replay::tape::Beat;
use crate::shadow::translate::{self, Plan, Rewrite};

/// A CALL on its way.
#[derive(Clone, Copy)]
struct Call<'c> {
    id: &'c str,
    action: &'c str,
    version: Version,
    /// What its authority answered when it was recorded.
    recorded: &'c str,
}

/// What became of a CALL at a target.
enum Came {
    Answer(String),
    Silence,
    Lost(Option<u16>),
}

/// What the last target is compared with: the text that the other side got, and its answer.
struct Reference {
    text: String,
    answer: Option<(String, Micros)>,
}

impl Actor<'_> {
    /// Says one CALL to every target.
    pub(super) async fn say(&mut self, beat: &Beat) {
        let version = self.track.lines[beat.line].version;
        let text = instants::moved(&beat.text, self.stage.moved_by(beat.at));
        let text = self.with_fresh_transactions(version, &text);
        let Ok(envelope) = Envelope::parse(&text) else {
            return;
        };
        let call = Call {
            id: &envelope.id,
            action: &envelope.action,
            version,
            recorded: beat.answer.as_ref().map_or("", |(answer, _)| answer),
        };
        let last = self.lanes.len() - 1;
        let reference = match (last, &self.story) {
            (0, None) => None,
            (0, Some(_)) => Some(Reference {
                text: text.clone().into_owned(),
                answer: beat.answer.as_ref().map(|(answer, heard)| {
                    let at = now() + (heard - beat.at);
                    (instants::clock_moved(answer, at - heard), at)
                }),
            }),
            _ => {
                let (sent, _) = self.translated(0, &text, &envelope, version);
                let answer = match self.ask(0, call, &sent).await {
                    Came::Answer(answer) => Some((answer, now())),
                    Came::Silence | Came::Lost(_) => None,
                };
                Some(Reference { text: sent, answer })
            }
        };
        let (sent, rewrites) = self.translated(last, &text, &envelope, version);
        let told = reference.and_then(|reference| self.tell(call, reference, &rewrites));
        let came = self.ask(last, call, &sent).await;
        if let Some((told, ours)) = told {
            self.tell_answer(call, told, &ours, &came);
        }
    }

    /// The text as a target gets it: with its own identifiers, where it has assigned some.
    fn translated(
        &mut self,
        target: usize,
        text: &str,
        envelope: &Envelope<'_>,
        version: Version,
    ) -> (String, Vec<Rewrite>) {
        if translate::is_plain(version, &envelope.action) {
            return (text.to_owned(), Vec::new());
        }
        let relation = &mut self.lanes[target].relation;
        if let Some(event) = translate::transaction_event(version, envelope) {
            // The charger's own: it means the same everywhere.
            relation.learn(Class::TransactionId, &event.transaction, &event.transaction);
        }
        match translate::plan(version, text, envelope, relation) {
            Plan::Send(done) => (done.text.unwrap_or_else(|| text.to_owned()), done.rewrites),
            // The target assigned none in its place: it gets what was recorded, and may say so.
            Plan::Withhold(_) => (text.to_owned(), Vec::new()),
        }
    }

    /// A 2.x message with ids of its own for the transactions that the charger begins.
    fn with_fresh_transactions<'t>(&mut self, version: Version, text: &'t str) -> Cow<'t, str> {
        if version == Version::V16 {
            return Cow::Borrowed(text);
        }
        let Ok(envelope) = Envelope::parse(text) else {
            return Cow::Borrowed(text);
        };
        if let Some(event) = translate::transaction_event(version, &envelope)
            && !self.fresh.contains_key(&event.transaction)
        {
            let mut fresh = self.random.uuid();
            fresh.truncate(event.transaction.trim_matches('"').len());
            self.fresh.insert(event.transaction, fresh);
        }
        let mut changes = Vec::new();
        for path in TRANSACTIONS {
            for at in rewrite::places(&envelope, path).unwrap_or_default() {
                let to = self.fresh.get(&text[at.clone()]).cloned();
                changes.extend(to.map(|to| Change::Value { at, to }));
            }
        }
        rewrite::rewrite(text, &changes).unwrap_or(Cow::Borrowed(text))
    }

    /// Sends a CALL to a target and waits for what it answers.
    async fn ask(&mut self, target: usize, call: Call<'_>, text: &str) -> Came {
        let Some(mut line) = self.lanes[target].line.take() else {
            return Came::Lost(None);
        };
        let patience = self.stage.settings.targets[target].patience;
        let asked = now();
        self.stage.count(target, |counts| counts.asked += 1);
        let due = asked + patience.as_micros() as Micros;
        let mut ended = line.send(text, patience).await.err();
        while ended.is_none() {
            match line.hear(due).await {
                Ok(Heard::Nothing) => {
                    self.stage.count(target, |counts| counts.silent += 1);
                    self.lanes[target].line = Some(line);
                    return Came::Silence;
                }
                Ok(Heard::Text(text)) => {
                    if self.is_answer(target, call, &text, asked) {
                        self.lanes[target].line = Some(line);
                        return Came::Answer(text);
                    }
                    ended = self
                        .obey(target, &mut line, &text, call.version)
                        .await
                        .err();
                }
                Err(end) => ended = Some(end),
            }
        }
        self.stage.count(target, |counts| counts.lost += 1);
        Came::Lost(ended.and_then(|end| end.code))
    }

    /// Whether a text answers a CALL; then it is counted, and what it assigns is learned.
    fn is_answer(&mut self, target: usize, call: Call<'_>, text: &str, asked: Micros) -> bool {
        let Ok(answer) = Envelope::parse(text) else {
            return false;
        };
        if !answer.kind.is_answer() || answer.id != call.id {
            return false;
        }
        let is_error = answer.kind == MessageType::CallError;
        self.stage.count(target, |counts| {
            counts.answered += u64::from(!is_error);
            counts.errors += u64::from(is_error);
            counts.took.count(now() - asked);
        });
        let relation = &mut self.lanes[target].relation;
        for (class, ours, theirs) in pairs(call, call.recorded, text) {
            relation.relearn(class, &ours, &theirs);
        }
        true
    }

    /// Tells the CALL and the other side's answer; gives back that answer for what it assigns.
    fn tell(
        &mut self,
        call: Call<'_>,
        reference: Reference,
        rewrites: &[Rewrite],
    ) -> Option<(Told, String)> {
        let story = self.story.as_mut()?;
        let told = story.call((call.id, call.action), &reference.text, rewrites, now());
        let answer = reference.answer.map(|(answer, at)| {
            story.message(Dir::ToCharger, &answer, at);
            answer
        });
        Some((told, answer.unwrap_or_default()))
    }

    fn tell_answer(&mut self, call: Call<'_>, told: Told, ours: &str, came: &Came) {
        let Some(story) = self.story.as_mut() else {
            return;
        };
        match came {
            Came::Answer(text) => {
                let seq = story.answer(told.sent, text, now());
                for (class, ours, theirs) in pairs(call, ours, text) {
                    story.learn(class, &ours, &theirs, seq, now());
                }
            }
            Came::Silence => {
                let last = self.stage.settings.targets.last();
                let waited = last.map_or(0, |target| target.patience.as_micros() as Micros);
                story.silence(told.sent, call.action, waited, now());
            }
            Came::Lost(code) => story.lost(*code, now()),
        }
    }

    /// Refuses a command of a target's. Anything else that it says unasked is left alone.
    pub(super) async fn obey(
        &mut self,
        target: usize,
        line: &mut Line,
        text: &str,
        version: Version,
    ) -> Result<(), End> {
        let Ok(command) = Envelope::parse(text) else {
            return Ok(());
        };
        if command.kind != MessageType::Call {
            return Ok(());
        }
        self.stage.count(target, |counts| counts.commands += 1);
        let answer = refused(version, &command);
        let is_last = target + 1 == self.lanes.len();
        if let Some(story) = self.story.as_mut().filter(|_| is_last) {
            let seq = story.answer(0, text, now());
            story.obey(seq, &command.action, &answer, now());
        } else if let Some(story) = &mut self.story {
            story.message(Dir::ToCharger, text, now());
            story.message(Dir::FromCharger, &answer, now());
        }
        line.send(&answer, self.stage.settings.targets[target].patience)
            .await
    }
}

/// What two answers to a CALL assign in the same places.
fn pairs(call: Call<'_>, ours: &str, theirs: &str) -> Vec<(Class, String, String)> {
    if !translate::answer_mints(call.version, call.action) {
        return Vec::new();
    }
    let minted = |text: &str| {
        Envelope::parse(text).map_or_else(
            |_| Vec::new(),
            |answer| translate::mints(call.version, call.action, Part::Response, answer.payload),
        )
    };
    translate::pair(&minted(ours), &minted(theirs))
}
