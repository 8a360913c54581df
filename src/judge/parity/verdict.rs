//! What came out of a session: its row and its findings.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::bias::Bias;
use super::book::Book;
use super::case::Case;
use super::fault::Fault;
use super::trial::{Trial, Who};
use super::{Settings, amounts, evidence, money};
use crate::clock::Micros;
use crate::facts::Leg;
use crate::judge::exchanges::Bench;
use crate::judge::findings::{Draft, once_each};
use crate::judge::records::{Record, RecordKind};
use crate::judge::referee::{self, Expected, NoPrice};
use crate::judge::sessions::Spoil;
use crate::judge::wire::Told;
use crate::judge::world::Origin;
use crate::ledger::row::{self, Outcome, Reason, Row, Session, Subject};
use crate::ocpp::Version;

/// How the note begins that says why a charger ended a session.
pub(in crate::judge) const STOPPED: &str = "stopped: ";

/// What a session is judged by.
pub(super) struct Court<'a> {
    pub(super) settings: &'a Settings,
    pub(super) bias: &'a mut Bias,
    /// Whether legacy and the candidate were read since the session ended.
    pub(super) read: [bool; 2],
    /// What legacy and the candidate are expected to have in the end.
    pub(super) gives: [RecordKind; 2],
}

/// The row of a session of which only the wire is known.
pub(super) fn bare(told: &Told) -> Session {
    let origin = &told.origin;
    Session {
        id: told.id,
        at: told.at,
        charger: origin.charger.to_string(),
        conn: origin.conn,
        version: origin.version.number().into(),
        authority: origin.authority.word().into(),
        state: told.state.word().into(),
        connector: told.connector.clone(),
        token: told.token.clone().unwrap_or_default(),
        legacy_names: told.names.legacy.clone(),
        candidate_names: told.names.candidate.clone(),
        outcome: None,
        reason: None,
        root: None,
        severity: None,
        defects: told.defects.iter().map(|it| it.words().into()).collect(),
        wire: Some(account(told)),
        legacy: None,
        candidate: None,
        checks: Vec::new(),
        findings: Vec::new(),
    }
}

fn account(told: &Told) -> row::Book {
    let text = |number: Decimal| number.normalize().to_string();
    let parking = (!told.parked.is_empty())
        .then(|| amounts::hours(told.parking()))
        .flatten();
    let mut notes: Vec<String> = told
        .reason
        .iter()
        .map(|it| format!("{STOPPED}{it}"))
        .collect();
    if told.wh.is_some() && told.certain_energy().is_none() {
        notes.push("the energy is not certain".to_owned());
    }
    row::Book {
        facts: Vec::new(),
        source: "wire".into(),
        start: told.start,
        end: told.stop,
        mended: told.mended,
        energy_wh: told.wh.map(text),
        parking_hours: parking.map(|hours| text(hours.round_dp(4))),
        notes,
        ..row::Book::default()
    }
}

impl Court<'_> {
    /// Judges a session by what is known, and tells what has not been told of it before.
    pub(super) fn judge(&mut self, case: &mut Case, now: Micros, bench: &mut Bench<'_>) {
        let mut row = bare(&case.told);
        let (legacy, candidate) = (case.book(Leg::Legacy), case.book(Leg::Candidate));
        (row.legacy, row.candidate) = (legacy.row(), candidate.row());
        let mut drafts = Vec::new();
        match self.unfit(case, [&legacy, &candidate], bench) {
            Some(spoil) => {
                row.outcome = Some(Outcome::NotComparable);
                (row.reason, row.root) = (Some(spoil.reason), spoil.root);
            }
            None => drafts = self.weigh(&case.told, (&legacy, &candidate), &mut row),
        }
        row.findings = drafts.iter().map(Draft::finding).collect();
        row.severity = drafts.iter().map(|draft| draft.severity).min();
        let id = row.id;
        (bench.out)(Row::Session(Box::new(row)));
        for draft in drafts {
            if case.said.insert(draft.finding()) {
                let origin = &case.told.origin;
                let seen = draft.seen(Subject::Session, id, now, origin);
                (bench.out)(Row::Divergence(seen));
            }
        }
    }

    /// Why the records cannot be compared, if so.
    fn unfit(&self, case: &Case, books: [&Book<'_>; 2], bench: &Bench<'_>) -> Option<Spoil> {
        if case.ambiguous {
            return Some(Spoil::plain(Reason::Ambiguous));
        }
        if let Some(spoil) = case.spoil(bench.world) {
            return Some(spoil);
        }
        let empty = books.map(|book| book.main().is_none());
        let unread = empty
            .iter()
            .zip(self.read)
            .any(|(empty, read)| *empty && !read);
        (unread || empty == [true, true]).then(|| Spoil::plain(Reason::NoRecord))
    }

    fn weigh(
        &mut self,
        told: &Told,
        (legacy, candidate): (&Book<'_>, &Book<'_>),
        row: &mut Session,
    ) -> Vec<Draft> {
        let mut trial = Trial::new(told, legacy, candidate);
        let expected = self.expect(told, legacy, candidate);
        if let Some(wire) = &mut row.wire {
            priced(wire, expected.as_ref());
        }
        if evidence::counts(&mut trial, self.gives)
            && let (Some(ours), Some(theirs)) = (legacy.main(), candidate.main())
        {
            amounts::energy(&mut trial, ours, theirs);
            amounts::times(&mut trial, ours, theirs);
            // Session objects have no totals, and no proof: only like is compared with like.
            let both_cdrs = [ours, theirs].map(|record| record.source.kind) == [RecordKind::Cdr; 2];
            if both_cdrs {
                amounts::durations(&mut trial, ours, theirs);
                amounts::periods(&mut trial);
            }
            let expected = expected.as_ref().ok();
            money::cost(&mut trial, (ours, theirs), expected, self.bias);
            evidence::circumstances(&mut trial, (ours, theirs), &self.settings.places);
            evidence::promptness(&mut trial, self.settings.session_slo);
            if both_cdrs {
                evidence::copies(&mut trial, (ours, theirs));
                evidence::proof(&mut trial);
                evidence::dimensions(&mut trial);
                evidence::lateness(&mut trial, self.settings.cdr_slo);
            }
        }
        let drafts = once_each(trial.drafts);
        row.checks = trial.checks;
        row.outcome = Some(if drafts.is_empty() {
            Outcome::Equal
        } else if drafts.iter().all(|draft| draft.sides.candidate == "right") {
            Outcome::Explained
        } else {
            Outcome::Divergent
        });
        drafts
    }

    /// The referee's price, by the tariff that legacy brings, else the candidate's.
    fn expect(
        &self,
        told: &Told,
        legacy: &Book<'_>,
        candidate: &Book<'_>,
    ) -> Result<Expected, NoPrice> {
        let records = [legacy, candidate].map(Book::main);
        let mut records = records.into_iter().flatten();
        let record = records.find(|record| !record.tariffs.is_empty());
        let record = record.ok_or(NoPrice::NoTariff)?;
        let place = self.settings.places.of(record);
        referee::expect(told, &record.tariffs, place.and_then(|place| place.zone))
    }
}

/// Puts the expected price into the wire's account, or says why there is none.
fn priced(wire: &mut row::Book, expected: Result<&Expected, &NoPrice>) {
    match expected {
        Ok(expected) => {
            let text = |amount: Decimal| amount.round_dp(4).normalize().to_string();
            wire.excl_vat = Some(text(expected.priced.excl));
            wire.incl_vat = expected.priced.incl.map(text);
            wire.currency = Some(expected.currency.clone());
            let billed = &expected.priced;
            wire.notes.push(format!(
                "priced by the tariff, energy between readings interpolated: {} Wh, {} s charging, {} s parking billed",
                billed.wh.normalize(),
                billed.charging.normalize(),
                billed.parking.normalize(),
            ));
        }
        Err(NoPrice::NoTariff) => {}
        Err(why) => wire.notes.push(format!("not priced: {why}")),
    }
}

/// A record that belongs to no session.
pub(super) fn unplaced(
    fact: u64,
    now: Micros,
    record: Option<&Record>,
    reason: Reason,
    bench: &mut Bench<'_>,
) {
    let mut row = recordless(fact, now, "");
    row.outcome = Some(Outcome::NotComparable);
    row.reason = Some(reason);
    enter(&mut row, record);
    (bench.out)(Row::Session(Box::new(row)));
}

/// A backend has a session that no charger told of, on a charger that was listened to.
pub(super) fn extra(record: &Record, now: Micros, charger: &Arc<str>, bench: &mut Bench<'_>) {
    let mut row = recordless(record.fact, now, charger);
    row.outcome = Some(Outcome::Divergent);
    enter(&mut row, Some(record));
    let who = match record.leg {
        Leg::Legacy => Who::LegacyWrong,
        Leg::Candidate => Who::CandidateWrong,
    };
    let origin = Origin {
        charger: Arc::clone(charger),
        conn: 0,
        authority: Leg::Legacy,
        version: Version::V16,
        said: Arc::clone(&bench.world.charger(charger).said),
    };
    let Some(draft) = Trial::draft(Fault::Extra, who) else {
        return;
    };
    row.severity = Some(draft.severity);
    row.findings = vec![draft.finding()];
    (bench.out)(Row::Session(Box::new(row)));
    let seen = draft.seen(Subject::Session, record.fact, now, &origin);
    (bench.out)(Row::Divergence(seen));
}

fn recordless(id: u64, at: Micros, charger: &str) -> Session {
    Session {
        id,
        at,
        charger: charger.to_owned(),
        conn: 0,
        version: "".into(),
        authority: "".into(),
        state: "no wire".into(),
        connector: String::new(),
        token: String::new(),
        legacy_names: Vec::new(),
        candidate_names: Vec::new(),
        outcome: None,
        reason: None,
        root: None,
        severity: None,
        defects: Vec::new(),
        wire: None,
        legacy: None,
        candidate: None,
        checks: Vec::new(),
        findings: Vec::new(),
    }
}

fn enter(row: &mut Session, record: Option<&Record>) {
    let Some(record) = record else {
        return;
    };
    row.token = record.token.uid.clone().unwrap_or_default();
    let name = record.transaction.clone();
    let name = name.unwrap_or_else(|| record.source.id.clone());
    let book = Some(super::book::row_of(record));
    match record.leg {
        Leg::Legacy => (row.legacy_names, row.legacy) = (vec![name], book),
        Leg::Candidate => (row.candidate_names, row.candidate) = (vec![name], book),
    }
}
