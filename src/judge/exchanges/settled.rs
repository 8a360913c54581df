//! What a settled exchange says to the monitors.

use super::open::{Answer, Open, Ours, Theirs};
use crate::clock::Micros;
use crate::facts::Leg;
use crate::judge::monitors::Settled;
use crate::ocpp::json::{self, Step};

/// What both backends decided, if the exchange was about that.
pub(super) fn settled(open: &Open, comparable: bool) -> Option<Settled> {
    if !matches!(
        open.action.as_str(),
        "BootNotification" | "Authorize" | "StartTransaction" | "TransactionEvent"
    ) {
        return None;
    }
    let ours = match &open.ours {
        Ours::Answered(answer) => said(answer),
        _ => None,
    };
    let theirs = match &open.theirs {
        Theirs::Answered(answer) => said(answer),
        _ => None,
    };
    let said = match open.origin.authority {
        Leg::Legacy => [ours, theirs],
        Leg::Candidate => [theirs, ours],
    };
    Some(Settled {
        charger: open.origin.charger.clone(),
        at: open.at,
        action: open.action.clone(),
        authority: open.origin.authority,
        comparable,
        token: token(&open.request),
        said,
    })
}

fn said(answer: &Answer) -> Option<(String, Micros)> {
    let status = Step::Key("status");
    let text = text(&answer.payload, &[Step::Key("idTagInfo"), status])
        .or_else(|| text(&answer.payload, &[Step::Key("idTokenInfo"), status]))
        .or_else(|| text(&answer.payload, &[status]))?;
    Some((text, answer.at))
}

fn token(request: &str) -> Option<(String, Option<String>)> {
    if let Some(tag) = text(request, &[Step::Key("idTag")]) {
        return Some((tag, None));
    }
    let member = |key| text(request, &[Step::Key("idToken"), Step::Key(key)]);
    Some((member("idToken")?, member("type")))
}

fn text(payload: &str, path: &[Step]) -> Option<String> {
    json::first(payload, path)
        .and_then(json::string_value)
        .map(std::borrow::Cow::into_owned)
}
