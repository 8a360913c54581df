//! What is remembered of one charger, over its connections.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};

use super::line::Line;
use crate::clock::Micros;
use crate::facts::Fact;
use crate::judge::heard::{Heard, bare};
use crate::ocpp::identifiers::is_sentinel;
use crate::ocpp::json::Step;
use crate::ocpp::quirks::Quirks;
use crate::ocpp::{Class, Fields, MessageType, Version};

/// Sessions and connectors that are remembered.
const MOST: usize = 16;

/// Refusals of one payload after which its resending is without hope.
const HOPELESS: u32 = 3;

/// One charger.
#[derive(Debug, Default)]
pub(in crate::judge) struct History {
    /// Its newest connection.
    pub(super) newest: Option<u64>,
    /// A BootNotification was seen.
    pub(super) booted: bool,
    /// Id of the last BootNotification, and until when another one comes too early.
    boot: (String, Option<Micros>),
    /// The token that was last authorized.
    token: Option<String>,
    sessions: VecDeque<Session>,
    connectors: BTreeMap<String, Connector>,
    /// A payload that the authority refused, and how often in a row.
    refused: (u64, u32),
}

/// One transaction.
#[derive(Debug, Default)]
struct Session {
    /// Unknown until a 1.6 start is answered.
    transaction: Option<String>,
    /// Message id of its start.
    start: String,
    connector: String,
    token: String,
    meter_start: Option<f64>,
    register: Option<f64>,
    sequence: Option<i64>,
    ended: bool,
}

#[derive(Debug, Default)]
struct Connector {
    status: String,
    /// The register at its last stop.
    register: Option<f64>,
}

impl History {
    /// Frames were lost: what seems to be missing may be among them.
    pub(in crate::judge) fn gap(&mut self) {
        *self = Self {
            newest: self.newest,
            ..Self::default()
        };
    }

    /// Whether the authority has given this identifier to a transaction.
    pub(super) fn is_live(&self, transaction: &str) -> bool {
        self.session(transaction).is_some()
    }

    /// Whether this payload was refused again and again.
    pub(super) fn is_hopeless(&self, payload: u64) -> bool {
        self.refused.0 == payload && self.refused.1 >= HOPELESS
    }

    /// The authority answered a payload.
    pub(super) fn answered(&mut self, payload: u64, refused: bool) {
        self.refused = match (refused, self.refused) {
            (true, (known, count)) if known == payload => (known, count.saturating_add(1)),
            (true, _) => (payload, 1),
            (false, (known, _)) if known == payload => (0, 0),
            (false, before) => before,
        };
    }

    /// Whether `id` is that of a start.
    pub(super) fn starts_with(&self, id: &str) -> bool {
        self.sessions.back().is_some_and(|last| last.start == id)
    }

    fn session(&self, transaction: &str) -> Option<&Session> {
        let is = |one: &&Session| one.transaction.as_deref() == Some(transaction);
        self.sessions.iter().rev().find(is)
    }

    fn session_mut(&mut self, transaction: &str) -> Option<&mut Session> {
        let is = |one: &&mut Session| one.transaction.as_deref() == Some(transaction);
        self.sessions.iter_mut().rev().find(is)
    }

    fn open_at(&mut self, connector: &str) -> Option<&mut Session> {
        let is = |one: &&mut Session| !one.ended && one.connector == connector;
        self.sessions.iter_mut().rev().find(is)
    }

    fn begin(&mut self, session: Session) {
        if self.sessions.len() >= MOST {
            self.sessions.pop_front();
        }
        self.sessions.push_back(session);
    }

    fn connector(&mut self, name: &str) -> &mut Connector {
        if self.connectors.len() >= MOST && !self.connectors.contains_key(name) {
            self.connectors.pop_first();
        }
        self.connectors.entry(name.to_owned()).or_default()
    }

    /// A CALL of the charger.
    pub(super) fn call(
        &mut self,
        version: Version,
        fact: &Fact,
        message: &Heard<'_>,
        line: &Line,
        odd: &mut Quirks,
    ) {
        match &*message.action {
            "BootNotification" => self.boots(fact.at, &message.id, odd),
            "Authorize" => {
                let token = message.member("idTag").or_else(|| message.scalar(&TOKEN));
                self.token = token.map(Cow::into_owned);
            }
            "TransactionEvent" => self.event(message, odd),
            _ if version != Version::V16 => {}
            "StartTransaction" => self.start(message, odd),
            "MeterValues" => self.sampled(message, odd),
            "StopTransaction" => self.stop(message, line.whole, odd),
            "StatusNotification" => self.status(message, odd),
            _ => {}
        }
    }

    fn boots(&mut self, at: Micros, id: &str, odd: &mut Quirks) {
        if self.boot.1.is_some_and(|early| at < early) {
            odd.insert(38);
        }
        self.booted = true;
        self.boot = (id.to_owned(), None);
    }

    /// An answer of the authority.
    pub(super) fn answer(&mut self, fact: &Fact, message: &Heard<'_>) {
        if message.kind != MessageType::CallResult {
            return;
        }
        if self.boot.0 == *message.id && self.boot.1.is_none() {
            let waits = matches!(
                message.member("status").as_deref(),
                Some("Pending" | "Rejected")
            );
            let interval = message
                .member("interval")
                .and_then(|text| text.parse::<i64>().ok());
            if let Some(seconds) = interval.filter(|_| waits) {
                // Clocks are not alike: a tenth sooner is in time.
                let wait = seconds.saturating_mul(900_000);
                self.boot.1 = Some(fact.at.saturating_add(wait));
            }
        }
        let is = |one: &&mut Session| one.start == *message.id && one.transaction.is_none();
        if let Some(session) = self.sessions.iter_mut().rev().find(is) {
            session.transaction = message.member("transactionId").map(Cow::into_owned);
            session.ended = message.scalar(&STATUS).as_deref() != Some("Accepted");
        }
    }

    fn start(&mut self, message: &Heard<'_>, odd: &mut Quirks) {
        if self.sessions.iter().any(|one| one.start == message.id) {
            return;
        }
        let connector = message.member("connectorId").unwrap_or_default();
        let token = message.member("idTag").unwrap_or_default();
        let meter_start = number(message.member("meterStart"));
        let suspended = self.connector(&connector).status == "SuspendedEV";
        let last = self.connector(&connector).register;
        if let Some(open) = self.open_at(&connector) {
            let same = open.token.eq_ignore_ascii_case(&token);
            let row = match (same && open.meter_start == meter_start, suspended && !same) {
                (true, _) => 4,
                (_, true) => 9,
                _ => 8,
            };
            odd.insert(row);
            open.ended |= row == 8;
        }
        if meter_start.zip(last).is_some_and(|(now, last)| now < last) {
            odd.insert(13);
        }
        self.compare_token(&token, odd);
        self.begin(Session {
            start: message.id.to_string(),
            connector: connector.into_owned(),
            token: token.into_owned(),
            meter_start,
            register: meter_start,
            ..Session::default()
        });
    }

    fn compare_token(&mut self, token: &str, odd: &mut Quirks) {
        let Some(authorized) = self.token.take() else {
            return;
        };
        if authorized.eq_ignore_ascii_case(token) {
            if authorized != token {
                odd.insert(28);
            }
            return;
        }
        let is_uid =
            authorized.len() == 14 && authorized.bytes().all(|byte| byte.is_ascii_hexdigit());
        let begins = authorized
            .get(..12)
            .is_some_and(|begin| begin.eq_ignore_ascii_case(token));
        if is_uid && begins {
            odd.insert(29);
        }
    }

    fn sampled(&mut self, message: &Heard<'_>, odd: &mut Quirks) {
        let Some(transaction) = message.member("transactionId") else {
            let connector = message.member("connectorId").unwrap_or_default();
            let context = message.scalar(&samples("context"));
            let clock = context.as_deref() == Some("Sample.Clock");
            if !clock && self.open_at(&connector).is_some() {
                odd.insert(41);
            }
            return;
        };
        let Sample {
            measurand,
            unit,
            value,
        } = Sample::first(message);
        let is_register = measurand.is_none_or(|name| name == "Energy.Active.Import.Register");
        let value = number(value).filter(|_| is_register);
        let in_kilo = unit.as_deref() == Some("kWh");
        let value = value.map(|value| if in_kilo { value * 1_000.0 } else { value });
        let Some(session) = self.session_mut(&transaction) else {
            return;
        };
        let before = session.register;
        if session.ended {
            odd.insert(14);
        } else if let (Some(value), Some(before)) = (value, before)
            && value < before
        {
            odd.insert(if value == 0.0 { 14 } else { 13 });
            return;
        }
        session.register = value.or(before);
    }

    fn stop(&mut self, message: &Heard<'_>, whole: bool, odd: &mut Quirks) {
        let transaction = message.member("transactionId").unwrap_or_default();
        let meter_stop = number(message.member("meterStop"));
        let booted = self.booted;
        let Some(session) = self.session_mut(&transaction) else {
            if whole && booted && !is_sentinel(Class::TransactionId, &transaction) {
                odd.insert(7);
            }
            return;
        };
        if std::mem::replace(&mut session.ended, true) {
            odd.insert(6);
        }
        let below = meter_stop
            .zip(session.meter_start)
            .is_some_and(|(stop, start)| 0.0 <= stop && stop < start);
        if below {
            odd.insert(11);
        }
        let connector = session.connector.clone();
        self.connector(&connector).register = meter_stop;
    }

    fn status(&mut self, message: &Heard<'_>, odd: &mut Quirks) {
        let connector = message.member("connectorId").unwrap_or_default();
        let status = message.member("status").unwrap_or_default();
        let charging = self.open_at(&connector).is_some();
        let early = status == "Charging" && !charging && self.booted;
        let late = status == "Available" && charging;
        if connector != "0" && (early || late) {
            odd.insert(43);
        }
        self.connector(&connector).status = status.into_owned();
    }

    /// A transaction event of OCPP 2.x.
    fn event(&mut self, message: &Heard<'_>, odd: &mut Quirks) {
        const TRANSACTION: [Step; 2] = [Step::Key("transactionInfo"), Step::Key("transactionId")];
        const CONNECTOR: [Step; 2] = [Step::Key("evse"), Step::Key("connectorId")];
        let transaction = message.scalar(&TRANSACTION).unwrap_or_default();
        let sequence = message
            .member("seqNo")
            .and_then(|text| text.parse::<i64>().ok());
        let kind = message.member("eventType").unwrap_or_default();
        let connector = message.scalar(&CONNECTOR);
        if kind == "Started" {
            if connector.is_none() {
                odd.insert(42);
            }
            if let Some(token) = message.scalar(&TOKEN) {
                self.compare_token(&token, odd);
            }
        }
        if self.session(&transaction).is_none() {
            self.begin(Session {
                transaction: Some(transaction.to_string()),
                connector: connector.unwrap_or_default().into_owned(),
                ..Session::default()
            });
        }
        if let Some(session) = self.session_mut(&transaction) {
            let out_of_order = sequence
                .zip(session.sequence)
                .is_some_and(|(now, last)| now < last);
            if out_of_order {
                odd.insert(42);
            }
            session.sequence = session.sequence.max(sequence);
            if kind == "Ended" && std::mem::replace(&mut session.ended, true) {
                odd.insert(6);
            }
        }
    }
}

/// What the first of a message's samples that say it at all say.
#[derive(Default)]
struct Sample<'a> {
    measurand: Option<Cow<'a, str>>,
    unit: Option<Cow<'a, str>>,
    value: Option<Cow<'a, str>>,
}

impl<'a> Sample<'a> {
    fn first(message: &Heard<'a>) -> Self {
        let fields = message.fields();
        // Nearly always the first sample says it all, and what comes behind it need not be walked.
        let first = message.sampled().value;
        let sample = first.or_else(|| fields.first(&samples("")[..4]));
        let sample = sample.map(Fields::read).unwrap_or_default();
        let at = |name| {
            let here = sample.first(&[Step::Key(name)]);
            here.or_else(|| fields.first(&samples(name))).map(bare)
        };
        Self {
            measurand: at("measurand"),
            unit: at("unit"),
            value: at("value"),
        }
    }
}

/// The way to a member of every sample.
const fn samples(name: &'static str) -> [Step; 5] {
    let (list, values) = (Step::Key("meterValue"), Step::Key("sampledValue"));
    [list, Step::Each, values, Step::Each, Step::Key(name)]
}

const STATUS: [Step; 2] = [Step::Key("idTagInfo"), Step::Key("status")];

const TOKEN: [Step; 2] = [Step::Key("idToken"), Step::Key("idToken")];

fn number(text: Option<Cow<'_, str>>) -> Option<f64> {
    text?.parse().ok()
}
