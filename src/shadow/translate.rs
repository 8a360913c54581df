//! What a charger's message becomes for the shadow backend: identifiers translated, everything else byte for byte.
//!
//! Pure. The catalogue of places is [`crate::ocpp::identifiers`]; what stands for what is [`Relation`]. An identifier
//! without a twin never passes as it is: its member is left out where that keeps the meaning, else the message stays
//! here.

use std::borrow::Cow;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::ops::Range;

use serde::{Serialize, Serializer};

use crate::ocpp::identifiers::{self, Class, Part, Role, Site};
use crate::ocpp::json::{self, Step, SyntaxError};
use crate::ocpp::relation::Identifier;
use crate::ocpp::rewrite::{self, Change};
use crate::ocpp::{Envelope, Relation, Version};

use super::model::secrets;

/// Why a message is withheld because an identifier in it has no twin.
pub const UNMAPPED: &str = "unmapped identifier";

/// Why a message is withheld in which secrets may stand where they cannot be found.
pub const UNREADABLE: &str = "unreadable";

/// Why a message of a transaction is withheld that began before the shadow knew of it.
pub const COLD_START: &str = "cold start";

/// One rewritten value, as notes list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rewrite {
    /// The identifier's class.
    #[serde(serialize_with = "word")]
    pub class: Class,
    /// Where it stands in the payload: `/meterValue/*/id`.
    pub path: String,
    /// The authority's value, as the charger wrote it.
    pub from: String,
    /// The shadow's value, without quotes.
    pub to: String,
}

/// A message that may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Translated {
    /// The text to send; `None` if it goes as the charger sent it.
    pub text: Option<String>,
    /// What was rewritten.
    pub rewrites: Vec<Rewrite>,
    /// Members that were left out.
    pub stripped: Vec<String>,
    /// Sentinels that passed unchanged.
    pub sentinels: Vec<String>,
    /// The action is a signed one: nothing in it may be touched.
    pub signed: bool,
}

/// What happens to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// It goes.
    Send(Translated),
    /// It stays, for this reason.
    Withhold(&'static str),
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn word<S: Serializer>(class: &Class, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(class.word())
}

/// Whether no message of this action holds anything that has to be looked at: it goes as it is.
pub fn is_plain(version: Version, action: &str) -> bool {
    !is_signed(action)
        && !is_transaction_event(version, action)
        && secrets::telling(action).is_none()
        && echoes(version, action, Part::Request).next().is_none()
}

fn is_signed(action: &str) -> bool {
    action.ends_with("-Signed")
}

/// Whether the action is the 2.x one that carries a transaction of the charger's own.
pub fn is_transaction_event(version: Version, action: &str) -> bool {
    version != Version::V16 && action == "TransactionEvent"
}

/// Plans a charger's CALL or SEND. `call` is the envelope of `text`.
pub fn plan(version: Version, text: &str, call: &Envelope<'_>, relation: &Relation) -> Plan {
    let mut done = Translated::default();
    if is_signed(&call.action) {
        done.signed = true;
        return Plan::Send(done);
    }
    if let Some(event) = transaction_event(version, call)
        && !event.starts
        && relation
            .to_shadow(Class::TransactionId, &event.transaction)
            .is_none()
    {
        return Plan::Withhold(COLD_START);
    }
    let mut changes = Vec::new();
    for site in echoes(version, &call.action, Part::Request) {
        let Ok(places) = rewrite::places(call, site.path) else {
            return Plan::Withhold(UNMAPPED);
        };
        for at in places {
            match change(site, text, at, relation, &mut done) {
                Ok(change) => changes.extend(change),
                Err(Unmapped) => return Plan::Withhold(UNMAPPED),
            }
        }
    }
    match hush(call, &mut done) {
        Ok(more) => changes.extend(more),
        Err(_) => return Plan::Withhold(UNREADABLE),
    }
    match rewrite::rewrite(text, &changes) {
        Ok(Cow::Borrowed(_)) => {}
        Ok(Cow::Owned(text)) => done.text = Some(text),
        // A place that cannot be rewritten holds something that is no identifier: nothing that may leave.
        Err(_) => return Plan::Withhold(UNMAPPED),
    }
    Plan::Send(done)
}

/// What keeps the secrets in a message here; notes in `done` what is left out or emptied.
fn hush(call: &Envelope<'_>, done: &mut Translated) -> Result<Vec<Change>, SyntaxError> {
    let Some(telling) = secrets::telling(&call.action) else {
        return Ok(Vec::new());
    };
    let places = telling.secrets(call)?.into_iter();
    let changes = places.map(|at| {
        done.stripped.push(telling.path.to_owned());
        let to = String::new();
        if telling.optional {
            Change::Strip { at }
        } else {
            Change::Value { at, to }
        }
    });
    Ok(changes.collect())
}

/// A charger's answer to a command of its authority's, as the shadow would have got it: the payload of the CALLRESULT with
/// the shadow's identifiers. `None` if it names one that has no twin.
pub fn answer(
    version: Version,
    action: &str,
    payload: &str,
    relation: &Relation,
) -> Option<String> {
    let mut done = Translated::default();
    let mut changes = Vec::new();
    for site in echoes(version, action, Part::Response) {
        for at in json::locate(payload, site.path).ok()? {
            changes.extend(change(site, payload, at, relation, &mut done).ok()?);
        }
    }
    rewrite::rewrite(payload, &changes)
        .ok()
        .map(Cow::into_owned)
}

/// An identifier has no twin and may not be left out.
struct Unmapped;

/// What is changed at one place; notes it in `done`.
fn change(
    site: &Site,
    text: &str,
    at: Range<usize>,
    relation: &Relation,
    done: &mut Translated,
) -> Result<Option<Change>, Unmapped> {
    match treat(site, &text[at.clone()], relation) {
        Treatment::Leave => Ok(None),
        Treatment::Sentinel => {
            done.sentinels.push(pointer(site.path));
            Ok(None)
        }
        Treatment::Translate(twin) => {
            done.rewrites.push(Rewrite {
                class: site.class,
                path: pointer(site.path),
                from: text[at.clone()].to_owned(),
                to: twin.clone(),
            });
            Ok(Some(Change::Value { at, to: twin }))
        }
        Treatment::Strip => {
            done.stripped.push(pointer(site.path));
            Ok(Some(Change::Strip { at }))
        }
        Treatment::Withhold => Err(Unmapped),
    }
}

enum Treatment {
    Leave,
    Sentinel,
    Translate(String),
    Strip,
    Withhold,
}

fn treat(site: &Site, literal: &str, relation: &Relation) -> Treatment {
    if literal == "null" {
        return Treatment::Leave;
    }
    let value = Identifier::read(literal);
    match relation.to_shadow(site.class, literal) {
        Some(twin) if twin == value.text() => Treatment::Leave,
        Some(twin) => Treatment::Translate(twin.to_owned()),
        None if identifiers::is_sentinel(site.class, value.text()) => Treatment::Sentinel,
        None if site.optional => Treatment::Strip,
        None if site.foreign => Treatment::Leave,
        None => Treatment::Withhold,
    }
}

fn echoes(version: Version, action: &str, part: Part) -> impl Iterator<Item = &'static Site> {
    identifiers::sites(version, action, part).filter(|site| site.role == Role::Echo)
}

/// The transaction that a 2.x `TransactionEvent` is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionEvent {
    /// The charger's transaction id, as JSON text.
    pub transaction: String,
    /// It is the `Started` event.
    pub starts: bool,
    /// It is the `Ended` event.
    pub ends: bool,
}

/// Reads a 2.x `TransactionEvent`; `None` for anything else, and for one without a transaction id.
pub fn transaction_event(version: Version, call: &Envelope<'_>) -> Option<TransactionEvent> {
    if !is_transaction_event(version, &call.action) {
        return None;
    }
    let path = [Step::Key("transactionInfo"), Step::Key("transactionId")];
    let transaction = member_text(call.payload, &path)?;
    let event = member_text(call.payload, &[Step::Key("eventType")]).unwrap_or_default();
    Some(TransactionEvent {
        transaction: transaction.to_owned(),
        starts: event == "\"Started\"",
        ends: event == "\"Ended\"",
    })
}

/// The JSON text of the first value that `path` leads to.
pub fn member_text<'a>(payload: &'a str, path: &[Step]) -> Option<&'a str> {
    json::first(payload, path)
}

/// Bytes of the longest identifier that is kept, several times what any version allows: each is held for every charger.
const LONGEST: usize = 256;

/// Identifiers that a backend mints in a payload, as JSON text, in text order.
/// Longer ones are no identifiers: what names them stays here, unmapped.
pub fn mints(version: Version, action: &str, part: Part, payload: &str) -> Vec<(Class, String)> {
    identifiers::sites(version, action, part)
        .filter(|site| site.role == Role::Mint)
        .flat_map(|site| {
            json::locate(payload, site.path)
                .unwrap_or_default()
                .into_iter()
                .map(|at| (site.class, payload[at].to_owned()))
        })
        .filter(|(_, literal)| literal != "null" && literal.len() <= LONGEST)
        .collect()
}

/// Whether the answer to this action mints identifiers.
pub fn answer_mints(version: Version, action: &str) -> bool {
    identifiers::sites(version, action, Part::Response).any(|site| site.role == Role::Mint)
}

/// Pairs what two backends minted in the same place. A class that one of them minted more often than the other pairs
/// nothing: which belongs to which would be a guess.
pub fn pair(
    authority: &[(Class, String)],
    shadow: &[(Class, String)],
) -> Vec<(Class, String, String)> {
    let of = |all: &[(Class, String)], class| {
        all.iter()
            .filter(|(other, _)| *other == class)
            .map(|(_, literal)| literal.clone())
            .collect::<Vec<_>>()
    };
    let mut pairs = Vec::new();
    for class in Class::ALL {
        let (ours, theirs) = (of(authority, class), of(shadow, class));
        if ours.len() == theirs.len() {
            pairs.extend(
                ours.into_iter()
                    .zip(theirs)
                    .map(|(ours, theirs)| (class, ours, theirs)),
            );
        }
    }
    pairs
}

/// A fingerprint of what a CALL says, its message id left out: equal for a repeat.
pub fn fingerprint(call: &Envelope<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    call.action.hash(&mut hasher);
    call.payload.hash(&mut hasher);
    hasher.finish()
}

/// `/a/*/b`: a path as facts write it.
pub fn pointer(path: &[Step]) -> String {
    path.iter()
        .map(|step| match step {
            Step::Key(key) => format!("/{key}"),
            Step::Each => "/*".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TX: Class = Class::TransactionId;

    fn planned(version: Version, text: &str, relation: &Relation) -> Plan {
        plan(version, text, &Envelope::parse(text).unwrap(), relation)
    }

    fn sent(plan: Plan) -> Translated {
        match plan {
            Plan::Send(translated) => translated,
            Plan::Withhold(why) => panic!("withheld: {why}"),
        }
    }

    #[test]
    fn only_the_value_changes() {
        let mut relation = Relation::new();
        relation.learn(TX, "12", "7");
        let text = r#"[2,"1","StopTransaction",{ "meterStop":1.50,"transactionId" : 12 }]"#;
        let done = sent(planned(Version::V16, text, &relation));
        assert_eq!(done.text.as_deref(), Some(text.replace("12", "7").as_str()));
        assert_eq!(done.rewrites.len(), 1);
    }

    #[test]
    fn secrets_stay_here_and_all_else_is_as_the_charger_said_it() {
        let mut relation = Relation::new();
        relation.learn(Class::ReportRequestId, "5", "0");
        let report = |id: u32, attribute: &str| {
            format!(
                r#"[2,"r","NotifyReport",{{"requestId":{id}, "reportData":[{{"component":{{"name":"SecurityCtrlr"}},
                "variable":{{"name":"BasicAuthPassword"}},"variableAttribute":[{{{attribute}"mutability":"ReadWrite"}}]}}]}}]"#
            )
        };
        let told = report(5, r#""value":"canary","#);
        let done = sent(planned(Version::V201, &told, &relation));
        assert_eq!(done.text, Some(report(0, "")));
        assert_eq!(done.stripped, ["/reportData/*/variableAttribute/*/value"]);
        let event = r#"[2,"e","NotifyEvent",{"eventData":[{"actualValue":"canary","component":{"name":"SecurityCtrlr"},"variable":{"name":"Identity"}}]}]"#;
        let done = sent(planned(Version::V201, event, &relation));
        assert_eq!(
            done.text,
            Some(event.replace("canary", "")),
            "a value must be there"
        );
        assert_eq!(done.stripped, ["/eventData/*/actualValue"]);
        let plain = event.replace("Identity", "State");
        assert_eq!(sent(planned(Version::V201, &plain, &relation)).text, None);
    }

    #[test]
    fn equal_ids_change_nothing() {
        let mut relation = Relation::new();
        relation.learn(TX, "12", "12");
        let text = r#"[2,"1","StopTransaction",{"transactionId":12}]"#;
        assert_eq!(
            sent(planned(Version::V16, text, &relation)),
            Translated::default()
        );
    }

    #[test]
    fn a_reservation_without_twin_is_left_out() {
        let text = r#"[2,"1","StartTransaction",{"connectorId":1,"reservationId":4}]"#;
        let done = sent(planned(Version::V16, text, &Relation::new()));
        assert_eq!(
            done.text.as_deref(),
            Some(r#"[2,"1","StartTransaction",{"connectorId":1}]"#)
        );
        assert_eq!(done.stripped, ["/reservationId"]);
    }

    #[test]
    fn reports_that_nobody_asked_for_stay_here() {
        let text = r#"[2,"1","NotifyReport",{"requestId":4,"seqNo":0}]"#;
        assert_eq!(
            planned(Version::V201, text, &Relation::new()),
            Plan::Withhold(UNMAPPED)
        );
    }

    #[test]
    fn signed_messages_are_left_alone() {
        let text = r#"[2,"1","StopTransaction-Signed",{"transactionId":12}]"#;
        let done = sent(planned(Version::V16, text, &Relation::new()));
        assert!(done.signed && done.text.is_none());
    }

    #[test]
    fn a_session_that_the_shadow_was_not_told_of_is_a_cold_start() {
        let event = |kind: &str| {
            format!(
                r#"[2,"1","TransactionEvent",{{"eventType":"{kind}","transactionInfo":{{"transactionId":"T"}}}}]"#
            )
        };
        let mut relation = Relation::new();
        let updated = event("Updated");
        assert_eq!(
            planned(Version::V201, &updated, &relation),
            Plan::Withhold(COLD_START)
        );
        sent(planned(Version::V201, &event("Started"), &relation));
        relation.learn(TX, "\"T\"", "\"T\"");
        assert_eq!(
            sent(planned(Version::V201, &updated, &relation)),
            Translated::default()
        );
    }

    #[test]
    fn mints_pair_by_place_and_never_by_guess() {
        let one = |id: &str| vec![(TX, id.to_owned())];
        assert_eq!(pair(&one("1"), &one("2")), [(TX, "1".into(), "2".into())]);
        assert!(pair(&one("1"), &[one("2"), one("3")].concat()).is_empty());
    }

    #[test]
    fn what_the_authority_named_is_renamed_or_not_handed_on() {
        let told = r#"{"clearTariffsResult":[{"tariffId":"a","status":"Accepted"}]}"#;
        let mut relation = Relation::new();
        let handed = |relation: &Relation| answer(Version::V21, "ClearTariffs", told, relation);
        assert_eq!(handed(&relation), None);
        relation.learn(Class::TariffId, "\"a\"", "\"b\"");
        let renamed = told.replace("\"a\"", "\"b\"");
        assert_eq!(handed(&relation), Some(renamed));
    }

    #[test]
    fn what_the_charger_minted_stays() {
        let told = r#"{"status":"Accepted","transactionId":"T-1"}"#;
        let handed = answer(
            Version::V201,
            "RequestStartTransaction",
            told,
            &Relation::new(),
        );
        assert_eq!(handed.as_deref(), Some(told));
    }

    proptest! {
        #[test]
        fn what_leaves_holds_only_the_shadows_ids(
            pairs in prop::collection::btree_map(-5_i64..20, -5_i64..20, 0..8),
            id in -5_i64..30,
            quoted in any::<bool>(),
            twice in any::<bool>(),
        ) {
            let mut relation = Relation::new();
            for (authority, shadow) in &pairs {
                relation.learn(TX, &authority.to_string(), &shadow.to_string());
            }
            let literal = if quoted { format!("\"{id}\"") } else { id.to_string() };
            let member = format!(r#""transactionId":{literal}"#);
            let members = if twice { format!("{member}, {member}") } else { member };
            let text = format!(r#"[2,"1","MeterValues",{{"a":[{id}],{members}}}]"#);
            match (planned(Version::V16, &text, &relation), pairs.get(&id)) {
                (Plan::Send(done), Some(twin)) => {
                    let expected = members.replace(&literal, &literal.replace(&id.to_string(), &twin.to_string()));
                    let expected = format!(r#"[2,"1","MeterValues",{{"a":[{id}],{expected}}}]"#);
                    prop_assert_eq!(done.text.as_deref().unwrap_or(&text), expected);
                }
                (Plan::Send(done), None) => {
                    prop_assert!(identifiers::is_sentinel(TX, &id.to_string()));
                    prop_assert_eq!(done.text, None);
                }
                (Plan::Withhold(why), twin) => {
                    prop_assert_eq!((why, twin), (UNMAPPED, None));
                }
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*", payload in "[{}\\[\\]\":,a-z0-9 ]{0,40}") {
            let framed = format!(r#"[2,"1","MeterValues",{{"transactionId":{payload}}}]"#);
            for text in [text, framed] {
                if let Ok(call) = Envelope::parse(&text) {
                    plan(Version::V16, &text, &call, &Relation::new());
                }
            }
        }
    }
}
