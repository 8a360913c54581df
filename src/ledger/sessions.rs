//! Sessions as JSON: schema `evenkeel.sessions/1`.

mod page;
mod totals;

use rusqlite::{params_from_iter, types::Value};
use serde::Serialize;

use super::query::Reader;
use super::row::{Book, Outcome, Session, Subject};
use super::views::{Outcomes, rfc3339};
use super::{LedgerError, filter, schema};
use crate::clock::Micros;
use crate::ocpp::Severity;

pub use page::{Page, page};
pub use totals::{Side, Totals, totals};

/// Name and version of the form.
pub const SCHEMA: &str = "evenkeel.sessions/1";

/// Which sessions to list. Everything that is set must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// At least this bad.
    pub severity: Option<Severity>,
    /// On this charger.
    pub charger: Option<String>,
    /// Shows this finding.
    pub finding: Option<String>,
    /// Its identity, or a backend's name of it.
    pub session: Option<String>,
    /// What a text asks for besides, of [`filter::SESSIONS`].
    pub terms: filter::Filter,
    /// When the recording's last fact was, µs: what relative instants of the terms count from.
    pub now: Micros,
}

/// What `sessions --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Sessions {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The last fact that has been judged.
    pub judged: u64,
    /// Sessions by outcome; pending ones are open or wait for records.
    pub outcomes: Outcomes,
    /// By the time at which they began.
    pub sessions: Vec<View>,
    /// Digest of the ledger.
    pub digest: String,
}

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct View {
    /// Sequence number of the fact that began it, or of the record that nobody can place.
    pub id: u64,
    /// When that was, RFC 3339.
    pub at: String,
    /// The charger; empty if no charger told of it.
    pub charger: String,
    /// Connector, or EVSE and connector as `1/2`.
    pub connector: String,
    /// Who charged. Personal.
    pub token: String,
    /// OCPP version number; empty if no charger told of it.
    pub version: String,
    /// `open`, `ended`, `no stop`, `no start` or `no wire`.
    pub state: String,
    /// Both backends' names of it.
    pub names: Names,
    /// What is odd about what the charger told.
    pub defects: Vec<String>,
    /// What the charger told.
    pub wire: Option<Account>,
    /// What legacy has booked.
    pub legacy: Option<Account>,
    /// What the candidate has booked.
    pub candidate: Option<Account>,
    /// What came out.
    pub verdict: Verdict,
}

/// Both backends' names of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Names {
    /// Legacy's.
    pub legacy: Vec<String>,
    /// The candidate's.
    pub candidate: Vec<String>,
}

/// One party's account of a session. Numbers are exact decimals as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Account {
    /// `wire`, `cdr` or `session`.
    pub source: String,
    /// Facts that hold the records; the compared one first.
    pub facts: Vec<u64>,
    /// When it began, RFC 3339.
    pub start: Option<String>,
    /// When it ended, RFC 3339.
    pub end: Option<String>,
    /// Start and end by a clock that is right, where the charger's is not.
    pub mended: Option<[String; 2]>,
    /// Energy, Wh.
    pub energy_wh: Option<String>,
    /// Time without charging, hours.
    pub parking_hours: Option<String>,
    /// Cost without VAT; the wire's is the referee's.
    pub excl_vat: Option<String>,
    /// Cost with VAT.
    pub incl_vat: Option<String>,
    /// Currency of the cost.
    pub currency: Option<String>,
    /// How these numbers came about, or why one is missing.
    pub notes: Vec<String>,
}

/// What came out of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// `equal`, `explained` (candidate right, legacy wrong), `divergent`, `not comparable` or `pending`.
    pub outcome: &'static str,
    /// Why not comparable.
    pub reason: Option<&'static str>,
    /// The root finding, when tainted.
    pub root: Option<String>,
    /// Worst severity, when records differ.
    pub severity: Option<Severity>,
    /// Findings that it shows.
    pub findings: Vec<String>,
    /// What was compared.
    pub checks: Vec<super::row::Check>,
}

/// Reads the view. The counts are of the whole ledger; only sessions are filtered.
pub fn sessions(reader: &Reader, filter: &Filter) -> Result<Sessions, LedgerError> {
    let cursor = reader.cursor()?;
    Ok(Sessions {
        schema: SCHEMA,
        judged: cursor.seq,
        outcomes: reader.outcomes(Subject::Session)?.into(),
        sessions: rows(reader, filter)?.into_iter().map(View::from).collect(),
        digest: cursor.digest.to_string(),
    })
}

fn rows(reader: &Reader, filter: &Filter) -> Result<Vec<Session>, LedgerError> {
    let narrowing = filter.terms.narrowing(filter.now, filter::SESSION_COLUMNS);
    let severity = filter
        .severity
        .map(|severity| i64::from(schema::rank(severity)));
    let mut bound: Vec<Value> = vec![severity.into(), filter.charger.clone().into()];
    bound.extend(narrowing.params);
    let mut sessions = Vec::new();
    reader.each(
        &format!(
            "SELECT s.body FROM sessions s WHERE (?1 IS NULL OR s.severity <= ?1) AND (?2 IS NULL OR s.charger = ?2) \
             AND {} ORDER BY s.at, s.id",
            narrowing.sql
        ),
        params_from_iter(bound),
        |row| {
            let session = session(row)?;
            if filter.fits(&session) {
                sessions.push(session);
            }
            Ok(())
        },
    )?;
    Ok(sessions)
}

/// The session whose body is the first column of a row.
fn session(row: &rusqlite::Row<'_>) -> rusqlite::Result<Session> {
    let body = row.get_ref(0)?.as_str()?;
    serde_json::from_str(body).map_err(|error| {
        let column = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(0, column, Box::new(error))
    })
}

impl Filter {
    fn fits(&self, session: &Session) -> bool {
        let mut names = session.legacy_names.iter().chain(&session.candidate_names);
        let shows = |finding| session.findings.contains(finding);
        self.finding.as_ref().is_none_or(shows)
            && self.session.as_ref().is_none_or(|wanted| {
                *wanted == session.id.to_string() || names.any(|name| name == wanted)
            })
    }
}

impl From<Session> for View {
    fn from(row: Session) -> Self {
        Self {
            id: row.id,
            at: rfc3339(row.at),
            charger: row.charger,
            connector: row.connector,
            token: row.token,
            version: row.version.into_owned(),
            state: row.state.into_owned(),
            names: Names {
                legacy: row.legacy_names,
                candidate: row.candidate_names,
            },
            defects: row.defects.into_iter().map(Into::into).collect(),
            wire: row.wire.map(Account::from),
            legacy: row.legacy.map(Account::from),
            candidate: row.candidate.map(Account::from),
            verdict: Verdict {
                outcome: row.outcome.map_or("pending", Outcome::word),
                reason: row.reason.map(super::row::Reason::word),
                root: row.root,
                severity: row.severity,
                findings: row.findings,
                checks: row.checks,
            },
        }
    }
}

impl From<Book> for Account {
    fn from(book: Book) -> Self {
        Self {
            source: book.source.into_owned(),
            facts: book.facts,
            start: book.start.map(rfc3339),
            end: book.end.map(rfc3339),
            mended: book
                .mended
                .map(|(start, end)| [rfc3339(start), rfc3339(end)]),
            energy_wh: book.energy_wh,
            parking_hours: book.parking_hours,
            excl_vat: book.excl_vat,
            incl_vat: book.incl_vat,
            currency: book.currency,
            notes: book.notes,
        }
    }
}
