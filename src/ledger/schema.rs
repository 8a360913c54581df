//! Tables and the statements that fill them.

mod estate;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Statement, params};

use super::row::{Command, Divergence, Exchange, Handshake, Row, Session, StandIn, Standing};
use crate::ocpp::Severity;

/// Changes whenever a table does: an older ledger is judged again rather than migrated.
const VERSION: &str = "10";

/// Memory for pages, KiB: most rows are appended, and the tables of counts are small.
const CACHE_KIB: i64 = 512;

const TABLES: [&str; 22] = [
    "exchanges",
    "commands",
    "handshakes",
    "divergences",
    "findings",
    "sightings",
    "tallies",
    "latencies",
    "chargers",
    "quirks",
    "stand_ins",
    "attempts",
    "sessions",
    "builds",
    "standings",
    "monitors",
    "session_findings",
    "groups",
    "waves",
    "members",
    "gates",
    "decisions",
];

/// What is derived from tables, and made anew with them.
const VIEWS: [&str; 1] = ["stations"];

/// Sets the connection up and creates what is missing.
pub(super) fn prepare(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(std::time::Duration::from_secs(10))?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.set_prepared_statement_cache_capacity(32);
    // A ledger of another schema is derived data: drop it.
    if get_if_any(db, "schema")?.is_some_and(|version| version != VERSION) {
        for view in VIEWS {
            db.execute_batch(&format!("DROP VIEW IF EXISTS {view}"))?;
        }
        for table in TABLES {
            db.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
        }
    }
    db.execute_batch(include_str!("schema.sql"))
}

/// Whether what the ledger holds was judged under this schema and these rules.
pub(super) fn belongs_to(db: &Connection, rules: &str) -> rusqlite::Result<bool> {
    Ok(get(db, "schema")?.as_deref() == Some(VERSION)
        && get(db, "rules")?.as_deref() == Some(rules))
}

/// Empties every table.
pub(super) fn reset(db: &mut Connection, rules: &str) -> rusqlite::Result<()> {
    let tx = db.transaction()?;
    for table in TABLES {
        tx.execute(&format!("DELETE FROM {table}"), [])?;
    }
    tx.execute("DELETE FROM meta", [])?;
    set(&tx, "schema", VERSION)?;
    set(&tx, "rules", rules)?;
    tx.commit()
}

/// A value of the meta table.
pub(super) fn get(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    db.prepare_cached("SELECT value FROM meta WHERE key = ?1")?
        .query_row([key], |row| row.get(0))
        .optional()
}

fn get_if_any(db: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    if db.table_exists(None, "meta")? {
        get(db, key)
    } else {
        Ok(None)
    }
}

/// Sets a value of the meta table.
pub(super) fn set(db: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
    )?
    .execute([key, value])
    .map(drop)
}

/// Severity as the database sorts it: 0 is the worst.
pub(super) const fn rank(severity: Severity) -> u8 {
    severity as u8
}

/// Fills the tables: the statement of the rows that come by the thousand is looked up once.
pub(super) struct Inserts<'a> {
    db: &'a Connection,
    exchange: CachedStatement<'a>,
}

impl<'a> Inserts<'a> {
    /// Inserts for one transaction.
    pub(super) fn new(db: &'a Connection) -> rusqlite::Result<Self> {
        let exchange = db.prepare_cached(
            "INSERT INTO exchanges VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)",
        )?;
        Ok(Self { db, exchange })
    }

    /// Inserts one row.
    pub(super) fn insert(&mut self, row: &Row) -> rusqlite::Result<()> {
        match row {
            Row::Exchange(exchange) => insert_exchange(&mut self.exchange, exchange),
            Row::Command(command) => insert_command(self.db, command),
            Row::Handshake(handshake) => insert_handshake(self.db, handshake),
            Row::Session(session) => insert_session(self.db, session),
            Row::Divergence(divergence) => insert_divergence(self.db, divergence),
            Row::Charger(said) => self
                .db
                .prepare_cached("INSERT OR REPLACE INTO chargers VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![
                    said.charger,
                    said.since as i64,
                    said.vendor,
                    said.model,
                    said.firmware
                ])
                .map(drop),
            Row::Build(row) => self
                .db
                .prepare_cached("INSERT OR REPLACE INTO builds VALUES (?1, ?2)")?
                .execute(params![row.run as i64, row.build])
                .map(drop),
            Row::Standing(row) => insert_standing(self.db, row),
            Row::StandIn(row) if row.is_attempt() => insert_attempt(self.db, row),
            // They come often: only counts are kept, see `tally`.
            Row::Quirk(_) | Row::StandIn(_) | Row::Sample(_) => Ok(()),
            Row::Estate(row) => estate::replace(self.db, row),
            Row::Member(row) => estate::member(self.db, row),
            Row::Gate(row) => estate::gate(self.db, row),
            Row::Decision(row) => estate::decision(self.db, row),
        }
    }
}

fn insert_exchange(statement: &mut Statement<'_>, row: &Exchange) -> rusqlite::Result<()> {
    statement
        .execute(params![
            row.id as i64,
            row.at,
            row.charger,
            row.conn as i64,
            row.version,
            row.action,
            row.authority,
            row.outcome.word(),
            row.reason.map(super::row::Reason::word),
            row.root,
            row.severity.map(rank),
            row.rules.join(","),
            row.answer as i64,
            row.sent as i64,
            row.shadow as i64,
            row.authority_us,
            row.shadow_us,
            row.queue_us,
        ])
        .map(drop)
}

fn insert_command(db: &Connection, row: &Command) -> rusqlite::Result<()> {
    let after = row.ours_after.as_ref().or(row.theirs_after.as_ref());
    db.prepare_cached(
        "INSERT INTO commands VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
    )?
    .execute(params![
        row.id as i64,
        row.at,
        row.charger,
        row.conn as i64,
        row.version,
        row.action,
        row.authority,
        row.outcome.word(),
        row.reason.map(super::row::Reason::word),
        row.severity.map(rank),
        row.rules.join(","),
        row.ours as i64,
        row.theirs as i64,
        row.lag_us,
        row.verdict,
        after.map(|after| &after.what),
        after.map(|after| after.delay_us),
    ])
    .map(drop)
}

fn insert_attempt(db: &Connection, row: &StandIn) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO attempts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
        .execute(params![
            row.id as i64,
            row.at,
            row.charger,
            row.sender,
            row.action,
            row.fields,
            row.notice,
            row.source,
        ])
        .map(drop)
}

fn insert_handshake(db: &Connection, row: &Handshake) -> rusqlite::Result<()> {
    db.prepare_cached("INSERT INTO handshakes VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
        .execute(params![
            row.id as i64,
            row.at,
            row.charger,
            row.conn as i64,
            row.authority,
            row.outcome.word(),
            row.reason.map(super::row::Reason::word),
            row.severity.map(rank),
            row.status,
            row.why,
        ])
        .map(drop)
}

fn insert_standing(db: &Connection, row: &Standing) -> rusqlite::Result<()> {
    let body = to_json(row)?;
    db.prepare_cached("INSERT OR REPLACE INTO standings VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![row.finding, row.state.word(), row.owner, body])
        .map(drop)
}

pub(super) fn to_json(row: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(row)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

fn insert_session(db: &Connection, row: &Session) -> rusqlite::Result<()> {
    let fact = |book: &Option<super::row::Book>| {
        let facts = book.as_ref().and_then(|book| book.facts.first());
        facts.copied().unwrap_or_default() as i64
    };
    let (legacy, candidate) = (fact(&row.legacy), fact(&row.candidate));
    let (ours, theirs) = match row.authority.as_ref() {
        "candidate" => (candidate, legacy),
        _ => (legacy, candidate),
    };
    let body = to_json(row)?;
    db.prepare_cached(
        "INSERT OR REPLACE INTO sessions VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?
    .execute(params![
        row.id as i64,
        row.at,
        row.charger,
        row.state,
        row.outcome.map(super::row::Outcome::word),
        row.reason.map(super::row::Reason::word),
        row.severity.map(rank),
        ours,
        theirs,
        row.legacy.as_ref().is_some_and(|book| book.source == "cdr"),
        body,
    ])?;
    db.prepare_cached("DELETE FROM session_findings WHERE session = ?1")?
        .execute([row.id as i64])?;
    let mut shows = db.prepare_cached("INSERT OR IGNORE INTO session_findings VALUES (?1, ?2)")?;
    for finding in &row.findings {
        shows.execute(params![row.id as i64, finding])?;
    }
    Ok(())
}

fn insert_divergence(db: &Connection, row: &Divergence) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO divergences (finding, subject, id, at, charger, conn, pointer, severity) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute(params![
        row.finding,
        row.subject.word(),
        row.id as i64,
        row.at,
        row.charger,
        row.conn as i64,
        row.pointer,
        rank(row.severity),
    ])
    .map(drop)
}
