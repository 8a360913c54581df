//! Whom, where, how and with what proof: what is not an amount.

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

/// CDRs that came after their time. Only CDRs: a session object changes as long as it likes.
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
    let connector = |record: &Record| {
        let connector = places.of(record)?.connector?;
        let last = connector.rsplit('/').next().unwrap_or_default();
        Some(last.to_owned())
    };
    let told = trial.told.connector.rsplit('/').next().map(str::to_owned);
    let told = told.filter(|connector| !connector.is_empty());
    stated(
        trial,
        Fault::Place,
        &[told, connector(legacy), connector(candidate)],
    );
    let meters = [None, legacy.meter.clone(), candidate.meter.clone()];
    stated(trial, Fault::Meter, &meters);
    let methods = [
        None,
        legacy.auth_method.clone(),
        candidate.auth_method.clone(),
    ];
    stated(trial, Fault::AuthMethod, &methods);
    let is_ocpi = |record: &Record| matches!(record.source.form, Form::Ocpi | Form::OcpiPatch);
    let refers = |record: &Record| record.authorization_reference.is_some();
    if is_ocpi(legacy) && is_ocpi(candidate) && refers(legacy) != refers(candidate) {
        trial.flaw(Fault::AuthReference, Who::Differ);
    }
    status(trial);
}

/// Compares text that both state; the first of `texts` is the charger's.
fn stated(trial: &mut Trial<'_>, fault: Fault, texts: &[Option<String>; 3]) {
    let [wire, Some(ours), Some(theirs)] = texts else {
        return;
    };
    let right = |text: &String| wire.as_ref().map(|wire| folded(wire) == folded(text));
    let who = Who::of(folded(ours) == folded(theirs), right(ours), right(theirs));
    trial.check(fault.name(), texts.clone(), who);
    trial.find(fault, who);
}

fn token(trial: &mut Trial<'_>, legacy: &Record, candidate: &Record) {
    let wire = trial.told.token.clone();
    let texts = [wire, legacy.token.uid.clone(), candidate.token.uid.clone()];
    stated(trial, Fault::Token, &texts);
    let party = |record: &Record| {
        let token = &record.token;
        let party = token.country.as_ref().zip(token.party.as_ref());
        party.map(|(country, party)| folded(country) + &folded(party))
    };
    if let (Some(ours), Some(theirs)) = (party(legacy), party(candidate))
        && ours != theirs
    {
        trial.flaw(Fault::TokenParty, Who::Differ);
    }
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
