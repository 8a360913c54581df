//! Whom, where, how and with what proof: what is not an amount.

use rust_decimal::Decimal;

use super::book::{Book, appeared, is_over};
use super::fault::Fault;
use super::join::{Places, folded};
use super::trial::{Trial, Who};
use crate::clock::Micros;
use crate::judge::records::{Form, Record, RecordKind};
use crate::judge::wire::State;

/// Dimensions that OCPI has for sessions only.
const SESSION_ONLY: [&str; 5] = [
    "CURRENT",
    "ENERGY_EXPORT",
    "ENERGY_IMPORT",
    "POWER",
    "STATE_OF_CHARGE",
];

/// What a record says of something, if it does.
type Says = fn(&Record) -> Option<String>;

/// Counts records. False if one side has nothing to compare with, or less than the other.
pub(super) fn counts(trial: &mut Trial<'_>, gives: [RecordKind; 2]) -> bool {
    let (legacy, candidate) = (trial.legacy, trial.candidate);
    let missing = |book: &Book<'_>| book.main().is_none();
    let who = Who::of_flaw(missing(legacy), missing(candidate));
    trial.flaw(Fault::Missing, who);
    if who != Who::Equal {
        return false;
    }
    let open = |book: &Book<'_>| {
        let last = book.sessions.last().filter(|_| book.cdrs.is_empty());
        last.is_some_and(|session| !is_over(session))
    };
    if trial.told.state == State::Ended {
        let who = Who::of_flaw(open(legacy), open(candidate));
        trial.flaw(Fault::NotClosed, who);
        if who.is_divergent() {
            return false;
        }
    }
    let [ours, theirs] = gives.map(|kind| kind == RecordKind::Cdr);
    let uncharged = Who::of_flaw(
        ours && legacy.cdrs.is_empty(),
        theirs && candidate.cdrs.is_empty(),
    );
    if uncharged.is_divergent() {
        trial.flaw(Fault::MissingCdr, uncharged);
        return false;
    }
    let twice = |book: &Book<'_>| book.cdrs.len() > 1 || book.sessions.len() > 1;
    let who = Who::of_flaw(twice(legacy), twice(candidate));
    trial.flaw(Fault::Duplicate, who);
    let who = Who::of_flaw(legacy.odd_credit, candidate.odd_credit);
    trial.flaw(Fault::Credit, who);
    true
}

/// Session objects that appeared after their time: they were not there when their backend was read so long after the
/// start. Files are written when sessions are over, and say nothing of it.
pub(super) fn promptness(trial: &mut Trial<'_>, slo: Micros) {
    let due = trial.told.heard.0.saturating_add(slo);
    let late = |book: &Book<'_>| {
        let session = book.sessions.first()?;
        let is_told = session.source.form != Form::Columns;
        is_told.then(|| session.absent.is_some_and(|at| at > due))
    };
    if let (Some(ours), Some(theirs)) = (late(trial.legacy), late(trial.candidate)) {
        trial.flaw(Fault::Late, Who::of_flaw(ours, theirs));
    }
}

/// CDRs that came after their time, by what they say themselves: they are final.
pub(super) fn lateness(trial: &mut Trial<'_>, slo: Micros) {
    let due = trial.told.ended.saturating_add(slo);
    let late = |book: &Book<'_>| {
        let cdr = book.cdrs.first().copied();
        cdr.and_then(appeared).is_some_and(|at| at > due)
    };
    let who = Who::of_flaw(late(trial.legacy), late(trial.candidate));
    trial.flaw(Fault::Late, who);
}

/// Compares whom, where and how.
pub(super) fn circumstances(
    trial: &mut Trial<'_>,
    (legacy, candidate): (&Record, &Record),
    places: &Places,
) {
    token(trial, legacy, candidate);
    contract(trial, legacy, candidate);
    place(trial, (legacy, candidate), places);
    let told = trial.told.reason.clone();
    let texts: [(Fault, Option<String>, Says); 4] = [
        (Fault::Party, None, |it| {
            party(it.country.as_ref(), it.party.as_ref())
        }),
        (Fault::Meter, None, |it| it.meter.clone()),
        (Fault::AuthMethod, None, |it| it.auth_method.clone()),
        (Fault::StopReason, told, |it| it.stop_reason.clone()),
    ];
    for (fault, wire, of) in texts {
        stated(trial, fault, &[wire, of(legacy), of(candidate)]);
    }
    let is_ocpi = |record: &Record| matches!(record.source.form, Form::Ocpi | Form::OcpiPatch);
    let refers = |record: &Record| record.authorization_reference.is_some();
    if is_ocpi(legacy) && is_ocpi(candidate) && refers(legacy) != refers(candidate) {
        trial.flaw(Fault::AuthReference, Who::Differ);
    }
    status(trial);
}

/// Compares text that both state; the first of `texts` is the charger's.
fn stated(trial: &mut Trial<'_>, fault: Fault, texts: &[Option<String>; 3]) {
    stated_by(trial, fault, texts, |a, b| folded(a) == folded(b));
}

/// The same by another measure of what is the same.
fn stated_by(
    trial: &mut Trial<'_>,
    fault: Fault,
    texts: &[Option<String>; 3],
    same: fn(&str, &str) -> bool,
) {
    let [wire, Some(ours), Some(theirs)] = texts else {
        return;
    };
    let right = |text: &str| wire.as_ref().map(|wire| same(wire, text));
    let who = Who::of(same(ours, theirs), right(ours), right(theirs));
    trial.check(fault.name(), texts.clone(), who);
    trial.find(fault, who);
}

fn token(trial: &mut Trial<'_>, legacy: &Record, candidate: &Record) {
    let wire = trial.told.token.clone();
    let texts = [wire, legacy.token.uid.clone(), candidate.token.uid.clone()];
    stated(trial, Fault::Token, &texts);
    let kinds = [
        None,
        legacy.token.kind.clone(),
        candidate.token.kind.clone(),
    ];
    if legacy.source.form == candidate.source.form {
        stated(trial, Fault::TokenType, &kinds);
    }
    let issuer =
        |record: &Record| party(record.token.country.as_ref(), record.token.party.as_ref());
    if let (Some(ours), Some(theirs)) = (issuer(legacy), issuer(candidate))
        && ours != theirs
    {
        trial.flaw(Fault::TokenParty, Who::Differ);
    }
}

/// Country and party in one, as OCPI writes them.
fn party(country: Option<&String>, party: Option<&String>) -> Option<String> {
    let (country, party) = country.zip(party)?;
    Some(folded(country) + &folded(party))
}

/// Compares the connector, where places are known: as far as both the charger and the backends count. Some name the
/// EVSE too, some do not.
fn place(trial: &mut Trial<'_>, (legacy, candidate): (&Record, &Record), places: &Places) {
    let connector = |record: &Record| places.of(record)?.connector;
    let told = Some(trial.told.connector.clone()).filter(|told| !told.is_empty());
    let texts = [told, connector(legacy), connector(candidate)];
    stated_by(trial, Fault::Place, &texts, |a, b| {
        let mut steps = a.rsplit('/').zip(b.rsplit('/'));
        steps.all(|(a, b)| folded(a) == folded(b))
    });
}

/// Compares what only CDRs say of place and purpose.
pub(super) fn copies(trial: &mut Trial<'_>, (legacy, candidate): (&Record, &Record)) {
    let (ours, theirs) = (&legacy.site, &candidate.site);
    let texts = [None, legacy.evse_id.clone(), candidate.evse_id.clone()];
    stated_by(trial, Fault::Evse, &texts, |a, b| {
        // The separators of an EVSE's public identifier may be left out.
        folded(&a.replace('*', "")) == folded(&b.replace('*', ""))
    });
    if differ(&ours.socket, &theirs.socket) {
        trial.flaw(Fault::Socket, Who::Differ);
    }
    if differ(&ours.address, &theirs.address) {
        trial.flaw(Fault::Address, Who::Differ);
    }
    let far = |a: Decimal, b: Decimal| (a - b).abs() > Decimal::new(1, 5);
    if let (Some(ours), Some(theirs)) = (ours.coordinates, theirs.coordinates)
        && (far(ours.0, theirs.0) || far(ours.1, theirs.1))
    {
        trial.flaw(Fault::Coordinates, Who::Differ);
    }
    if let (Some(ours), Some(theirs)) = (legacy.home_charging, candidate.home_charging)
        && ours != theirs
    {
        trial.flaw(Fault::HomeCharging, Who::Differ);
    }
    let is_ocpi = [legacy, candidate].map(|record| record.source.form == Form::Ocpi);
    if is_ocpi == [true, true] && legacy.remark != candidate.remark {
        trial.flaw(Fault::Remark, Who::Differ);
    }
    let lost = |book: &Book<'_>| {
        let named = book.cdrs.last().and_then(|cdr| cdr.session.as_ref());
        let has = |name: &String| {
            book.sessions
                .iter()
                .any(|session| session.source.id == *name)
        };
        !book.sessions.is_empty() && named.is_some_and(|name| !has(name))
    };
    let who = Who::of_flaw(lost(trial.legacy), lost(trial.candidate));
    trial.flaw(Fault::SessionReference, who);
}

/// Whether two lists of texts say different things of what both name.
fn differ(ours: &[(&'static str, String)], theirs: &[(&'static str, String)]) -> bool {
    ours.iter().any(|(name, ours)| {
        let theirs = theirs.iter().find(|(other, _)| other == name);
        theirs.is_some_and(|(_, theirs)| folded(ours) != folded(theirs))
    })
}

fn contract(trial: &mut Trial<'_>, legacy: &Record, candidate: &Record) {
    let (Some(ours), Some(theirs)) = (&legacy.token.contract_id, &candidate.token.contract_id)
    else {
        return;
    };
    let bare = |contract: &str| {
        let kept = contract.chars().filter(char::is_ascii_alphanumeric);
        kept.collect::<String>().to_ascii_uppercase()
    };
    if bare(ours) != bare(theirs) {
        trial.flaw(Fault::Contract, Who::Differ);
    } else if !ours.eq_ignore_ascii_case(theirs) {
        trial.flaw(Fault::ContractSeparator, Who::Differ);
    }
}

/// A session that is open beside its CDR was read before it ended, and says nothing.
fn status(trial: &mut Trial<'_>) {
    let status = |book: &Book<'_>| {
        let session = book.sessions.last()?;
        let is_known = book.cdrs.is_empty() || is_over(session);
        session.status.clone().filter(|_| is_known)
    };
    if let (Some(ours), Some(theirs)) = (status(trial.legacy), status(trial.candidate))
        && !ours.eq_ignore_ascii_case(&theirs)
    {
        trial.flaw(Fault::Status, Who::Differ);
    }
}

/// Compares signed values: byte for byte, with each other and with what the charger sent.
pub(super) fn proof(trial: &mut Trial<'_>) {
    let (ours, theirs) = (trial.legacy.signed(), trial.candidate.signed());
    let sent = &trial.told.signed;
    let lacks = |signed: &Option<String>, other: &Option<String>| {
        signed.is_none() && (other.is_some() || !sent.is_empty())
    };
    let lost = Who::of_flaw(lacks(&ours, &theirs), lacks(&theirs, &ours));
    trial.flaw(Fault::SignedLost, lost);
    if let (Some(ours), Some(theirs)) = (ours, theirs) {
        let whole = |signed: &str| {
            (!sent.is_empty()).then(|| sent.iter().all(|value| signed.contains(value.as_str())))
        };
        let who = Who::of(ours == theirs, whole(&ours), whole(&theirs));
        trial.flaw(Fault::SignedAltered, who);
    }
}

/// Looks for dimensions that do not belong into a CDR.
pub(super) fn dimensions(trial: &mut Trial<'_>) {
    let odd = |book: &Book<'_>| {
        let volumes = book.volumes();
        !book.cdrs.is_empty() && SESSION_ONLY.iter().any(|name| volumes.contains_key(name))
    };
    let who = Who::of_flaw(odd(trial.legacy), odd(trial.candidate));
    trial.flaw(Fault::Dimension, who);
}
