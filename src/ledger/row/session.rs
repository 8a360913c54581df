//! Sessions, as three parties account for them.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Outcome, Reason};
use crate::clock::Micros;
use crate::ocpp::Severity;

/// A charging session, seen from the charger's wire and from both backends. Its identity is the sequence number of the
/// fact that began it, or of the record that nobody can place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Sequence number of the fact that began it.
    pub id: u64,
    /// When that was, µs.
    pub at: Micros,
    /// The charger; empty if no charger told of it.
    pub charger: String,
    /// Connection epoch.
    pub conn: u64,
    /// OCPP version number.
    pub version: Cow<'static, str>,
    /// The authority's name.
    pub authority: Cow<'static, str>,
    /// `open`, `ended`, `no stop`, `no start` or `no wire`.
    pub state: Cow<'static, str>,
    /// Connector, or EVSE and connector as `1/2`.
    pub connector: String,
    /// Who charged. Personal.
    pub token: String,
    /// Legacy's names of it.
    pub legacy_names: Vec<String>,
    /// The candidate's names of it.
    pub candidate_names: Vec<String>,
    /// What came out; none while it is open or records are awaited.
    pub outcome: Option<Outcome>,
    /// Why not comparable.
    pub reason: Option<Reason>,
    /// The root finding, when tainted.
    pub root: Option<String>,
    /// Worst severity, when records differ.
    pub severity: Option<Severity>,
    /// What is odd about what the charger told.
    pub defects: Vec<Cow<'static, str>>,
    /// What the charger told.
    pub wire: Option<Book>,
    /// What legacy has booked.
    pub legacy: Option<Book>,
    /// What the candidate has booked.
    pub candidate: Option<Book>,
    /// What was compared.
    pub checks: Vec<Check>,
    /// Findings that it shows.
    pub findings: Vec<String>,
}

/// One party's account of a session. Numbers are exact decimals as text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    /// Facts that hold the records; empty for the wire.
    pub facts: Vec<u64>,
    /// `wire`, `cdr` or `session`.
    pub source: Cow<'static, str>,
    /// When it began, µs.
    pub start: Option<Micros>,
    /// When it ended, µs.
    pub end: Option<Micros>,
    /// The same by a clock that is right, where the charger's is not: start and end, µs.
    pub mended: Option<(Micros, Micros)>,
    /// Energy, Wh.
    pub energy_wh: Option<String>,
    /// Time without charging, hours.
    pub parking_hours: Option<String>,
    /// Cost without VAT.
    pub excl_vat: Option<String>,
    /// Cost with VAT.
    pub incl_vat: Option<String>,
    /// Currency of the cost.
    pub currency: Option<String>,
    /// Names of the tariffs that the record brings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tariffs: Vec<String>,
    /// CDRs of the session that were taken back by a credit.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub credits: u64,
    /// What is to be known of these numbers: how they came about, why one is missing.
    pub notes: Vec<String>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the form that serde asks for"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One quantity of a session, three ways.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was compared.
    pub name: Cow<'static, str>,
    /// By the charger's account.
    pub wire: Option<String>,
    /// By legacy's.
    pub legacy: Option<String>,
    /// By the candidate's.
    pub candidate: Option<String>,
    /// `equal`, `candidate wrong`, `legacy wrong`, `both wrong`, `differ` or `unknown`.
    pub verdict: Cow<'static, str>,
}
