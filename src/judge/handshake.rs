//! Handshake parity: would the candidate have let the charger in, and with the same subprotocol?
//!
//! Each outcome counts once per connection, however often the leg tries again.

use super::exchanges::Bench;
use super::findings::{Draft, Sides};
use super::notes;
use super::world::Origin;
use crate::facts::{Fact, Kind};
use crate::ledger::row::{Handshake, Outcome, Reason, Row, Subject};
use crate::ocpp::Severity;

const REFUSED: (&str, &str) = (
    "handshake-refused",
    "The charger could not join: its authority accepts it, the other backend does not.",
);
const SUBPROTOCOL: (&str, &str) = (
    "handshake-subprotocol",
    "The charger would speak another version, or none.",
);

/// Judges a `ShadowOpened` or `ShadowRefused`.
pub(super) fn judge(fact: &Fact, bench: &mut Bench<'_>) {
    let note: notes::Shook = notes::read(fact);
    let origin = bench.world.origin(fact);
    let chosen = bench.world.conn(fact).subprotocol.clone();
    let (cause, draft) = weigh(fact.kind, &note, chosen.as_deref(), &origin);
    let unreachable = matches!(cause, "unreachable" | "unknown version");
    let conn = bench.world.conn(fact);
    let draft = draft.map(|draft| match conn.line.strict_root() {
        Some(quirk) => draft.rooted(quirk),
        None => draft,
    });
    conn.shadow_open = fact.kind == Kind::ShadowOpened;
    if let Some(draft) = &draft
        && fact.kind == Kind::ShadowRefused
    {
        conn.refused = Some(draft.finding());
    }
    if !conn.shaken.insert(cause) {
        return;
    }
    (bench.out)(Row::Handshake(Handshake {
        id: fact.seq,
        at: fact.at,
        charger: origin.charger.to_string(),
        conn: origin.conn,
        authority: origin.authority.word().into(),
        outcome: match (&draft, unreachable) {
            (Some(_), _) => Outcome::Divergent,
            (None, true) => Outcome::NotComparable,
            (None, false) => Outcome::Equal,
        },
        reason: unreachable.then_some(Reason::ShadowGap),
        severity: draft.as_ref().map(|draft| draft.severity),
        status: note.status,
        why: if note.why.is_empty() {
            cause.to_owned()
        } else {
            note.why
        },
    }));
    if let Some(draft) = draft {
        let row = draft.seen(Subject::Handshake, fact.seq, fact.at, &origin);
        (bench.out)(Row::Divergence(row));
    }
}

fn weigh(
    kind: Kind,
    note: &notes::Shook,
    chosen: Option<&str>,
    origin: &Origin,
) -> (&'static str, Option<Draft>) {
    let same = match (chosen, note.subprotocol.as_deref()) {
        (Some(ours), Some(theirs)) => ours.trim().eq_ignore_ascii_case(theirs.trim()),
        (ours, theirs) => ours == theirs,
    };
    let names = (origin.authority.word(), origin.authority.other().word());
    if note.why == "version" {
        return ("unknown version", None);
    }
    let broken = matches!(note.why.as_str(), "answer" | "not http");
    match (kind, note.status) {
        (Kind::ShadowRefused, _) if broken => {
            let title = format!(
                "the handshake is accepted by {}, answered with a broken upgrade by {}",
                names.0, names.1
            );
            let sides = Sides::of(origin.authority, "accepted", "broken");
            let draft = Draft::whole(REFUSED, "handshake", "", Severity::S1, sides, title);
            ("broken", Some(draft))
        }
        (Kind::ShadowOpened, _) if same => ("opened", None),
        (Kind::ShadowRefused, None) if note.subprotocol.is_none() => ("unreachable", None),
        (Kind::ShadowRefused, Some(status)) if status != 101 => {
            let title = format!(
                "the handshake is accepted by {}, refused with {status} by {}",
                names.0, names.1
            );
            let sides = Sides::of(origin.authority, "accepted", status.to_string());
            let draft = Draft::whole(REFUSED, "handshake", "", Severity::S1, sides, title);
            ("refused", Some(draft))
        }
        _ => {
            let ours = chosen.unwrap_or("none").to_owned();
            let theirs = note.subprotocol.clone().unwrap_or("none".to_owned());
            let title = format!(
                "the handshake chooses subprotocol {ours} on {}, {theirs} on {}",
                names.0, names.1
            );
            let sides = Sides::of(origin.authority, ours, theirs);
            let draft = Draft::whole(SUBPROTOCOL, "handshake", "", Severity::S1, sides, title);
            ("subprotocol", Some(draft))
        }
    }
}
