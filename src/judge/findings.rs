//! Findings: divergences with the same signature, under a stable id and in a sentence.
//!
//! Words name the legs, `legacy` and `candidate`, whichever of them is the authority: a finding keeps its id and its
//! sentence across a cutover.

use sha2::{Digest, Sha256};

use super::compare::{Difference, Kind};
use super::rules::Part;
use super::world::Origin;
use crate::clock::Micros;
use crate::facts::{Dir, Leg};
use crate::ledger::row::{Divergence, Subject, Unstable};
use crate::ocpp::Severity;
use crate::ocpp::quirks::Quirk;

/// A value on each leg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sides {
    pub(super) legacy: String,
    pub(super) candidate: String,
}

impl Sides {
    /// The authority's and the shadow's value, put where they belong.
    pub(super) fn of(authority: Leg, ours: impl Into<String>, theirs: impl Into<String>) -> Self {
        let (ours, theirs) = (ours.into(), theirs.into());
        match authority {
            Leg::Legacy => Self {
                legacy: ours,
                candidate: theirs,
            },
            Leg::Candidate => Self {
                legacy: theirs,
                candidate: ours,
            },
        }
    }
}

/// Everything about a divergence but where it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Draft {
    pub(super) rule: String,
    pub(super) reason: String,
    pub(super) direction: Dir,
    pub(super) action: String,
    pub(super) path: String,
    pub(super) pointer: String,
    pub(super) kind: &'static str,
    pub(super) severity: Severity,
    pub(super) sides: Sides,
    pub(super) title: String,
    /// The charger's quirk that it is rooted in.
    pub(super) quirk: Option<Quirk>,
    /// How legacy itself varies here.
    pub(super) unstable: Option<Unstable>,
}

impl Draft {
    /// A divergence of two payloads.
    pub(super) fn field(
        difference: &Difference<'_>,
        part: Part,
        action: &str,
        authority: Leg,
    ) -> Self {
        let sides = Sides::of(
            authority,
            difference.authority_class.as_str(),
            difference.shadow_class.as_str(),
        );
        let kind = seen_from_candidate(difference.kind, authority);
        Self {
            title: field_title(part, action, &difference.path, kind, &sides),
            rule: difference.rule.id.clone(),
            reason: difference.rule.reason.clone(),
            direction: Dir::ToCharger,
            action: action.to_owned(),
            path: difference.path.clone(),
            pointer: difference.pointer.clone(),
            kind: kind.word(),
            severity: difference.severity,
            sides,
            quirk: None,
            unstable: None,
        }
    }

    /// A divergence of the whole: no field is to blame.
    pub(super) fn whole(
        (rule, reason): (&str, &str),
        kind: &'static str,
        action: &str,
        severity: Severity,
        sides: Sides,
        title: String,
    ) -> Self {
        Self {
            rule: rule.to_owned(),
            reason: reason.to_owned(),
            direction: Dir::ToCharger,
            action: action.to_owned(),
            path: String::new(),
            pointer: String::new(),
            kind,
            severity,
            sides,
            title,
            quirk: None,
            unstable: None,
        }
    }

    /// The same divergence, as one that the charger brings about.
    #[must_use]
    pub(super) fn rooted(mut self, quirk: Quirk) -> Self {
        self.title = format!("{}, rooted in {quirk}: {}", self.title, quirk.name());
        self.quirk = Some(quirk);
        self
    }

    /// Whether what follows in the session happens in another world: one backend lets the driver charge, the other does
    /// not. An answer that is late or badly formed still says the same.
    pub(super) fn is_root(&self) -> bool {
        self.severity <= Severity::S1 && !matches!(self.kind, "late" | "schema" | "identifier")
    }

    /// The id of the finding that it belongs to.
    pub(super) fn finding(&self) -> String {
        let quirk = self.quirk.map(|quirk| quirk.to_string());
        let mut signature = vec![
            self.rule.as_str(),
            self.direction.word(),
            &self.action,
            &self.path,
            self.kind,
            &self.sides.legacy,
            &self.sides.candidate,
        ];
        signature.extend(quirk.as_deref());
        id(&signature)
    }

    /// The ledger row.
    pub(super) fn seen(self, subject: Subject, id: u64, at: Micros, origin: &Origin) -> Divergence {
        Divergence {
            finding: self.finding(),
            subject,
            id,
            at,
            charger: origin.charger.to_string(),
            conn: origin.conn,
            model: origin.said.model.clone(),
            firmware: origin.said.firmware.clone(),
            rule: self.rule,
            reason: self.reason,
            direction: self.direction.word().to_owned(),
            action: self.action,
            path: self.path,
            pointer: self.pointer,
            kind: self.kind.to_owned(),
            severity: self.severity,
            legacy: self.sides.legacy,
            candidate: self.sides.candidate,
            title: self.title,
            quirk: self.quirk.map(Quirk::row),
            unstable: self.unstable,
            // Known where the row leaves the judge.
            run: 0,
            exposed: 0,
        }
    }
}

/// One draft per finding, the worst: an exchange shows a finding or does not, in however many places of an array.
pub(super) fn once_each(drafts: Vec<Draft>) -> Vec<Draft> {
    let mut kept: Vec<(String, Draft)> = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let finding = draft.finding();
        match kept.iter_mut().find(|(other, _)| *other == finding) {
            Some((_, known)) if draft.severity < known.severity => *known = draft,
            Some(_) => {}
            None => kept.push((finding, draft)),
        }
    }
    kept.into_iter().map(|(_, draft)| draft).collect()
}

/// `missing` means that the candidate lacks it, `extra` that only the candidate has it.
fn seen_from_candidate(kind: Kind, authority: Leg) -> Kind {
    match (kind, authority) {
        (Kind::Missing, Leg::Candidate) => Kind::Extra,
        (Kind::Extra, Leg::Candidate) => Kind::Missing,
        (kind, _) => kind,
    }
}

fn field_title(part: Part, action: &str, path: &str, kind: Kind, sides: &Sides) -> String {
    let verb = match part {
        Part::Answer => "answers",
        Part::Command => "commands",
        Part::Request => "says",
    };
    let field = match path {
        "" => "its content".to_owned(),
        _ => path[1..].replace("/*", "[*]").replace('/', "."),
    };
    let Sides { legacy, candidate } = sides;
    match kind {
        Kind::Value if legacy != candidate => {
            format!("{action} {verb} {field} {legacy} on legacy, {candidate} on candidate")
        }
        Kind::Value => format!("{action} {verb} a different {field} on legacy and candidate"),
        Kind::Type => {
            format!("{action} {verb} {field} as {legacy} on legacy, as {candidate} on candidate")
        }
        Kind::Missing => format!("{action} {verb} {field} on legacy, not on candidate"),
        Kind::Extra => format!("{action} {verb} {field} on candidate, not on legacy"),
        Kind::Order => {
            format!("{action} {verb} {field} in different orders on legacy and candidate")
        }
        Kind::Unreadable => {
            format!("{action} {verb} {legacy} on legacy, {candidate} on candidate")
        }
    }
}

/// `F-` and eight characters of Crockford's base 32: forty bits of the signature's SHA-256.
fn id(signature: &[&str]) -> String {
    const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let digest = Sha256::digest(signature.join("\u{1f}"));
    let bits = digest
        .iter()
        .take(5)
        .fold(0u64, |bits, &byte| (bits << 8) | u64::from(byte));
    let mut id = String::from("F-");
    id.extend((0..8).map(|place| char::from(ALPHABET[(bits >> (35 - 5 * place)) as usize & 31])));
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_stable_and_told_apart() {
        assert_eq!(id(&["a", "b"]), id(&["a", "b"]));
        assert_ne!(id(&["a", "b"]), id(&["ab", ""]));
        assert_eq!(id(&["boot-interval"]).len(), 10);
    }

    #[test]
    fn titles_name_the_legs() {
        let sides = Sides::of(Leg::Candidate, "900", "300");
        assert_eq!(
            field_title(
                Part::Answer,
                "BootNotification",
                "/interval",
                Kind::Value,
                &sides
            ),
            "BootNotification answers interval 300 on legacy, 900 on candidate"
        );
        let kinds = Sides::of(Leg::Legacy, "string", "string");
        assert_eq!(
            field_title(
                Part::Answer,
                "Authorize",
                "/idTagInfo/parentIdTag",
                Kind::Value,
                &kinds
            ),
            "Authorize answers a different idTagInfo.parentIdTag on legacy and candidate"
        );
    }
}
