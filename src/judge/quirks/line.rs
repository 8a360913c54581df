//! What is remembered of one connection.

use std::collections::{BTreeSet, VecDeque};

use super::history::History;
use super::stamp;
use crate::clock::Micros;
use crate::facts::Fact;
use crate::judge::heard::Heard;
use crate::judge::mix::Mix;
use crate::ocpp::json::Step;
use crate::ocpp::quirks::{Effect, Quirk, Quirks};
use crate::ocpp::{Envelope, MessageType};

/// CALLs and commands that are remembered.
const MOST: usize = 16;

/// A charger that leaves this soon after a command, unanswered, leaves because of it, µs.
const HANG_UP: Micros = 30_000_000;

/// The same after the answer to its start, µs.
const STARTLED: Micros = 2_000_000;

/// A message this much older than its arrival was kept, µs.
const OLD: Micros = 300_000_000;

/// So many messages from before the connection are a flood.
const FLOOD: u32 = 10;

/// A limit below this stops most vehicles, A.
const LEAST_AMPERE: f64 = 6.0;

/// A transaction that ends this soon after a low limit ends for it, µs.
const STARVED: Micros = 120_000_000;

/// Shifts of so many messages by the same half hours are a clock in local time.
const SHIFTED: u32 = 3;

const HALF_HOUR: Micros = 1_800_000_000;

/// How far from the half hour a shift may be, µs.
const SLACK: Micros = 120_000_000;

/// One connection.
#[derive(Debug, Clone, Default)]
pub(in crate::judge) struct Line {
    /// Quirks of its handshake and framing.
    pub(in crate::judge) odd: Quirks,
    opened: Micros,
    /// Nothing of it was missed.
    pub(super) whole: bool,
    /// What has been said of it.
    said: BTreeSet<&'static str>,
    /// Ids and payloads of the charger's last CALLs.
    calls: VecDeque<(u64, u64)>,
    /// Commands that the charger has not answered.
    commands: VecDeque<Command>,
    /// Some were forgotten.
    forgotten: bool,
    /// Ids of the last commands of authority and shadow.
    used: [VecDeque<u64>; 2],
    /// When a start was answered.
    started: Option<Micros>,
    /// When a low limit was set.
    limited: Option<Micros>,
    old: u32,
    /// A shift in half hours, and how many messages had it.
    shift: (i64, u32),
}

#[derive(Debug, Clone)]
struct Command {
    id: String,
    action: String,
    at: Micros,
    /// A remote start whose token is not hexadecimal.
    odd_token: bool,
    /// The charger has spoken since.
    survived: bool,
}

fn push<T>(ring: &mut VecDeque<T>, value: T) -> bool {
    let full = ring.len() >= MOST;
    if full {
        ring.pop_front();
    }
    ring.push_back(value);
    full
}

impl Line {
    /// A connection that opened at `opened`; `whole` if it is seen from its first frame.
    pub(in crate::judge) fn opened(opened: Micros, whole: bool) -> Self {
        Self {
            opened,
            whole,
            ..Self::default()
        }
    }

    /// Frames of it were lost.
    pub(in crate::judge) fn gap(&mut self) {
        *self = Self {
            odd: self.odd,
            opened: self.opened,
            said: std::mem::take(&mut self.said),
            ..Self::default()
        };
    }

    /// The quirk for which a strict backend refuses the handshake.
    pub(in crate::judge) fn strict_root(&self) -> Option<Quirk> {
        self.odd
            .iter()
            .find(|quirk| quirk.effect() == Effect::Handshake)
    }

    /// Whether this is said for the first time.
    pub(super) fn first(&mut self, what: &'static str) -> bool {
        self.said.insert(what)
    }

    /// A CALL of the charger.
    pub(super) fn call(
        &mut self,
        fact: &Fact,
        envelope: &Heard<'_>,
        history: &History,
        odd: &mut Quirks,
    ) {
        // Whoever speaks has not left.
        self.started = None;
        self.commands.iter_mut().for_each(|one| one.survived = true);
        let boot = envelope.action == "BootNotification";
        if self.whole && self.first("called") && !boot && !history.booted {
            odd.insert(37);
        }
        let (id, payload) = (Mix::of(&envelope.id), Mix::of(envelope.payload));
        if self.calls.iter().any(|(known, _)| *known == id) {
            odd.insert(5);
        }
        if history.is_hopeless(payload) {
            odd.insert(50);
        }
        push(&mut self.calls, (id, payload));
        if let Some((stamp, utc)) = stamp(envelope) {
            self.stamped(stamp, utc, fact.at, odd);
            let kept = fact.at - stamp > OLD && stamp >= self.opened;
            let begins = envelope.action == "StartTransaction";
            if kept && begins && self.whole && self.shift.1 < SHIFTED {
                odd.insert(10);
            }
        }
        if matches!(&*envelope.action, "StopTransaction" | "TransactionEvent") {
            self.stopped(fact.at, envelope, odd);
        }
    }

    fn stamped(&mut self, stamp: Micros, utc: bool, at: Micros, odd: &mut Quirks) {
        if stamp < self.opened && at - stamp > OLD {
            self.old += 1;
            if self.old == FLOOD {
                odd.insert(49);
            }
        }
        let ahead = stamp - at;
        let halves = (ahead + HALF_HOUR.signum() * HALF_HOUR / 2).div_euclid(HALF_HOUR);
        let near = (ahead - halves * HALF_HOUR).abs() <= SLACK;
        if !utc || halves == 0 || halves.abs() > 28 || !near {
            self.shift = (0, 0);
        } else if self.shift.0 == halves {
            self.shift.1 = self.shift.1.saturating_add(1);
        } else {
            self.shift = (halves, 1);
        }
        if self.shift.1 == SHIFTED && self.first("shifted") {
            odd.insert(17);
        }
    }

    fn stopped(&mut self, at: Micros, message: &Heard<'_>, odd: &mut Quirks) {
        const REASON: [Step; 2] = [Step::Key("transactionInfo"), Step::Key("stoppedReason")];
        let reason = message.member("reason").or_else(|| message.scalar(&REASON));
        let starved = self.limited.is_some_and(|limited| at - limited <= STARVED);
        if reason.as_deref() == Some("Other") && starved {
            self.limited = None;
            odd.insert(51);
        }
    }

    /// An answer of the charger.
    pub(super) fn reply(&mut self, envelope: &Heard<'_>, odd: &mut Quirks) {
        let place = self.commands.iter().position(|one| one.id == envelope.id);
        match place.and_then(|place| self.commands.remove(place)) {
            Some(command) => {
                let rejected = envelope.member("status").as_deref() == Some("Rejected");
                if command.odd_token && rejected {
                    odd.insert(30);
                }
            }
            None if self.whole && !self.forgotten => odd.insert(46),
            None => {}
        }
    }

    /// A command of the authority. True if its id was used before.
    pub(super) fn command(&mut self, at: Micros, envelope: &Heard<'_>) -> bool {
        let token = || envelope.member("idTag").unwrap_or_default();
        let command = Command {
            id: envelope.id.to_string(),
            action: envelope.action.to_string(),
            at,
            odd_token: envelope.action == "RemoteStartTransaction"
                && !token().bytes().all(|byte| byte.is_ascii_hexdigit()),
            survived: false,
        };
        self.forgotten |= push(&mut self.commands, command);
        if envelope.action == "SetChargingProfile" && is_low(envelope) {
            self.limited = Some(at);
        }
        self.reused(0, envelope)
    }

    /// A command of the shadow. True if its id was used before.
    pub(super) fn shadow_command(&mut self, envelope: &Envelope<'_>) -> bool {
        self.reused(1, envelope)
    }

    fn reused(&mut self, side: usize, envelope: &Envelope<'_>) -> bool {
        let id = Mix::of(&envelope.id);
        let reused = self.used[side].contains(&id);
        push(&mut self.used[side], id);
        reused
    }

    /// An answer of the authority to a CALL of the charger.
    pub(super) fn answer(&mut self, at: Micros, envelope: &Envelope<'_>, history: &mut History) {
        let id = Mix::of(&envelope.id);
        let call = self.calls.iter().rev().find(|(known, _)| *known == id);
        if let Some((_, payload)) = call {
            history.answered(*payload, envelope.kind == MessageType::CallError);
        }
        if history.starts_with(&envelope.id) {
            self.started = Some(at);
        }
    }

    /// Whether the charger's start has just been answered.
    pub(super) fn started_just_now(&self, at: Micros) -> bool {
        self.started.is_some_and(|started| at - started <= STARTLED)
    }

    /// The command that the charger left without an answer.
    pub(super) fn hung_up_on(&self, at: Micros) -> Option<String> {
        let last = self.commands.back()?;
        // A reset is answered by leaving.
        let expected = last.action == "Reset" || at - last.at > HANG_UP;
        (!expected && !last.survived).then(|| last.action.clone())
    }
}

/// Whether a charging profile's first limit stops most vehicles.
fn is_low(command: &Heard<'_>) -> bool {
    const OLD_STYLE: [Step; 5] = [
        Step::Key("csChargingProfiles"),
        Step::Key("chargingSchedule"),
        Step::Key("chargingSchedulePeriod"),
        Step::Each,
        Step::Key("limit"),
    ];
    const NEW_STYLE: [Step; 6] = [
        Step::Key("chargingProfile"),
        Step::Key("chargingSchedule"),
        Step::Each,
        Step::Key("chargingSchedulePeriod"),
        Step::Each,
        Step::Key("limit"),
    ];
    command
        .scalar(&OLD_STYLE)
        .or_else(|| command.scalar(&NEW_STYLE))
        .and_then(|limit| limit.parse::<f64>().ok())
        .is_some_and(|limit| limit < LEAST_AMPERE)
}
