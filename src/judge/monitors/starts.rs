//! Whether sessions begin when they should, how they end, and how long they were.

use rust_decimal::Decimal;

use super::sheet::{Entry, Sheet};
use super::station::Station;
use super::{SESSION_START, SESSION_STOP, SHORT_SESSIONS};
use crate::clock::Micros;
use crate::judge::parity::STOPPED;
use crate::ledger::row::Session;

const SECOND: Micros = 1_000_000;

/// How soon after an accepted authorisation or the plug a session begins, µs. Also a charger's `ConnectionTimeOut`
/// where nobody set it.
const SOON: Micros = 60 * SECOND;

/// A session that is still open then is forgotten by its charger, µs.
const ZOMBIE: Micros = 48 * 3_600 * SECOND;

/// A session that is shorter did not serve anybody, µs.
const SHORT: Micros = 120 * SECOND;

/// The same, Wh.
const LITTLE: Decimal = Decimal::from_parts(100, 0, 0, false, 0);

/// Beginnings that are awaited at most.
const MOST_ATTEMPTS: usize = 16;

/// Sessions that are open at most.
const MOST_CHARGING: usize = 32;

/// Reasons that OCPP has for an end.
const REASONS: [&str; 21] = [
    "DeAuthorized",
    "EmergencyStop",
    "EnergyLimitReached",
    "EVDisconnected",
    "GroundFault",
    "HardReset",
    "ImmediateReset",
    "Local",
    "LocalOutOfCredit",
    "MasterPass",
    "Other",
    "OvercurrentFault",
    "PowerLoss",
    "PowerQuality",
    "Reboot",
    "Remote",
    "SOCLimitReached",
    "SoftReset",
    "StoppedByEV",
    "TimeLimitReached",
    "Timeout",
];

/// Something after which a session should begin.
#[derive(Debug)]
pub(super) struct Attempt {
    what: Way,
    since: Micros,
    until: Micros,
    /// The token, or the connector.
    by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Authorized,
    Preparing,
    Remote,
}

/// An open session.
#[derive(Debug)]
pub(super) struct Charging {
    id: u64,
    at: Micros,
    token: String,
    told: bool,
}

impl Way {
    const fn word(self) -> &'static str {
        match self {
            Self::Authorized => "authorized",
            Self::Preparing => "preparing",
            Self::Remote => "remote",
        }
    }
}

impl Station {
    /// A vehicle was plugged in. Returns when its session should have begun, µs.
    pub(super) fn prepares(&mut self, connector: &str, now: Micros) -> Micros {
        self.attempt(Way::Preparing, connector.to_owned(), now, now + SOON)
    }

    /// A charger accepted a remote start. Returns when the session should have begun, µs.
    pub(super) fn is_sent_to_charge(&mut self, token: String, now: Micros) -> Micros {
        let patience = self.patience.unwrap_or(SOON);
        self.attempt(Way::Remote, token, now, now + patience)
    }

    /// A driver was accepted at `at`. Returns when the session should have begun, µs, unless it has, or the driver ends
    /// one.
    pub(super) fn may_charge(
        &mut self,
        token: &str,
        at: Micros,
        sheet: &mut Sheet,
    ) -> Option<Micros> {
        let mut same = self.charging.iter();
        if let Some(begun) = same.find(|it| it.token.eq_ignore_ascii_case(token)) {
            if begun.at >= at {
                self.succeeds(Way::Authorized, begun.at - at, sheet);
            }
            return None;
        }
        Some(self.attempt(Way::Authorized, token.to_owned(), at, at + SOON))
    }

    fn attempt(&mut self, what: Way, by: String, since: Micros, until: Micros) -> Micros {
        self.attempts
            .retain(|known| known.what != what || !known.by.eq_ignore_ascii_case(&by));
        if self.attempts.len() >= MOST_ATTEMPTS {
            self.attempts.remove(0);
        }
        self.attempts.push(Attempt {
            what,
            since,
            until,
            by,
        });
        until
    }

    fn succeeds(&self, what: Way, after: Micros, sheet: &mut Sheet) {
        let entry = |name| Entry::new(self.crowd, SESSION_START, name).detail(what.word());
        sheet.count(entry("started"));
        sheet.measure(entry("start_us"), after);
    }

    /// A session began. Returns when it is a zombie, µs.
    pub(super) fn began(&mut self, row: &Session, sheet: &mut Sheet) -> Micros {
        let fits = |attempt: &Attempt| match attempt.what {
            Way::Preparing => attempt.by == row.connector,
            Way::Authorized | Way::Remote => attempt.by.eq_ignore_ascii_case(&row.token),
        };
        let fitting = self.attempts.iter().filter(|attempt| fits(attempt));
        for attempt in fitting {
            self.succeeds(attempt.what, row.at - attempt.since, sheet);
        }
        self.attempts.retain(|attempt| !fits(attempt));
        if self.charging.len() >= MOST_CHARGING {
            self.charging.remove(0);
        }
        sheet.count(Entry::new(self.crowd, SESSION_STOP, "started"));
        self.charging.push(Charging {
            id: row.id,
            at: row.at,
            token: row.token.clone(),
            told: false,
        });
        row.at + ZOMBIE
    }

    /// A session ended, or one end of it is missing.
    pub(super) fn ended(&mut self, row: &Session, sheet: &mut Sheet) {
        self.charging.retain(|charging| charging.id != row.id);
        let entry = |what| Entry::new(self.crowd, SESSION_STOP, what);
        match row.state.as_ref() {
            "no stop" => sheet.count(entry("orphans").detail("no stop")),
            "no start" => sheet.count(entry("orphans").detail("no start")),
            _ => {
                sheet.count(entry("stopped").detail(reason(row)));
                self.length(row, sheet);
            }
        }
    }

    fn length(&self, row: &Session, sheet: &mut Sheet) {
        let Some(wire) = &row.wire else {
            return;
        };
        let entry = |what| Entry::new(self.crowd, SHORT_SESSIONS, what);
        let energy = wire
            .energy_wh
            .as_ref()
            .and_then(|text| text.parse::<Decimal>().ok());
        let time = wire.start.zip(wire.end).map(|(start, end)| end - start);
        if time.is_none() && energy.is_none() {
            return;
        }
        sheet.count(entry("sessions"));
        let short = time.is_some_and(|time| time < SHORT);
        let little = energy.is_some_and(|energy| energy < LITTLE);
        let why = match (short, little) {
            (false, false) => return,
            (true, false) => "time",
            (false, true) => "energy",
            (true, true) => "time and energy",
        };
        sheet.count(entry("short").detail(why));
    }

    /// Time passed: what has not begun by now has failed, and what has not ended for days will not. Returns when the next
    /// of these is due, µs.
    pub(super) fn expire(&mut self, sheet: &mut Sheet) -> Option<Micros> {
        let crowd = self.crowd;
        self.attempts.retain(|attempt| {
            let failed = attempt.until <= sheet.now;
            if failed {
                let entry = Entry::new(crowd, SESSION_START, "failed").detail(attempt.what.word());
                sheet.count(entry);
            }
            !failed
        });
        for charging in &mut self.charging {
            if !charging.told && charging.at + ZOMBIE <= sheet.now {
                charging.told = true;
                sheet.count(Entry::new(crowd, SESSION_STOP, "zombies"));
            }
        }
        let attempts = self.attempts.iter().map(|attempt| attempt.until);
        let charging = self.charging.iter().filter(|charging| !charging.told);
        attempts.chain(charging.map(|it| it.at + ZOMBIE)).min()
    }
}

fn reason(row: &Session) -> &'static str {
    let notes = row.wire.iter().flat_map(|wire| &wire.notes);
    let mut said = notes.filter_map(|note| note.strip_prefix(STOPPED));
    match said.next() {
        None => "untold",
        Some(said) => REASONS
            .into_iter()
            .find(|reason| *reason == said)
            .unwrap_or("unknown"),
    }
}
