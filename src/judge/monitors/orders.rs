//! How chargers take the commands of their authority. What the shadow commands reaches no charger and is not counted.

use super::COMMANDS;
use super::sheet::{Crowd, Entry, Sheet};
use super::station::Station;
use crate::clock::Micros;
use crate::facts::{Fact, Leg};
use crate::ocpp::json::{self, Step};
use crate::ocpp::{Envelope, MessageType, Version, actions};

/// Commands of which the answer is awaited, at most; the oldest counts as unanswered then.
const MOST: usize = 16;

const SECOND: Micros = 1_000_000;

/// A command that the charger has not answered.
#[derive(Debug)]
pub(super) struct Asked {
    conn: u64,
    id: String,
    at: Micros,
    leg: Leg,
    action: &'static str,
    /// The token of a remote start.
    token: Option<String>,
    /// The `ConnectionTimeOut` that it sets, µs.
    patience: Option<Micros>,
}

impl Asked {
    fn entry(&self, crowd: Crowd, what: &'static str) -> Entry {
        Entry::new(crowd, COMMANDS, what)
            .on(self.leg)
            .detail(self.action)
    }
}

impl Station {
    /// Its authority commands something.
    pub(super) fn ordered(
        &mut self,
        fact: &Fact,
        command: &Envelope<'_>,
        leg: Leg,
        sheet: &mut Sheet,
    ) {
        if self.asked.len() >= MOST
            && let Some(oldest) = self.asked.pop_front()
        {
            sheet.count(oldest.entry(self.crowd, "unanswered"));
        }
        let text = |path: &[Step]| {
            let literal = json::first(command.payload, path)?;
            Some(json::string_value(literal)?.into_owned())
        };
        let is_timeout = command.action == "ChangeConfiguration"
            && text(&[Step::Key("key")]).as_deref() == Some("ConnectionTimeOut");
        self.asked.push_back(Asked {
            conn: fact.conn,
            id: command.id.clone().into_owned(),
            at: fact.at,
            leg,
            action: known(&command.action),
            token: match command.action.as_ref() {
                "RemoteStartTransaction" => text(&[Step::Key("idTag")]),
                "RequestStartTransaction" => text(&[Step::Key("idToken"), Step::Key("idToken")]),
                _ => None,
            },
            patience: text(&[Step::Key("value")])
                .filter(|_| is_timeout)
                .and_then(|value| value.parse::<u32>().ok())
                .map(|seconds| Micros::from(seconds) * SECOND),
        });
    }

    /// It answers a command. Returns when the session that was ordered should have begun, µs.
    pub(super) fn replied(
        &mut self,
        fact: &Fact,
        answer: &Envelope<'_>,
        sheet: &mut Sheet,
    ) -> Option<Micros> {
        let is = |asked: &Asked| asked.conn == fact.conn && asked.id == answer.id;
        let place = self.asked.iter().position(is)?;
        let asked = self.asked.remove(place)?;
        sheet.measure(asked.entry(self.crowd, "answer_us"), fact.at - asked.at);
        let what = outcome(answer);
        sheet.count(asked.entry(self.crowd, what));
        if what != "accepted" {
            return None;
        }
        self.patience = asked.patience.or(self.patience);
        let token = asked.token?;
        Some(self.is_sent_to_charge(token, sheet.now))
    }

    /// A connection ended: what was asked on it is not answered any more.
    pub(super) fn hung_up(&mut self, conn: u64, sheet: &mut Sheet) {
        for asked in self.asked.iter().filter(|asked| asked.conn == conn) {
            sheet.count(asked.entry(self.crowd, "unanswered"));
        }
        self.asked.retain(|asked| asked.conn != conn);
    }
}

/// What an answer comes to: one without a status is an answer to a question.
fn outcome(answer: &Envelope<'_>) -> &'static str {
    if answer.kind != MessageType::CallResult {
        return "error";
    }
    let status = json::first(answer.payload, &[Step::Key("status")]);
    match status.and_then(json::string_value).as_deref() {
        None
        | Some("Accepted" | "AcceptedCanceled" | "RebootRequired" | "Scheduled" | "Unlocked") => {
            "accepted"
        }
        Some(_) => "refused",
    }
}

/// The name of an action that OCPP has.
pub(super) fn known(action: &str) -> &'static str {
    let versions = [Version::V16, Version::V201, Version::V21];
    let found = versions
        .into_iter()
        .find_map(|version| actions::find(version, action));
    found.map_or("other", |action| action.name)
}
