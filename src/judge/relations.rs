//! Identifiers that the shadow mints, compared as relations: stable for a repeated request, unique among live sessions,
//! small enough for chargers that keep 32 bits.

use super::findings::{Draft, Sides};
use super::recent::Recent;
use super::tree::Node;
use crate::facts::Leg;
use crate::ocpp::identifiers::{Part, Role, sites};
use crate::ocpp::json;
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Class, Severity, Version};

/// The identifiers that the shadow minted for one charger's live transactions.
#[derive(Debug, Default)]
pub(super) struct Minted {
    /// By the authority's identifier.
    live: Recent<Holder>,
    /// What the shadow called the sessions that ended, with the authority's identifier.
    ended: Recent<String>,
}

#[derive(Debug)]
struct Holder {
    shadow: String,
    request: String,
}

/// What is wrong with an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// A repeated request got a new one.
    Unstable,
    /// Another live session has it.
    Shared,
    /// A session that ended had it.
    Reused,
}

/// What is wrong with what the shadow minted.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// An identifier does not fit 32 bits where the authority's does: some chargers keep no more of it, so it passes here
    /// and fails after the cutover.
    pub(super) large: bool,
    pub(super) drafts: Vec<Draft>,
}

/// Two answers to the same request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answers<'a> {
    pub(super) version: Version,
    pub(super) action: &'a str,
    pub(super) request: &'a str,
    pub(super) authority: &'a str,
    pub(super) shadow: &'a str,
    pub(super) leg: Leg,
}

impl Minted {
    /// Checks what the shadow minted in its answer, and remembers it.
    pub(super) fn check(&mut self, answers: &Answers<'_>) -> Checked {
        let mut checked = Checked::default();
        if [answers.authority, answers.shadow].contains(&"{}") {
            // Most answers say nothing, and then there is nothing to look for.
            return checked;
        }
        for site in sites(answers.version, answers.action, Part::Response) {
            if site.role != Role::Mint {
                continue;
            }
            let read = |text: &str| json::first(text, site.path).map(Identifier::read);
            let (Some(ours), Some(theirs)) = (read(answers.authority), read(answers.shadow)) else {
                continue;
            };
            checked.large |= !ours.is_string() && ours.fits_i32() && !theirs.fits_i32();
            if site.class == Class::TransactionId && both_accept(answers) {
                let flaw = self.mint(ours.text(), theirs.text(), answers.request);
                checked
                    .drafts
                    .extend(flaw.map(|flaw| flaw.draft(site.class, answers)));
            }
        }
        checked
    }

    fn mint(&mut self, ours: &str, theirs: &str, request: &str) -> Option<Flaw> {
        let repeated = self.live.values().find(|holder| holder.request == request);
        let flaw = match repeated {
            // Where the authority begins another session too, nobody is to blame.
            Some(holder) => {
                (holder.shadow != theirs && self.live.get(ours).is_some()).then_some(Flaw::Unstable)
            }
            None if self.live.values().any(|holder| holder.shadow == theirs) => Some(Flaw::Shared),
            // Where the authority numbers its sessions anew, the shadow may.
            None => (self.ended.get(theirs).is_some()
                && !self.ended.values().any(|before| before == ours))
            .then_some(Flaw::Reused),
        };
        // A charger goes on with the first answer that it gets.
        let shadow = repeated.map_or_else(|| theirs.to_owned(), |holder| holder.shadow.clone());
        self.live.insert(
            ours.to_owned(),
            Holder {
                shadow,
                request: request.to_owned(),
            },
        );
        flaw
    }

    /// A transaction of the authority ended.
    pub(super) fn release(&mut self, transaction: &str) {
        if let Some(holder) = self.live.remove(transaction) {
            self.ended.insert(holder.shadow, transaction.to_owned());
        }
    }
}

/// A refused start begins no session; backends then answer 0, -1 or anything.
fn both_accept(answers: &Answers<'_>) -> bool {
    [answers.authority, answers.shadow].iter().all(|text| {
        Node::parse(text).is_ok_and(|answer| {
            answer.at("/idTagInfo/status").and_then(Node::text) == Some("Accepted")
        })
    })
}

impl Flaw {
    fn draft(self, class: Class, answers: &Answers<'_>) -> Draft {
        let (name, field) = (answers.leg.other().word(), class.word());
        let (rule, reason, severity, word, title) = match self {
            Self::Unstable => (
                "identifier-stable",
                "A repeated request begins no second session.",
                Severity::S2,
                "another one",
                format!("{name} gives a repeated {} a new {field}", answers.action),
            ),
            Self::Reused => (
                "identifier-reused",
                "Who books by the identifier takes two sessions for one.",
                Severity::S2,
                "used before",
                format!("{name} gives a {field} that an earlier session had"),
            ),
            Self::Shared => (
                "identifier-unique",
                "Two live sessions with one identifier are billed as one.",
                Severity::S2,
                "in use",
                format!("{name} gives a {field} that another live session has"),
            ),
        };
        let sides = Sides::of(answers.leg, "sound", word);
        let mut draft = Draft::whole(
            (rule, reason),
            "identifier",
            answers.action,
            severity,
            sides,
            title,
        );
        draft.path = format!("/{field}");
        draft.pointer.clone_from(&draft.path);
        draft
    }
}
