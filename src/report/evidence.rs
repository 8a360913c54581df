//! One judged exchange or command with the texts behind it.

use serde::Deserialize;

use super::ReportError;
use super::explain::{Place, places};
use crate::clock::Micros;
use crate::facts::{Fact, Kind, Leg, Reader};
use crate::judge::Rules;
use crate::ledger::query::Judged;
use crate::ocpp::{Envelope, MessageType};

/// How far behind a fact its consequence is looked for. Nothing indexes causes; answers of the stand-in come at once, and
/// silence after half a minute.
const WITHIN: u64 = 50_000;

/// Facts read at a time when a consequence is looked for.
const PAGE: usize = 1_000;

/// An exchange or command, and what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// What was judged.
    pub judged: Judged,
    /// The charger's CALL; none for commands.
    pub request: Option<Text>,
    /// The authority's answer, or its command.
    pub authority: Option<Text>,
    /// The shadow's answer, or its command.
    pub shadow: Option<Text>,
    /// What became of the copy, or of the shadow's command.
    pub fate: Fate,
    /// Each place where the texts differ, with the rule that decided.
    pub places: Vec<Place>,
}

/// The bytes of one fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Its number.
    pub seq: u64,
    /// When, µs.
    pub at: Micros,
    /// As seen.
    pub bytes: Vec<u8>,
    /// Why these are not a whole text; none if they are.
    pub opaque: Option<String>,
}

/// What is known of the shadow's side beyond its text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fate {
    /// Identifiers that were rewritten in the copy.
    pub rewrites: Vec<Rewritten>,
    /// Why the copy was kept from the shadow; none if it went.
    pub withheld: Option<String>,
    /// How long the shadow was waited for in vain, µs.
    pub waited_us: Option<i64>,
    /// The stand-in's answer to the shadow's command.
    pub stand_in: Option<StandIn>,
}

/// An identifier that the copy carries in the shadow's own spelling.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Rewritten {
    /// Its class, such as `transactionId`.
    pub class: String,
    /// Where it stands in the payload.
    pub path: String,
    /// The authority's value.
    pub from: String,
    /// The shadow's.
    pub to: String,
}

/// An answer in the charger's place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// Where it came from: `reuse`, `model`, ...
    pub source: String,
    /// What was said.
    pub text: Text,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Note {
    why: String,
    rewrites: Vec<Rewritten>,
    waited_us: Option<i64>,
    source: String,
}

impl Evidence {
    /// Fetches the texts of what was judged, and asks the rules why it came out so.
    pub fn of(facts: &Reader, rules: &Rules, judged: Judged) -> Result<Self, ReportError> {
        let [call, authority, shadow] = judged.facts;
        Ok(Self {
            request: text(facts, call)?,
            authority: text(facts, authority)?,
            shadow: text(facts, shadow)?,
            fate: Fate::of(facts, ([call, shadow], judged.sent), WITHIN)?,
            places: places(facts, rules, &judged)?,
            judged,
        })
    }

    /// Legacy's and the candidate's side, in this order.
    pub fn sides(&self) -> [Option<&Text>; 2] {
        let (ours, theirs) = (self.authority.as_ref(), self.shadow.as_ref());
        match Leg::from_word(&self.judged.authority) {
            Some(Leg::Candidate) => [theirs, ours],
            _ => [ours, theirs],
        }
    }

    /// The backend that is the shadow.
    pub fn shadow_leg(&self) -> Leg {
        Leg::from_word(&self.judged.authority).map_or(Leg::Candidate, Leg::other)
    }
}

impl Fate {
    /// What became of the CALL `call` (0 for commands), which went to the shadow with the fact `sent` (0 if it did not) and
    /// whose answer, or the shadow's command, is `shadow` (0 if there is none). Looks `within` so many facts.
    pub fn of(
        facts: &Reader,
        ([call, shadow], sent): ([u64; 2], u64),
        within: u64,
    ) -> Result<Self, ReportError> {
        let mut fate = Self::default();
        if call == 0 {
            if shadow != 0 && sent == 0 {
                let answered = consequence(facts, shadow, &[Kind::ShadowAnswered], within)?;
                fate.stand_in = answered.map(StandIn::from);
            }
            return Ok(fate);
        }
        if sent == 0 {
            let kinds = [Kind::ShadowWithheld, Kind::ShadowSent];
            let withheld = consequence(facts, call, &kinds, within)?;
            let withheld = withheld.filter(|fact| fact.kind == Kind::ShadowWithheld);
            fate.withheld = withheld.map(|fact| note(&fact).why);
            return Ok(fate);
        }
        if let Some(sent) = facts.by_seq(sent)? {
            fate.rewrites = note(&sent).rewrites;
        }
        if shadow == 0 {
            let silent = consequence(facts, sent, &[Kind::ShadowSilent], within)?;
            fate.waited_us = silent.and_then(|fact| note(&fact).waited_us);
        }
        Ok(fate)
    }

    /// In a few words; empty if there is nothing to say.
    pub fn says(&self) -> String {
        match (&self.withheld, self.waited_us, &self.stand_in) {
            (Some(why), _, _) => why.clone(),
            (_, Some(waited), _) => format!("no answer in {:.1} s", waited as f64 / 1e6),
            (_, _, Some(answer)) => format!("answered from {}", answer.source),
            (None, None, None) => String::new(),
        }
    }
}

impl From<Fact> for StandIn {
    fn from(answered: Fact) -> Self {
        Self {
            source: note(&answered).source,
            text: answered.into(),
        }
    }
}

impl From<Fact> for Text {
    fn from(fact: Fact) -> Self {
        let opaque = (fact.kind == Kind::Opaque).then(|| note(&fact).why);
        Self {
            seq: fact.seq,
            at: fact.at,
            bytes: fact.body,
            opaque,
        }
    }
}

/// A note that cannot be read says nothing.
fn note(fact: &Fact) -> Note {
    serde_json::from_str(&fact.note).unwrap_or_default()
}

fn text(facts: &Reader, seq: u64) -> Result<Option<Text>, ReportError> {
    if seq == 0 {
        return Ok(None);
    }
    Ok(facts.by_seq(seq)?.map(Text::from))
}

/// The first fact of one of these kinds that `cause` brought about.
fn consequence(
    facts: &Reader,
    cause: u64,
    kinds: &[Kind],
    within: u64,
) -> Result<Option<Fact>, ReportError> {
    let mut after = cause;
    while after < cause + within {
        let page = facts.read(after, PAGE)?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        let fits = |fact: &Fact| fact.cause == cause && kinds.contains(&fact.kind);
        if let Some(found) = page.into_iter().find(fits) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// The payload of a message, one member per line, keys sorted: two spellings of the same thing look the same.
pub fn pretty(text: &str) -> String {
    let Ok(envelope) = Envelope::parse(text) else {
        // A record of a backend is JSON, but no message.
        let record = serde_json::from_str::<serde_json::Value>(text);
        let spread = record.and_then(|record| serde_json::to_string_pretty(&record));
        return spread.unwrap_or_else(|_| text.to_owned()) + "\n";
    };
    let head = match envelope.kind {
        MessageType::CallError => {
            format!("CALLERROR {} {:?}\n", envelope.code, envelope.description)
        }
        MessageType::Call => format!("CALL {}\n", envelope.action),
        _ => String::new(),
    };
    let body = serde_json::from_str::<serde_json::Value>(envelope.payload)
        .and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| envelope.payload.to_owned());
    format!("{head}{body}\n")
}

/// What a message comes down to, in a word or two: a status, a transaction, an error.
pub fn gist(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return format!("{} bytes", bytes.len());
    };
    let Ok(envelope) = Envelope::parse(text) else {
        return format!("{} bytes, not OCPP-J", bytes.len());
    };
    match envelope.kind {
        MessageType::CallError | MessageType::CallResultError => format!("error {}", envelope.code),
        MessageType::Call | MessageType::Send => envelope.action.into_owned(),
        MessageType::CallResult => result_gist(envelope.payload),
    }
}

/// Members that say most of an answer, by pointer, the first that there is.
const TELLING: [&str; 7] = [
    "/idTagInfo/status",
    "/idTokenInfo/status",
    "/status",
    "/certificateStatus",
    "/configurationKey",
    "/getVariableResult",
    "/currentTime",
];

fn result_gist(payload: &str) -> String {
    use crate::judge::rules::literal;
    use crate::judge::tree::Node;
    let Ok(node) = Node::parse(payload) else {
        return "unreadable".to_owned();
    };
    let transaction = node.at("/transactionId");
    let told = TELLING.iter().find_map(|pointer| {
        let name = pointer.rsplit('/').next().unwrap_or_default();
        match node.at(pointer)? {
            Node::Array(elements) => Some(format!("{} {name}", elements.len())),
            found => Some(literal(found)),
        }
    });
    match (transaction, told) {
        (Some(transaction), Some(told)) if told == "Accepted" => {
            format!("tx {}", literal(transaction))
        }
        (Some(transaction), Some(told)) => format!("tx {} {told}", literal(transaction)),
        (Some(transaction), None) => format!("tx {}", literal(transaction)),
        (None, Some(told)) => told,
        (None, None) => match node {
            Node::Object(members) if !members.is_empty() => {
                let names: Vec<_> = members.iter().map(|(name, _)| name.as_ref()).collect();
                format!("{{{}}}", names.join(","))
            }
            _ => "{}".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_down_to_a_word() {
        for (text, said) in [
            (r#"[3,"1",{"idTagInfo":{"status":"Blocked"}}]"#, "Blocked"),
            (
                r#"[3,"1",{"transactionId":7,"idTagInfo":{"status":"Accepted"}}]"#,
                "tx 7",
            ),
            (
                r#"[3,"1",{"transactionId":7,"idTagInfo":{"status":"Blocked"}}]"#,
                "tx 7 Blocked",
            ),
            (r#"[3,"1",{}]"#, "{}"),
            (r#"[3,"1",{"a":1,"b":2}]"#, "{a,b}"),
            (
                r#"[3,"1",{"configurationKey":[1,2]}]"#,
                "2 configurationKey",
            ),
            (r#"[4,"1","NotSupported","",{}]"#, "error NotSupported"),
            (r#"[2,"1","Reset",{}]"#, "Reset"),
            ("nonsense", "8 bytes, not OCPP-J"),
        ] {
            assert_eq!(gist(text.as_bytes()), said, "{text}");
        }
        assert_eq!(gist(b"\xff"), "1 bytes");
    }
}
