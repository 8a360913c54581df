//! What came out of a settled exchange.

use super::Bench;
use super::open::{Answer, Open, Ours, Theirs};
use super::settled::settled;
use crate::facts::Leg;
use crate::judge::boots;
use crate::judge::compare::{Context, compare};
use crate::judge::findings::{self, Draft, Sides};
use crate::judge::quirks;
use crate::judge::relations::Answers;
use crate::judge::rules::Part;
use crate::judge::sessions::{Phase, Spoil, Thread};
use crate::judge::tokens;
use crate::ledger::row::{Exchange, Outcome, QuirkSeen, Reason, Row, Subject};
use crate::ocpp::json::{self, Step};
use crate::ocpp::lint::{Lint, lint};
use crate::ocpp::quirks::{Effect, Quirk};
use crate::ocpp::{Severity, Version, actions, identifiers};

/// A shadow that answers later than this is too late for a charger, µs (semantics 2.8).
const LATE: i64 = 30_000_000;

/// An answer that takes longer than this gives a charger time, µs: [`hurried`].
const UNHURRIED: i64 = 200_000;

const BROKEN: (&str, &str) = (
    "answer-kind",
    "One backend answers, the other refuses with an error.",
);
const SILENT: (&str, &str) = (
    "no-answer",
    "One backend answers, the other does not in time.",
);
const TARDY: (&str, &str) = (
    "late-answer",
    "Chargers give up waiting after about 30 seconds.",
);

const SCHEMA: (&str, &str) = (
    "answer-schema",
    "A strict charger refuses an answer that breaks its schema.",
);

/// What is found before it becomes rows.
#[derive(Default)]
struct Verdict {
    spoil: Option<Spoil>,
    rules: Vec<String>,
    drafts: Vec<Draft>,
    /// Quirks that show in the answers: row and leg.
    notes: Vec<(u8, Leg)>,
    /// Why what follows in the session is not comparable, although this is.
    apart: Option<Spoil>,
}

/// Judges a settled exchange: emits its rows and lets its session know.
pub(super) fn judge(mut open: Open, bench: &mut Bench<'_>) {
    learn_transaction(&mut open);
    let mut verdict = weigh(&open, bench);
    blame_the_charger(&open, &mut verdict);
    if open.solicited && reports_on_a_job(&open.action) && !verdict.drafts.is_empty() {
        // The shadow started no such job and may say so.
        verdict = Verdict {
            spoil: Some(Spoil::plain(Reason::Solicited)),
            ..Verdict::default()
        };
    }
    verdict.drafts = findings::once_each(verdict.drafts);
    hold_against_legacy(&open, &mut verdict, bench);
    let findings: Vec<_> = verdict.drafts.iter().map(Draft::finding).collect();
    let root = verdict
        .drafts
        .iter()
        .zip(&findings)
        .find(|(draft, _)| draft.is_root())
        .map(|(_, finding)| finding.clone());
    remember(&open, &verdict, root.as_deref(), bench);
    let settled = settled(&open, verdict.spoil.is_none());
    bench.world.settled.extend(settled);
    emit(open, verdict, bench);
}

/// Marks what differs at a place where legacy itself answers this request now so, now so.
fn hold_against_legacy(open: &Open, verdict: &mut Verdict, bench: &mut Bench<'_>) {
    let ((Leg::Legacy, Ours::Answered(legacy), _) | (Leg::Candidate, _, Theirs::Answered(legacy))) =
        (open.origin.authority, &open.ours, &open.theirs)
    else {
        return;
    };
    if verdict.spoil.is_some() {
        return;
    }
    let answer = match &legacy.refused {
        Some(code) => Err(code.as_str()),
        None => Ok(legacy.payload.as_ref()),
    };
    let variance = &mut bench.world.charger(&open.origin.charger).variance;
    let Some(key) = variance.heard(&open.action, &open.request, answer) else {
        return;
    };
    for draft in &mut verdict.drafts {
        let about_a_field = ["value", "type", "missing", "extra", "order"].contains(&draft.kind);
        if draft.kind == "error" || (about_a_field && !draft.path.is_empty()) {
            draft.unstable = variance.at(key, &draft.path);
        }
    }
}

/// What a strict backend makes of a charger's quirk is the charger's.
fn blame_the_charger(open: &Open, verdict: &mut Verdict) {
    for draft in std::mem::take(&mut verdict.drafts) {
        match open.quirks.iter().find(|quirk| roots(*quirk, &draft)) {
            Some(quirk) if quirk.effect() == Effect::Policy => {
                verdict.rules.push(quirk.to_string());
            }
            Some(quirk) => verdict.drafts.push(draft.rooted(quirk)),
            None => verdict.drafts.push(draft),
        }
    }
}

/// Whether a quirk of the request accounts for a divergence of the answers: a refusal, or another decision about a token
/// that is odd. What else differs is not the charger's doing.
fn roots(quirk: Quirk, draft: &Draft) -> bool {
    let refused = matches!(draft.kind, "error" | "no-answer");
    let decided = || {
        ["/idTagInfo", "/idTokenInfo"]
            .iter()
            .any(|path| draft.path.starts_with(path))
    };
    match quirk.effect() {
        Effect::Note | Effect::Handshake => false,
        Effect::Refusal | Effect::Policy => refused,
        Effect::Token => refused || decided(),
    }
}

/// Whether this is about a command's progress; what says how the charger stands is the same to both backends.
fn reports_on_a_job(action: &str) -> bool {
    action == "SignCertificate"
        || (action.ends_with("StatusNotification") && action != "StatusNotification")
}

/// A 1.6 transaction has no name until the authority's answer.
fn learn_transaction(open: &mut Open) {
    let (Some(thread), Ours::Answered(answer)) = (&mut open.thread, &open.ours) else {
        return;
    };
    if open.origin.version == Version::V16 && thread.phase == Phase::Start {
        thread.transaction = json::first(&answer.payload, &[Step::Key("transactionId")])
            .map(|literal| literal.trim_matches('"').to_owned());
    }
}

fn weigh(open: &Open, bench: &mut Bench<'_>) -> Verdict {
    if let Some(spoil) = spoiled(open, bench) {
        return Verdict {
            spoil: Some(spoil),
            ..Verdict::default()
        };
    }
    let both_failed = || Verdict {
        spoil: Some(Spoil::plain(Reason::BothFailed)),
        ..Verdict::default()
    };
    let failure = |draft| Verdict {
        drafts: vec![draft],
        ..Verdict::default()
    };
    match (&open.ours, &open.theirs) {
        (Ours::Answered(ours), Theirs::Answered(theirs)) => {
            match (&ours.refused, &theirs.refused) {
                (Some(_), Some(_)) if unanswered(open) == Severity::S1 => both_failed(),
                (Some(_), Some(_)) => Verdict::default(),
                (None, None) => answers(open, ours, theirs, bench),
                (ours, theirs) => failure(broken(open, ours.as_deref(), theirs.as_deref())),
            }
        }
        (Ours::Answered(ours), _) if ours.refused.is_some() => both_failed(),
        (Ours::Answered(_), _) => failure(silent(open, "answered", "no answer")),
        (_, Theirs::Answered(theirs)) if theirs.refused.is_none() => {
            failure(silent(open, "no answer", "answered"))
        }
        _ => both_failed(),
    }
}

/// Why the exchange cannot be compared, if so.
fn spoiled(open: &Open, bench: &mut Bench<'_>) -> Option<Spoil> {
    if let Some(spoil) = &open.spoil {
        return Some(spoil.clone());
    }
    let conn = bench.world.conns.get(open.origin.conn);
    let (boot, refused) = conn.map_or((None, None), |conn| {
        (conn.boot_root.clone(), conn.refused.clone())
    });
    let charger = bench.world.charger(&open.origin.charger);
    let simulated = charger
        .is_simulated(&open.action, open.call)
        .then(|| Spoil::plain(Reason::Simulated));
    let sessions = &charger.sessions;
    let rooted = |root: Option<String>| {
        root.map_or(Spoil::plain(Reason::ShadowGap), |root| {
            Spoil::tainted(&root)
        })
    };
    match open.withheld.as_deref() {
        Some("unmapped identifier") => Some(sessions.unmapped(open.thread.as_ref())),
        Some("not accepted") => Some(rooted(boot)),
        Some("shadow refused") => Some(rooted(refused)),
        Some("cold start") => Some(Spoil::plain(Reason::ColdStart)),
        Some("repeat") => Some(Spoil::plain(Reason::Repeat)),
        Some("solicited") => Some(Spoil::plain(Reason::Solicited)),
        Some(_) => Some(Spoil::plain(Reason::ShadowGap)),
        None => open
            .thread
            .as_ref()
            .and_then(|thread| sessions.spoil(thread))
            .or(simulated),
    }
}

fn answers(open: &Open, ours: &Answer, theirs: &Answer, bench: &mut Bench<'_>) -> Verdict {
    let origin = &open.origin;
    let context = Context {
        version: origin.version,
        action: &open.action,
        part: Part::Answer,
        request: &open.request,
        heard: Some((ours.at, theirs.at)),
    };
    let mut verdict = Verdict::default();
    let boot = boots::excuse(&open.action, &ours.payload, &theirs.payload);
    let tokens = &mut bench.world.charger(&origin.charger).tokens;
    let unknown = tokens.excuses(&open.action, &open.request, &ours.payload, &theirs.payload);
    for difference in compare(bench.rules, &context, &ours.payload, &theirs.payload) {
        if difference.explained {
            verdict.rules.push(difference.rule.id.clone());
        } else if let Some(rule) = boot.filter(|_| boots::follows(&difference)) {
            verdict.rules.push(rule.to_owned());
        } else if unknown && tokens::is_refusal(&difference.path) {
            verdict.rules.push(tokens::RULE.to_owned());
            // The session goes on without the shadow, for the authority's sake.
            verdict.apart = Some(Spoil::plain(Reason::Solicited));
        } else {
            verdict.drafts.push(Draft::field(
                &difference,
                Part::Answer,
                &open.action,
                origin.authority,
            ));
        }
    }
    let minted = &mut bench.world.charger(&origin.charger).minted;
    let minted = minted.check(&Answers {
        version: origin.version,
        action: &open.action,
        request: &open.request,
        authority: &ours.payload,
        shadow: &theirs.payload,
        leg: origin.authority,
    });
    // rust-ocpp holds identifiers in 32 bits where the schema sets no limit: that is said by the quirk.
    if minted.large {
        verdict.notes.push((57, origin.authority.other()));
    } else if minted.drafts.is_empty() {
        verdict.drafts.extend(schema(open, ours, theirs));
    }
    verdict.drafts.extend(minted.drafts);
    if hurried(open, ours, theirs) {
        verdict.notes.push((40, Leg::Candidate));
    }
    verdict.drafts.extend(late(open, ours, theirs));
    verdict
}

/// The candidate's answer breaks the schema where legacy's fits, whichever is the authority.
fn schema(open: &Open, ours: &Answer, theirs: &Answer) -> Option<Draft> {
    let fits = |answer: &Answer| {
        let half = identifiers::Part::Response;
        let verdict = lint(open.origin.version, &open.action, half, &answer.payload);
        !matches!(verdict, Lint::Refused { .. })
    };
    let (legacy, candidate) = match open.origin.authority {
        Leg::Legacy => (ours, theirs),
        Leg::Candidate => (theirs, ours),
    };
    if ours.payload == theirs.payload || fits(candidate) || !fits(legacy) {
        return None;
    }
    Some(Draft::whole(
        SCHEMA,
        "schema",
        &open.action,
        unanswered(open),
        Sides::of(Leg::Legacy, "fits", "breaks the schema"),
        format!(
            "{} is answered against its schema by candidate",
            open.action
        ),
    ))
}

/// The candidate answers a start much faster than legacy: some chargers are not ready for it.
fn hurried(open: &Open, ours: &Answer, theirs: &Answer) -> bool {
    let begins = open
        .thread
        .as_ref()
        .is_some_and(|thread| thread.phase == Phase::Start);
    let Some((_, sent, _)) = open.sent.filter(|_| begins) else {
        return false;
    };
    let took = (ours.at - open.at, theirs.at - sent);
    let (legacy, candidate) = match open.origin.authority {
        Leg::Legacy => took,
        Leg::Candidate => (took.1, took.0),
    };
    legacy >= UNHURRIED && candidate.saturating_mul(10) <= legacy
}

/// The candidate is too slow for a charger where legacy is not.
fn late(open: &Open, ours: &Answer, theirs: &Answer) -> Option<Draft> {
    let (_, sent, _) = open.sent?;
    let took = (ours.at - open.at, theirs.at - sent);
    let (legacy, candidate) = match open.origin.authority {
        Leg::Legacy => took,
        Leg::Candidate => (took.1, took.0),
    };
    if candidate <= LATE || legacy > LATE {
        return None;
    }
    Some(Draft::whole(
        TARDY,
        "late",
        &open.action,
        Severity::S1,
        Sides::of(Leg::Legacy, "in time", "late"),
        format!(
            "{} is answered after more than 30 s by candidate",
            open.action
        ),
    ))
}

fn broken(open: &Open, ours: Option<&str>, theirs: Option<&str>) -> Draft {
    let said = |refused: Option<&str>| refused.unwrap_or("answered").to_owned();
    let sides = Sides::of(open.origin.authority, said(ours), said(theirs));
    let (right, wrong, code) = if ours.is_none() {
        (open.origin.authority, open.origin.authority.other(), theirs)
    } else {
        (open.origin.authority.other(), open.origin.authority, ours)
    };
    let title = format!(
        "{} is answered by {}, refused with {} by {}",
        open.action,
        right.word(),
        code.unwrap_or_default(),
        wrong.word()
    );
    Draft::whole(
        BROKEN,
        "error",
        &open.action,
        unanswered(open),
        sides,
        title,
    )
}

fn silent(open: &Open, ours: &str, theirs: &str) -> Draft {
    let sides = Sides::of(open.origin.authority, ours, theirs);
    let (right, wrong) = if sides.legacy == "answered" {
        ("legacy", "candidate")
    } else {
        ("candidate", "legacy")
    };
    let title = format!("{} is answered by {right}, not by {wrong}", open.action);
    Draft::whole(
        SILENT,
        "no-answer",
        &open.action,
        unanswered(open),
        sides,
        title,
    )
}

/// What it costs when a backend does not answer this action.
fn unanswered(open: &Open) -> Severity {
    actions::find(open.origin.version, &open.action)
        .map_or(Severity::S3, |action| action.unanswered)
}

/// Lets the session, the connection and the identifiers know what came out.
fn remember(open: &Open, verdict: &Verdict, root: Option<&str>, bench: &mut Bench<'_>) {
    let comparable = verdict.spoil.is_none();
    if let ("BootNotification", Ours::Answered(answer)) = (open.action.as_str(), &open.ours) {
        let charger = bench.world.charger(&open.origin.charger);
        charger.kept_waiting = answer.refused.is_none() && !boots::is_accepted(&answer.payload);
    }
    if open.action == "BootNotification"
        && comparable
        && let Some(conn) = bench.world.conns.get_mut(open.origin.conn)
    {
        conn.boot_root = root.map(str::to_owned);
    }
    let Some(thread) = &open.thread else {
        return;
    };
    let charger = bench.world.charger(&open.origin.charger);
    // What the shadow did not get it lacks for the rest of the session: its beginning, whyever, or a part that was lost.
    // Of a repeat it has the first copy.
    let spoil = verdict.spoil.as_ref().or(verdict.apart.as_ref());
    let spoil = spoil.filter(|spoil| match thread.phase {
        Phase::Start => spoil.reason != Reason::Repeat,
        Phase::During => spoil.reason == Reason::ShadowGap,
        Phase::Authorize | Phase::End => false,
    });
    if thread.phase == Phase::End {
        charger.sessions.ended(thread, verdict.spoil.as_ref());
    }
    if comparable || thread.phase != Phase::Authorize {
        charger.sessions.judged((thread, open.call), spoil, root);
    }
    release(charger, thread);
}

fn release(charger: &mut crate::judge::world::Charger, thread: &Thread) {
    if let (Phase::End, Some(transaction)) = (thread.phase, &thread.transaction) {
        charger.minted.release(transaction);
    }
}

fn emit(open: Open, verdict: Verdict, bench: &mut Bench<'_>) {
    let severity = verdict.drafts.iter().map(|draft| draft.severity).min();
    let outcome = match (&verdict.spoil, severity, verdict.rules.is_empty()) {
        (Some(_), ..) => Outcome::NotComparable,
        (None, Some(_), _) => Outcome::Divergent,
        (None, None, false) => Outcome::Explained,
        (None, None, true) => Outcome::Equal,
    };
    let ours = match &open.ours {
        Ours::Answered(answer) => Some(answer),
        _ => None,
    };
    let theirs = match &open.theirs {
        Theirs::Answered(answer) => Some(answer),
        _ => None,
    };
    let sent = open.sent;
    for (row, leg) in verdict.notes {
        let seen = quirks::seen(row, open.call, open.at, &open.origin.charger);
        let leg = leg.word().to_owned();
        let detail = open.action.clone();
        (bench.out)(Row::Quirk(QuirkSeen {
            leg,
            detail,
            ..seen
        }));
    }
    let divergences: Vec<_> = verdict
        .drafts
        .into_iter()
        .map(|draft| draft.seen(Subject::Exchange, open.call, open.at, &open.origin))
        .collect();
    (bench.out)(Row::Exchange(Exchange {
        id: open.call,
        at: open.at,
        charger: open.origin.charger.to_string(),
        conn: open.origin.conn,
        version: open.origin.version.number().into(),
        action: open.action,
        authority: open.origin.authority.word().into(),
        outcome,
        reason: verdict.spoil.as_ref().map(|spoil| spoil.reason),
        root: verdict.spoil.and_then(|spoil| spoil.root),
        severity,
        rules: verdict.rules,
        answer: ours.map_or(0, |answer| answer.seq),
        sent: sent.map_or(0, |(seq, ..)| seq),
        shadow: theirs.map_or(0, |answer| answer.seq),
        authority_us: ours.map(|answer| answer.at - open.at),
        shadow_us: theirs
            .zip(sent)
            .map(|(answer, (_, sent, _))| answer.at - sent),
        queue_us: sent.and_then(|(.., queued)| queued),
    }));
    for row in divergences {
        (bench.out)(Row::Divergence(row));
    }
}
