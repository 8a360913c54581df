//! Monitors as JSON: schema `evenkeel.monitors/1`.

use std::collections::BTreeMap;

use rusqlite::params;
use serde::Serialize;

use super::query::{Latency, Reader};
use super::row::Session;
use super::views::rfc3339;
use super::{LedgerError, tally};
use crate::clock::Micros;

mod books;

pub use books::{Books, Costs};

/// Name and version of the form.
pub const SCHEMA: &str = "evenkeel.monitors/1";

/// Shares: monitor, what is good (or bad) about how many, and what the share is called. An empty `of` means all that the
/// monitor counted with one of the words behind it.
const SHARES: [(&str, &str, &str, &[&str]); 9] = [
    (
        "availability",
        "available",
        "available_us",
        &["observed_us"],
    ),
    (
        "authorization",
        "accepted",
        "accepted",
        &["accepted", "refused"],
    ),
    (
        "session-start",
        "started",
        "started",
        &["started", "failed"],
    ),
    (
        "session-stop",
        "orphans",
        "orphans",
        &["stopped", "orphans"],
    ),
    ("short-sessions", "short", "short", &["sessions"]),
    (
        "backlog",
        "delivered late",
        "late_us",
        &["transaction-messages"],
    ),
    (
        "commands",
        "accepted",
        "accepted",
        &["accepted", "refused", "error", "unanswered"],
    ),
    (
        "shadow-health",
        "contained",
        "contained",
        &["contained", "not contained"],
    ),
    ("investigation", "named", "named", &["findings"]),
];

/// What `diffs --monitors --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Monitors {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The last fact that has been judged.
    pub judged: u64,
    /// Shares by monitor, group, model and leg, with their hours.
    pub shares: Vec<Share>,
    /// Counts and measured values by monitor, group, model and leg.
    pub counts: Vec<Count>,
    /// Answer times of exchanges by action and side, over all models.
    pub latencies: Vec<Time>,
    /// CDRs and costs of judged sessions.
    pub books: Vec<Books>,
    /// Digest of the ledger.
    pub digest: String,
}

/// What identifies a series.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Series {
    /// The monitor.
    pub monitor: String,
    /// The group of chargers.
    pub group: String,
    /// Their model; empty if they have not told it.
    pub model: String,
    /// `legacy` or `candidate`; empty for what chargers did.
    pub leg: String,
}

/// How large a part is of a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share {
    /// Which chargers and backend.
    pub series: Series,
    /// What the part is.
    pub name: &'static str,
    /// The part: a count, or µs of the chargers' time.
    pub part: u64,
    /// The whole.
    pub of: u64,
    /// The same by hour.
    pub hours: Vec<Hour>,
}

/// One hour of a share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hour {
    /// When it began, RFC 3339.
    pub hour: String,
    /// The part.
    pub part: u64,
    /// The whole.
    pub of: u64,
}

/// How often something was counted, or how large it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Which chargers and backend.
    pub series: Series,
    /// What was counted. Names that end in `_us` are measured in µs, in `_bytes` in bytes, in `_facts` in facts.
    pub what: String,
    /// A word more.
    pub detail: String,
    /// How often; of times that add up, how much, µs.
    pub count: u64,
    /// How large, if it was measured.
    pub measured: Option<Measured>,
}

/// Percentiles, exact to an eighth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Median.
    pub p50: i64,
    /// 95th percentile.
    pub p95: i64,
    /// 99th percentile.
    pub p99: i64,
    /// Largest.
    pub max: i64,
}

/// Answer times of one action on one side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Time {
    /// The action.
    pub action: String,
    /// `authority`, `shadow` or `queue` (how long copies waited in the tap).
    pub what: String,
    /// How many were timed.
    pub count: u64,
    /// Times, µs.
    pub measured: Measured,
}

/// Sums of one series by what was counted and by hour.
type Sums = BTreeMap<Series, BTreeMap<String, BTreeMap<Micros, u64>>>;

/// Reads the view, of one model or of all.
pub fn monitors(reader: &Reader, model: Option<&str>) -> Result<Monitors, LedgerError> {
    let cursor = reader.cursor()?;
    Ok(Monitors {
        schema: SCHEMA,
        judged: cursor.seq,
        shares: shares(&sums(reader, model)?),
        counts: counts(reader, model)?,
        // They are counted over all models: of one there is nothing to say.
        latencies: match model {
            None => reader.latencies()?.into_iter().map(Time::from).collect(),
            Some(_) => Vec::new(),
        },
        books: books::books(reader, model)?,
        digest: cursor.digest.to_string(),
    })
}

fn sums(reader: &Reader, model: Option<&str>) -> Result<Sums, LedgerError> {
    let mut sums = Sums::new();
    reader.each(
        "SELECT monitor, crowd, model, leg, what, hour, sum(count) FROM monitors WHERE ?1 IS NULL OR model = ?1 \
         GROUP BY 1, 2, 3, 4, 5, 6",
        params![model],
        |row| {
            let of_series = sums.entry(series(row)?).or_default();
            let hours = of_series.entry(row.get(4)?).or_default();
            hours.insert(row.get(5)?, row.get::<_, i64>(6)?.unsigned_abs());
            Ok(())
        },
    )?;
    Ok(sums)
}

fn series(row: &rusqlite::Row<'_>) -> rusqlite::Result<Series> {
    Ok(Series {
        monitor: row.get(0)?,
        group: row.get(1)?,
        model: row.get(2)?,
        leg: row.get(3)?,
    })
}

fn shares(sums: &Sums) -> Vec<Share> {
    let mut shares = Vec::new();
    for (series, counted) in sums {
        for (_, name, part, whole) in SHARES.iter().filter(|share| share.0 == series.monitor) {
            let of = added(counted, whole);
            if !of.is_empty() {
                shares.push(share(series, name, &added(counted, &[part]), &of));
            }
        }
        shares.extend(coverage(series, counted));
    }
    shares
}

fn share(
    series: &Series,
    name: &'static str,
    part: &BTreeMap<Micros, u64>,
    of: &BTreeMap<Micros, u64>,
) -> Share {
    let in_hour = |hour: &Micros| part.get(hour).copied().unwrap_or(0);
    let hours = of.iter().map(|(hour, of)| Hour {
        hour: rfc3339(*hour),
        part: in_hour(hour),
        of: *of,
    });
    Share {
        series: series.clone(),
        name,
        part: part.values().sum(),
        of: of.values().sum(),
        hours: hours.collect(),
    }
}

/// How many exchanges could be compared.
fn coverage(series: &Series, counted: &BTreeMap<String, BTreeMap<Micros, u64>>) -> Option<Share> {
    let compared = ["equal", "explained", "divergent"];
    let all = ["equal", "explained", "divergent", "not comparable"];
    let of = added(counted, &all);
    (series.monitor == "shadow-health" && !of.is_empty())
        .then(|| share(series, "compared", &added(counted, &compared), &of))
}

fn added(
    counted: &BTreeMap<String, BTreeMap<Micros, u64>>,
    names: &[&str],
) -> BTreeMap<Micros, u64> {
    let mut sum = BTreeMap::new();
    for (hour, count) in names.iter().filter_map(|name| counted.get(*name)).flatten() {
        *sum.entry(*hour).or_default() += count;
    }
    sum
}

fn counts(reader: &Reader, model: Option<&str>) -> Result<Vec<Count>, LedgerError> {
    type Buckets = Vec<(u32, u64)>;
    let mut found: BTreeMap<(Series, String, String), (u64, Buckets)> = BTreeMap::new();
    reader.each(
        "SELECT monitor, crowd, model, leg, what, detail, bucket, sum(count) FROM monitors WHERE ?1 IS NULL OR model = ?1 \
         GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY bucket",
        params![model],
        |row| {
            let key = (series(row)?, row.get(4)?, row.get(5)?);
            let count = row.get::<_, i64>(7)?.unsigned_abs();
            let (sum, buckets) = found.entry(key).or_default();
            *sum += count;
            if let Ok(bucket) = u32::try_from(row.get::<_, i64>(6)?) {
                buckets.push((bucket, count));
            }
            Ok(())
        },
    )?;
    let counts = found
        .into_iter()
        .map(|((series, what, detail), (count, buckets))| Count {
            series,
            what,
            detail,
            count,
            measured: (!buckets.is_empty()).then(|| Measured::of(&buckets)),
        });
    Ok(counts.collect())
}

impl Measured {
    fn of(buckets: &[(u32, u64)]) -> Self {
        let at = |percent| tally::percentile(buckets, percent);
        Self {
            p50: at(50),
            p95: at(95),
            p99: at(99),
            max: at(100),
        }
    }
}

/// Percentiles of buckets, by bucket.
pub(crate) fn percentiles(buckets: &[(u32, u64)]) -> Measured {
    Measured::of(buckets)
}

impl From<Latency> for Time {
    fn from(latency: Latency) -> Self {
        Self {
            action: latency.action,
            what: latency.what,
            count: latency.count,
            measured: Measured {
                p50: latency.p50,
                p95: latency.p95,
                p99: latency.p99,
                max: latency.max,
            },
        }
    }
}

/// A row of the sessions table.
fn session(row: &rusqlite::Row<'_>, at: usize) -> rusqlite::Result<Session> {
    serde_json::from_str(row.get_ref(at)?.as_str()?).map_err(|error| {
        let column = rusqlite::types::Type::Text;
        rusqlite::Error::FromSqlConversionFailure(at, column, Box::new(error))
    })
}
