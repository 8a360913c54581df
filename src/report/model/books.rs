//! Sessions and CDRs: what differs, and what both backends' books come to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{ReportError, World};
use crate::ledger::filter::Where;
use crate::ledger::row::Check;
use crate::ledger::sessions::{Account, Side, View, page, totals};
use crate::report::veil::Veil;

/// Sessions that are listed.
const LISTED: usize = 60;

/// Sessions and CDRs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Books {
    /// Sessions that were added up.
    pub sessions: u64,
    /// Whether there are more, which were left out of the sums.
    pub more: bool,
    /// Legacy's books.
    pub legacy: Sums,
    /// The candidate's.
    pub candidate: Sums,
    /// Sessions whose outcome is awaited.
    pub pending: u64,
    /// Sessions that cannot be compared, by reason.
    pub not_comparable: BTreeMap<String, u64>,
    /// Sessions that differ.
    pub divergent: u64,
    /// Those of them that are listed, the newest first.
    pub listed: Vec<View>,
}

/// What the books of one backend come to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Sessions that it knows.
    pub started: u64,
    /// Sessions that it has booked the end of.
    pub closed: u64,
    /// Sessions that ended at the charger and are open in its books.
    pub left_open: u64,
    /// CDRs.
    pub records: u64,
    /// Sessions that ended and that only the other one has booked.
    pub missing: u64,
    /// Energy, Wh, exact.
    pub energy_wh: String,
    /// Cost by currency, exact.
    pub cost: BTreeMap<String, String>,
}

impl Books {
    pub(super) fn of(world: &World<'_>) -> Result<Self, ReportError> {
        let everything = Where::default();
        let totals = totals(world.ledger, &everything)?;
        let divergent = Where {
            sql: "s.outcome = 'divergent'".to_owned(),
            params: Vec::new(),
        };
        let page = page(world.ledger, &divergent, (0, LISTED))?;
        Ok(Self {
            sessions: totals.sessions,
            more: totals.more,
            legacy: totals.legacy.into(),
            candidate: totals.candidate.into(),
            pending: totals.pending,
            not_comparable: totals.not_comparable,
            divergent: page.total,
            listed: page
                .sessions
                .into_iter()
                .map(|session| veiled(session, world.veil))
                .collect(),
        })
    }
}

impl From<Side> for Sums {
    fn from(side: Side) -> Self {
        let exact = |amount: &rust_decimal::Decimal| amount.normalize().to_string();
        Self {
            started: side.started,
            closed: side.closed,
            left_open: side.left_open,
            records: side.records,
            missing: side.missing,
            energy_wh: exact(&side.energy_wh),
            cost: side
                .cost
                .iter()
                .map(|(currency, amount)| (currency.clone(), exact(amount)))
                .collect(),
        }
    }
}

/// A session with pseudonyms for everybody and everything in it that is not kept.
pub fn veiled(session: View, veil: &Veil) -> View {
    let account = |account: Account| Account {
        start: account.start.map(|at| veil.prose(&at)),
        end: account.end.map(|at| veil.prose(&at)),
        mended: account.mended.map(|span| span.map(|at| veil.prose(&at))),
        notes: account.notes.iter().map(|note| veil.prose(note)).collect(),
        ..account
    };
    let names = |names: Vec<String>| names.iter().map(|name| veil.prose(name)).collect();
    let mut verdict = session.verdict;
    verdict.checks = verdict
        .checks
        .into_iter()
        .map(|it| check(it, veil))
        .collect();
    View {
        at: veil.prose(&session.at),
        charger: veil.pseudonym(&session.charger),
        token: veil.pseudonym(&session.token),
        names: crate::ledger::sessions::Names {
            legacy: names(session.names.legacy),
            candidate: names(session.names.candidate),
        },
        wire: session.wire.map(account),
        legacy: session.legacy.map(account),
        candidate: session.candidate.map(account),
        verdict,
        ..session
    }
}

/// Names of checks about who charged.
const PERSONAL: [&str; 4] = ["token", "tag", "contract", "authorization"];

fn check(check: Check, veil: &Veil) -> Check {
    let is_personal = PERSONAL.iter().any(|word| check.name.contains(word));
    let value = |value: Option<String>| {
        value.map(|value| {
            if is_personal {
                veil.pseudonym(&value)
            } else {
                veil.prose(&value)
            }
        })
    };
    Check {
        wire: value(check.wire),
        legacy: value(check.legacy),
        candidate: value(check.candidate),
        ..check
    }
}
