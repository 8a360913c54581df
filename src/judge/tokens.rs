//! Tokens that a backend made up: an operator's app starts a session with one that no driver holds, and no other backend
//! knows it (semantics 1.5).

use super::recent::Recent;
use super::tree::Node;
use crate::ocpp::{Envelope, MessageType};

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
    pub(super) fn commanded(&mut self, command: &Envelope<'_>) {
        let paths = match command.action.as_ref() {
            "RemoteStartTransaction" => ["/idTag", "/idTag"],
            "RequestStartTransaction" => ["/idToken/idToken", "/idToken/idToken"],
            _ => return,
        };
        if let Some(token) = token(command.payload, paths)
            && self.known.get(&token).is_none()
        {
            self.commanded.insert(token, ());
        }
    }

    /// A CALL of the charger's: a token that no command named before is a driver's.
    pub(super) fn called(&mut self, call: &Envelope<'_>) {
        if call.kind == MessageType::Call
            && let Some(token) = presented(&call.action, call.payload)
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
        let Some(token) = presented(action, request) else {
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

fn presented(action: &str, request: &str) -> Option<String> {
    matches!(
        action,
        "Authorize" | "StartTransaction" | "TransactionEvent"
    )
    .then(|| token(request, ["/idTag", "/idToken/idToken"]))
    .flatten()
}

/// Tokens have no case.
fn token(payload: &str, paths: [&str; 2]) -> Option<String> {
    let payload = Node::parse(payload).ok()?;
    paths
        .iter()
        .find_map(|path| payload.at(path)?.text())
        .map(str::to_ascii_lowercase)
}

fn is_accepted(answer: &str) -> Option<bool> {
    let answer = Node::parse(answer).ok()?;
    ["/idTagInfo/status", "/idTokenInfo/status"]
        .iter()
        .find_map(|path| answer.at(path)?.text())
        .map(|status| status == "Accepted")
}
