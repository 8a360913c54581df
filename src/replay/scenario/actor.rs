//! The charger of a scenario: says what the file says, hears what comes, and notes both.

mod commands;
mod line;
mod saying;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::clock::ChargerClock;
use super::model::{Act, Capture, Connection, Scenario, Step};
use super::observed::Observed;
use super::orders::Orders;
use super::variables::{Meaning, Unknown};
use crate::clock::{Clock, Micros};
use crate::facts::Leg;
use crate::live::tls::TlsError;
use crate::ocpp::{Envelope, MessageType};
use crate::replay::play::Target;
use crate::replay::play::line::{Heard, Line};
use crate::replay::sim::random::Random;
use crate::shadow::dial::{DialError, Dialler};

/// How often it is looked whether the candidate has answered, too.
const LOOK: Duration = Duration::from_millis(20);

/// How long a backend is given to send the command that the other has sent: as long as the judge gives it, and a little more.
const TWIN: Duration = Duration::from_millis(5_500);

/// Where scenarios are played, and what is known of it.
pub struct Stage {
    /// Where the charger connects, and as whom: a tap, or the only backend.
    pub target: Target,
    /// Whose answers the charger hears: legacy's through a tap, the candidate's without one.
    pub leg: Leg,
    /// Who lets the backends send what a scenario awaits.
    pub orders: Orders,
    /// What the tap records, if there is one.
    pub observed: Option<RefCell<Observed>>,
    /// How long the candidate may take longer than legacy.
    pub patience: Duration,
    /// Tells this run from others: message ids and fresh identifiers follow from it.
    pub run: u64,
    /// Values that are given in place of the files' own.
    pub values: BTreeMap<String, String>,
}

/// What was said in a scenario.
#[derive(Debug, Clone, Default)]
pub struct Played {
    /// The charger's identity.
    pub charger: String,
    /// When it began and ended, µs.
    pub within: (Micros, Micros),
    /// What was said in the steps, in order.
    pub lines: Vec<Told>,
    /// What the names in the file meant before anything was captured.
    pub meaning: Meaning,
    /// Commands that the charger heard and no step awaits: message id and action.
    pub unawaited: Vec<(String, String)>,
    /// Why it went no further.
    pub broke: Option<Broke>,
}

/// What was said in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The step: a place in the scenario's list.
    pub step: usize,
    /// Who called.
    pub by: By,
    /// The message id: of the charger's CALL, or of the command that it heard.
    pub id: String,
    /// How many of its CALLs had the same id before.
    pub nth: usize,
    /// What the charger's clock showed.
    pub now: Micros,
    /// What the backend said that the charger hears: an answer or a command.
    pub heard: Option<String>,
    /// Why it said nothing.
    pub silence: Option<&'static str>,
}

/// Who called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The charger, and is answered.
    Charger,
    /// The backend that the charger hears.
    Backend,
    /// The charger, without an answer: a SEND.
    Nobody,
}

/// Why a scenario went no further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broke {
    /// The step; none before the first.
    pub step: Option<usize>,
    /// What happened, in words.
    pub why: String,
    /// Whether the backend is to blame, or nobody could say anything.
    pub is_answer: bool,
}

/// The first of the silences: the backend did not answer in time.
pub(super) const NO_ANSWER: &str = "no answer in time";
/// The charger heard no such command.
pub(super) const NO_COMMAND: &str = "no command in time";

impl Stage {
    /// Plays a scenario to its end, or as far as it goes.
    pub async fn play(
        &self,
        scenario: &Scenario,
        identity: &str,
        number: usize,
    ) -> Result<Played, TlsError> {
        let dialler = crate::replay::play::line::dialler(&self.target)?;
        let began = now();
        let mut actor = Actor {
            stage: self,
            scenario,
            dialler,
            identity: identity.to_owned(),
            line: None,
            half_open: Vec::new(),
            clock: ChargerClock::new(scenario.passes()),
            meaning: Meaning::default(),
            captured: BTreeMap::new(),
            lines: Vec::new(),
            kept: VecDeque::new(),
            met: BTreeMap::new(),
            step: 0,
            last: None,
            may_be_cut: false,
            lingers: false,
            lingered: 0,
            unawaited: Vec::new(),
            ids: Ids::new(self.run, number),
        };
        let limited = timeout(scenario.limit, actor.run()).await;
        let broke = limited.unwrap_or_else(|_| {
            let why = format!("it did not end within {:?}", scenario.limit);
            Some(actor.broke(why, true))
        });
        actor.leave().await;
        Ok(Played {
            charger: identity.to_owned(),
            within: (began, now()),
            lines: actor.lines,
            meaning: actor.meaning,
            unawaited: actor.unawaited,
            broke,
        })
    }

    /// Whether a backend takes part.
    const fn is_there(&self, leg: Leg) -> bool {
        matches!(leg, Leg::Candidate) || self.observed.is_some()
    }

    /// Waits until both backends have answered these CALLs of a charger, or patience is over.
    async fn settled(&self, charger: &str, lines: &[Told]) {
        let Some(observed) = &self.observed else {
            return;
        };
        let all = async {
            while !is_settled(observed, charger, lines) {
                sleep(LOOK).await;
            }
        };
        // Past its patience the judge says what is missing.
        drop(timeout(self.patience, all).await);
    }
}

/// Whether both backends have said what there is to be said, as far as is recorded.
fn is_settled(observed: &RefCell<Observed>, charger: &str, lines: &[Told]) -> bool {
    let mut observed = observed.borrow_mut();
    if let Err(error) = observed.read() {
        tracing::debug!(%error, "the recording cannot be read yet");
        return false;
    }
    lines.iter().all(|told| match told.by {
        By::Charger => {
            let seq = observed.call(charger, &told.id, told.nth);
            seq.is_some_and(|seq| observed.exchange(seq).is_some())
        }
        By::Backend if told.heard.is_some() => {
            let seq = observed.heard(charger, &told.id);
            seq.is_some_and(|seq| observed.command(seq).is_some())
        }
        By::Nobody => {
            let seq = observed.call(charger, &told.id, told.nth);
            seq.is_some_and(|seq| observed.is_copied(seq))
        }
        By::Backend => true,
    })
}

fn now() -> Micros {
    Clock::system().now()
}

/// Message ids: no two of a run are alike, and hardly any of two runs.
struct Ids {
    run: u64,
    scenario: usize,
    count: u32,
}

impl Ids {
    const fn new(run: u64, scenario: usize) -> Self {
        Self {
            run,
            scenario,
            count: 0,
        }
    }

    fn next(&mut self) -> String {
        self.count += 1;
        format!("{:x}-{}-{}", self.run, self.scenario, self.count)
    }
}

/// A CALL as it was sent.
#[derive(Clone)]
struct Sent {
    id: String,
    action: String,
    payload: Value,
}

/// A CALL that waits for the network.
struct Kept {
    step: usize,
    now: Micros,
}

struct Actor<'a> {
    stage: &'a Stage,
    scenario: &'a Scenario,
    dialler: Dialler,
    identity: String,
    line: Option<Line>,
    /// Connections of which the other end does not know that they are dead.
    half_open: Vec<Line>,
    clock: ChargerClock,
    /// What names mean, without what was captured.
    meaning: Meaning,
    captured: BTreeMap<String, Value>,
    lines: Vec<Told>,
    kept: VecDeque<Kept>,
    /// Awaited commands that came, by their step: place among the lines.
    met: BTreeMap<usize, usize>,
    step: usize,
    last: Option<Sent>,
    /// Something odd was sent: whoever ends the connection now has his reasons.
    may_be_cut: bool,
    /// One backend alone has commanded: the other is given time to do the same.
    lingers: bool,
    /// The last command without a twin for which that was done.
    lingered: u64,
    /// Commands that no step awaits: message id and action.
    unawaited: Vec<(String, String)>,
    ids: Ids,
}

/// What ends a scenario: in words, and whether the backend is to blame.
type End = (String, bool);

impl Actor<'_> {
    async fn run(&mut self) -> Option<Broke> {
        if let Err(error) = self.prepare() {
            return Some(self.broke(error.to_string(), false));
        }
        if let Err(error) = self.connect().await {
            let broke = self.broke(error.to_string(), error.is_refusal());
            return Some(Broke {
                step: None,
                ..broke
            });
        }
        let scenario = self.scenario;
        for (place, step) in scenario.steps.iter().enumerate() {
            self.step = place;
            if let Err((why, is_answer)) = self.act(step).await {
                return Some(self.broke(why, is_answer));
            }
        }
        if let Err((why, is_answer)) = self.settle().await {
            return Some(self.broke(why, is_answer));
        }
        None
    }

    fn broke(&self, why: String, is_answer: bool) -> Broke {
        Broke {
            step: Some(self.step),
            why,
            is_answer,
        }
    }

    /// Gives the names their meaning: what is built in, the file's variables, and what was given in place of them.
    fn prepare(&mut self) -> Result<(), Unknown> {
        let charger = &self.scenario.charger;
        let built_in = [
            ("identity", self.identity.as_str()),
            ("vendor", &charger.vendor),
            ("model", &charger.model),
            ("serial", &charger.serial),
            ("firmware", &charger.firmware),
        ];
        for (name, value) in built_in {
            self.meaning.values.insert(name.to_owned(), value.into());
        }
        let mut random = Random::named(self.stage.run, &self.identity);
        let mut meaning = self.meaning.clone();
        for (name, value) in &self.scenario.variables {
            meaning
                .values
                .insert("uuid".to_owned(), random.uuid().into());
            meaning.now = self.clock.now();
            let given = self.stage.values.get(name);
            let value =
                meaning.render(&given.map_or_else(|| value.clone(), |it| like(value, it)))?;
            self.meaning.values.insert(name.clone(), value);
        }
        Ok(())
    }

    async fn act(&mut self, step: &Step) -> Result<(), End> {
        match &step.act {
            Act::Call(call) if self.line.is_none() => {
                tracing::debug!(action = call.action, "kept until the network is back");
                let now = self.clock.now();
                self.kept.push_back(Kept {
                    step: self.step,
                    now,
                });
                Ok(())
            }
            Act::Call(call) => self.call(call, self.clock.now()).await,
            Act::Repeat(repeat) => self.repeat(repeat.same_id).await,
            Act::Await(command) => self.await_command(command).await,
            Act::Wait(time) => {
                self.clock.pass(*time);
                Ok(())
            }
            Act::Pause(time) => self.listen(*time).await,
            Act::Connection(Connection::Back) => self.come_back().await,
            Act::Connection(how) => {
                self.settle().await?;
                self.go(*how).await;
                Ok(())
            }
            Act::Offline(time) => {
                self.settle().await?;
                self.go(Connection::Lost).await;
                self.clock.pass(*time);
                self.come_back().await
            }
            Act::PowerLoss(time) => {
                self.settle().await?;
                self.half_open.extend(self.line.take());
                self.clock.pass(*time);
                self.come_back().await
            }
            Act::Clock(setting) => {
                self.clock.set(*setting);
                Ok(())
            }
            Act::Frame(odd) => self.send_odd(*odd).await,
        }
    }

    /// Waits until the candidate has answered what legacy has answered, and both have had the time to command the same.
    async fn settle(&mut self) -> Result<(), End> {
        self.stage.settled(&self.identity, &self.lines).await;
        let Some(observed) = &self.stage.observed else {
            return Ok(());
        };
        let alone = observed.borrow().alone(&self.identity, self.lingered);
        self.lingered = alone.unwrap_or(self.lingered);
        if std::mem::take(&mut self.lingers) || alone.is_some() {
            return self.listen(TWIN).await;
        }
        Ok(())
    }

    fn render(&self, value: &Value, now: Micros) -> Result<Value, End> {
        let mut meaning = self.meaning.clone();
        meaning.now = now;
        meaning.values.extend(self.captured.clone());
        meaning
            .render(value)
            .map_err(|error| (error.to_string(), true))
    }

    /// Hears what comes until something holds or it is due. `again` is said once more if the connection was cut for something odd.
    async fn hear_until(
        &mut self,
        due: Micros,
        mut again: Option<(&str, u32)>,
        holds: impl Fn(&Self) -> bool,
    ) -> Result<(), End> {
        while !holds(self) {
            let Some(line) = &mut self.line else {
                return Ok(());
            };
            match line.hear(due).await {
                Ok(Heard::Nothing) => return Ok(()),
                Ok(Heard::Text(text)) => self.take(&text).await?,
                Err(_) if self.may_be_cut => {
                    self.may_be_cut = false;
                    self.dial_again().await?;
                    if let Some((text, fragments)) = again.take() {
                        self.send(text, fragments).await?;
                    }
                }
                Err(end) => return Err((format!("the connection ended: {}", end.why), true)),
            }
        }
        Ok(())
    }

    /// Takes an answer or a command.
    async fn take(&mut self, text: &str) -> Result<(), End> {
        let Ok(envelope) = Envelope::parse(text) else {
            return Ok(());
        };
        match envelope.kind {
            MessageType::Call => self.obey(text, &envelope).await,
            kind if kind.is_answer() => {
                self.learn(text, &envelope);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn learn(&mut self, text: &str, envelope: &Envelope<'_>) {
        let open = |told: &&mut Told| told.id == envelope.id && told.heard.is_none();
        let Some(told) = self.lines.iter_mut().find(open) else {
            return;
        };
        told.heard = Some(text.to_owned());
        told.silence = None;
        let step = told.step;
        self.capture(step, envelope.payload);
    }

    fn capture(&mut self, step: usize, payload: &str) {
        let Some(terms) = self.scenario.steps[step].act.terms() else {
            return;
        };
        Capture::take(&terms.captures, payload, &mut self.captured);
    }

    /// Real time passes, and whatever comes is heard.
    async fn listen(&mut self, time: Duration) -> Result<(), End> {
        if self.line.is_none() {
            sleep(time).await;
            return Ok(());
        }
        self.hear_until(deadline(time), None, |_| false).await
    }
}

/// A value that was given in place of another: a number where that is one.
fn like(value: &Value, given: &str) -> Value {
    match value {
        Value::Number(_) | Value::Bool(_) => {
            serde_json::from_str(given).unwrap_or_else(|_| given.into())
        }
        _ => given.into(),
    }
}

fn deadline(after: Duration) -> Micros {
    now() + after.as_micros() as Micros
}
