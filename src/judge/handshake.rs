//! Handshake parity: would the shadow have let the charger in, with the same version, and kept it?
//!
//! Each outcome counts once per connection, however often the leg tries again.

use super::exchanges::Bench;
use super::findings::{Draft, Sides};
use super::notes;
use super::world::{Conn, Origin};
use crate::clock::Micros;
use crate::facts::{Fact, Kind};
use crate::ledger::row::{Handshake, Outcome, Reason, Row, Subject};
use crate::ocpp::Severity;

/// A rule of this file: its name, and why what it finds matters.
type Rule = (&'static str, &'static str);

const REFUSED: Rule = (
    "handshake-refused",
    "The charger could not join: its authority accepts it, the other backend does not.",
);
const CREDENTIALS: Rule = (
    "credentials",
    "The charger could not log in: mostly its credentials were not migrated, or as text instead of bytes.",
);
const VERSION: Rule = (
    "version-mismatch",
    "The charger would speak another version, or none.",
);
const TLS: Rule = (
    "handshake-tls",
    "The charger might not get as far as HTTP: TLS towards the backend fails.",
);
const CLOSED: Rule = (
    "handshake-closed",
    "The charger would be let in and sent away: the backend closes the connection before it has said anything.",
);

/// How soon after its opening a close counts as a part of the handshake, µs.
const SOON: Micros = 5_000_000;

/// Close codes by which a backend that restarts or is busy sends everybody away: no verdict on this charger, unless it
/// is the same the next time.
const PASSING: [u16; 4] = [1001, 1011, 1012, 1013];

/// What became of a handshake.
struct Weighed {
    /// The word for it; each counts once per connection.
    cause: &'static str,
    /// Whether it says anything about parity.
    comparable: bool,
    draft: Option<Draft>,
}

impl Weighed {
    const fn equal(cause: &'static str) -> Self {
        Self {
            cause,
            comparable: true,
            draft: None,
        }
    }

    const fn missing(cause: &'static str) -> Self {
        Self {
            cause,
            comparable: false,
            draft: None,
        }
    }

    fn divergent(cause: &'static str, rule: Rule, sides: Sides, title: String) -> Self {
        let draft = Draft::whole(rule, "handshake", "", Severity::S1, sides, title);
        Self {
            cause,
            comparable: true,
            draft: Some(draft),
        }
    }
}

/// Judges a `ShadowOpened` or `ShadowRefused`.
pub(super) fn judge(fact: &Fact, bench: &mut Bench<'_>) {
    let note: notes::Shook = notes::read(fact);
    let origin = bench.world.origin(fact);
    let conn = bench.world.conn(fact);
    let chosen = conn.subprotocol.clone();
    let mut weighed = if note.probe {
        probed(&note, chosen.as_deref(), &origin)
    } else {
        conn.shadow_open = fact.kind == Kind::ShadowOpened;
        conn.fresh = conn.shadow_open.then_some(fact.at);
        weigh(fact.kind, &note, chosen.as_deref(), &origin)
    };
    weighed.draft = weighed.draft.map(|draft| match conn.line.strict_root() {
        Some(quirk) => draft.rooted(quirk),
        None => draft,
    });
    if let Some(draft) = &weighed.draft
        && fact.kind == Kind::ShadowRefused
        && !note.probe
    {
        conn.refused = Some(draft.finding());
    }
    report(fact, weighed, note, &origin, bench);
}

/// Judges a `ShadowClosed`: a backend that closes at once has not really let the charger in.
pub(super) fn closed(fact: &Fact, bench: &mut Bench<'_>) {
    let note: notes::Shook = notes::read(fact);
    let origin = bench.world.origin(fact);
    let conn = bench.world.conn(fact);
    let soon = conn
        .fresh
        .take()
        .is_some_and(|opened| fact.at - opened <= SOON);
    if note.by != "backend" || !soon || conn.closed || is_passing(&note, conn) {
        return;
    }
    let how = note
        .code
        .map_or("no close frame".to_owned(), |code| format!("code {code}"));
    let title = format!(
        "the connection stays open on {}, is closed at once by {} with {how}",
        origin.authority.word(),
        origin.authority.other().word()
    );
    let sides = Sides::of(origin.authority, "open", how);
    let weighed = Weighed::divergent("closed", CLOSED, sides, title);
    report(fact, weighed, note, &origin, bench);
}

/// Whether an early close may mean nothing: a backend that goes away, or a line that broke, for the first time.
fn is_passing(note: &notes::Shook, conn: &mut Conn) -> bool {
    let passing = note.code.is_none_or(|code| PASSING.contains(&code));
    let first = !std::mem::replace(&mut conn.sent_away, true);
    passing && first
}

fn report(
    fact: &Fact,
    weighed: Weighed,
    note: notes::Shook,
    origin: &Origin,
    bench: &mut Bench<'_>,
) {
    let Weighed {
        cause,
        comparable,
        draft,
    } = weighed;
    if !bench.world.conn(fact).shaken.insert(cause) {
        return;
    }
    let outcome = match (&draft, comparable) {
        (Some(_), _) => Outcome::Divergent,
        (None, false) => Outcome::NotComparable,
        (None, true) => Outcome::Equal,
    };
    let why = if note.why.is_empty() {
        cause.to_owned()
    } else {
        note.why
    };
    (bench.out)(Row::Handshake(Handshake {
        reason: (!comparable).then_some(Reason::ShadowGap),
        severity: draft.as_ref().map(|draft| draft.severity),
        status: note.status,
        ..row(fact, origin, outcome, why)
    }));
    if let Some(draft) = draft {
        let row = draft.seen(Subject::Handshake, fact.seq, fact.at, origin);
        (bench.out)(Row::Divergence(row));
    }
}

/// The row of a handshake, without what only some have.
pub(super) fn row(fact: &Fact, origin: &Origin, outcome: Outcome, why: String) -> Handshake {
    Handshake {
        id: fact.seq,
        at: fact.at,
        charger: origin.charger.to_string(),
        conn: origin.conn,
        authority: origin.authority.word().into(),
        outcome,
        reason: None,
        severity: None,
        status: None,
        why,
    }
}

fn weigh(kind: Kind, note: &notes::Shook, chosen: Option<&str>, origin: &Origin) -> Weighed {
    let refused = kind == Kind::ShadowRefused;
    match (note.why.as_str(), note.status) {
        ("version", _) => Weighed::missing("unknown version"),
        ("answer" | "not http", _) if refused => accepted_but(
            "broken",
            REFUSED,
            origin,
            "broken",
            "answered with a broken upgrade",
        ),
        ("tls", _) if refused && !note.tls.is_empty() => {
            let what = format!("broken off by TLS ({})", note.tls);
            accepted_but("tls", TLS, origin, &note.tls, &what)
        }
        (_, Some(status)) if refused && status != 101 => status_refused(status, origin),
        (_, None) if refused && note.subprotocol.is_none() => Weighed::missing("unreachable"),
        _ if !refused && is_same(chosen, note.subprotocol.as_deref()) => Weighed::equal("opened"),
        _ => mismatch("subprotocol", "chooses", note, chosen, origin),
    }
}

fn status_refused(status: u16, origin: &Origin) -> Weighed {
    let rule = match status {
        401 | 403 => CREDENTIALS,
        _ => REFUSED,
    };
    let theirs = status.to_string();
    let what = format!("refused with {status}");
    accepted_but("refused", rule, origin, &theirs, &what)
}

/// The authority accepted the handshake; of the other backend this is said.
fn accepted_but(
    cause: &'static str,
    rule: Rule,
    origin: &Origin,
    theirs: &str,
    what: &str,
) -> Weighed {
    let title = format!(
        "the handshake is accepted by {}, {what} by {}",
        origin.authority.word(),
        origin.authority.other().word()
    );
    let sides = Sides::of(origin.authority, "accepted", theirs);
    Weighed::divergent(cause, rule, sides, title)
}

/// What the shadow makes of all that the charger offered: with its next authority the charger would speak that version.
fn probed(note: &notes::Shook, chosen: Option<&str>, origin: &Origin) -> Weighed {
    match note.status {
        Some(101) if is_same(chosen, note.subprotocol.as_deref()) => Weighed::equal("whole offer"),
        Some(101) => mismatch(
            "whole offer",
            "with the whole offer chooses",
            note,
            chosen,
            origin,
        ),
        // The leg itself tells why a backend refuses, or is not there.
        _ => Weighed::missing("whole offer"),
    }
}

fn mismatch(
    cause: &'static str,
    chooses: &str,
    note: &notes::Shook,
    chosen: Option<&str>,
    origin: &Origin,
) -> Weighed {
    let ours = chosen.unwrap_or("none");
    let theirs = note.subprotocol.as_deref().unwrap_or("none");
    let title = format!(
        "the handshake {chooses} subprotocol {ours} on {}, {theirs} on {}",
        origin.authority.word(),
        origin.authority.other().word()
    );
    let sides = Sides::of(origin.authority, ours, theirs);
    Weighed::divergent(cause, VERSION, sides, title)
}

fn is_same(ours: Option<&str>, theirs: Option<&str>) -> bool {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => ours.trim().eq_ignore_ascii_case(theirs.trim()),
        (ours, theirs) => ours == theirs,
    }
}
