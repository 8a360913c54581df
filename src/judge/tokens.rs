//! Tokens that a backend made up: an operator's app starts a session with one that no driver holds, and no other backend
//! knows it (semantics 1.5).

use super::heard::Heard;
use super::recent::Recent;
use crate::ocpp::{Fields, MessageType};

/// The tokens of one charger.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    /// Named by the authority in a remote start before any driver presented them.
    commanded: Recent<()>,
    /// Presented by drivers, or accepted by the shadow: it knows them, or should.
    known: Recent<()>,
}

/// The rule that explains a refusal of such a token.
pub(super) const RULE: &str = "remote-start-token";

impl Tokens {
    /// A command of the authority's.
    pub(super) fn commanded(&mut self, command: &Heard<'_>) {
        if !matches!(
            command.action.as_ref(),
            "RemoteStartTransaction" | "RequestStartTransaction"
        ) {
            return;
        }
        if let Some(token) = token(command.fields())
            && self.known.get(&token).is_none()
        {
            self.commanded.insert(token, ());
        }
    }

    /// A CALL of the charger's: a token that no command named before is a driver's.
    pub(super) fn called(&mut self, call: &Heard<'_>) {
        if call.kind == MessageType::Call
            && presents(&call.action)
            && let Some(token) = token(call.fields())
            && self.commanded.get(&token).is_none()
        {
            self.known.insert(token, ());
        }
    }

    /// Both answers to a CALL: whether the shadow refuses what it cannot know. What it accepts it knows from then on.
    pub(super) fn excuses(
        &mut self,
        action: &str,
        request: &str,
        authority: &str,
        shadow: &str,
    ) -> bool {
        if !presents(action) {
            return false;
        }
        let Some(token) = token(&Fields::read(request)) else {
            return false;
        };
        match (is_accepted(authority), is_accepted(shadow)) {
            (_, Some(true)) => {
                self.known.insert(token, ());
                false
            }
            (Some(true), Some(false)) => {
                self.commanded.get(&token).is_some() && self.known.get(&token).is_none()
            }
            _ => false,
        }
    }
}

/// Whether a difference says no more than that the token was refused.
pub(super) fn is_refusal(path: &str) -> bool {
    path.starts_with("/idTagInfo") || path.starts_with("/idTokenInfo")
}

/// Whether a CALL of this name presents a token.
fn presents(action: &str) -> bool {
    matches!(
        action,
        "Authorize" | "StartTransaction" | "TransactionEvent"
    )
}

/// Tokens have no case.
fn token(payload: &Fields<'_>) -> Option<String> {
    let tag = payload.text("idTag");
    let token = tag.or_else(|| payload.inside("idToken").text("idToken"))?;
    Some(token.to_ascii_lowercase())
}

fn is_accepted(answer: &str) -> Option<bool> {
    let answer = Fields::read(answer);
    ["idTagInfo", "idTokenInfo"]
        .iter()
        .find_map(|name| answer.inside(name).text("status"))
        .map(|status| status == "Accepted")
}
