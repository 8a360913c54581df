//! The ledger: derived tables in `ledger.db`, written exactly once.
//!
//! Rows are applied together with the cursor (the last fact that they follow from) in one transaction. After a crash the
//! judge is fed from the first fact again and its rows are thrown away up to the cursor; what follows is written. The
//! ledger can be rebuilt from the facts at any time, so it is synced less strictly than they are.

pub mod digest;
pub mod evidence;
pub mod feed;
pub mod filter;
pub mod mark;
pub mod monitors;
pub mod query;
pub mod row;
pub mod sessions;
pub mod views;

mod schema;
mod tally;

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rusqlite::Connection;

pub use digest::Digest;
pub use mark::Mark;
pub use row::Row;
use tally::Batch;
pub(crate) use tally::bucket;

/// File name inside a recording.
pub const FILE: &str = "ledger.db";

/// Why the ledger cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database refused.
    #[error("{doing} {path}: {source}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the database said.
        source: rusqlite::Error,
    },
    /// The file could not be made.
    #[error("create {path}: {source}")]
    Create {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A value in the database makes no sense.
    #[error("damaged ledger {path}: {what}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// Another judge is at work on the same ledger, and was quicker.
    #[error("another judge writes the ledger {0}")]
    Overtaken(PathBuf),
    /// Another judge is at work on the same ledger, by other rules.
    #[error("the ledger {0} is judged by other rules meanwhile")]
    OtherRules(PathBuf),
}

/// How far judgement has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The last fact that has been judged; 0 if none.
    pub seq: u64,
    /// Digest of all rows up to there.
    pub digest: Digest,
    /// What is open after that fact.
    pub pending: Pending,
}

/// What is seen and not judged yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    /// Exchanges.
    pub exchanges: u64,
    /// Commands.
    pub commands: u64,
}

/// The writer of a recording's ledger. There is one, but for the moments in which the shadow plane of a killed tap still
/// judges what it recorded while the next one has begun.
#[derive(Debug)]
pub struct Ledger {
    db: Connection,
    path: PathBuf,
    rules: String,
    cursor: Cursor,
}

/// Makes the file before SQLite does, so that it, its log and its index are their owner's alone.
fn create_private(path: &Path) -> Result<(), LedgerError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|source| LedgerError::Create {
            path: path.to_owned(),
            source,
        })
}

impl Ledger {
    /// Opens or creates the ledger in the recording `dir`, judged by the rules with this fingerprint. A ledger of other
    /// rules, or of another schema, is emptied: it has to be judged again.
    pub fn open(dir: &Path, rules: &str) -> Result<Self, LedgerError> {
        let path = dir.join(FILE);
        let failed = |doing| {
            let path = path.clone();
            move |source| LedgerError::Database {
                doing,
                path,
                source,
            }
        };
        create_private(&path)?;
        let db = Connection::open(&path).map_err(failed("open"))?;
        schema::prepare(&db).map_err(failed("prepare"))?;
        let mut ledger = Self {
            db,
            path: path.clone(),
            rules: rules.to_owned(),
            cursor: Cursor::default(),
        };
        if schema::belongs_to(&ledger.db, rules).map_err(failed("read"))? {
            ledger.cursor = query::read_cursor(&ledger.db, &path)?;
        } else {
            schema::reset(&mut ledger.db, rules).map_err(failed("reset"))?;
        }
        Ok(ledger)
    }

    /// Empties the ledger in `dir`: the next judgement starts from the first fact.
    pub fn rebuild(dir: &Path, rules: &str) -> Result<Self, LedgerError> {
        let mut ledger = Self::open(dir, rules)?;
        schema::reset(&mut ledger.db, rules).map_err(|source| LedgerError::Database {
            doing: "reset",
            path: ledger.path.clone(),
            source,
        })?;
        ledger.cursor = Cursor::default();
        Ok(ledger)
    }

    /// How far the ledger is.
    pub const fn cursor(&self) -> &Cursor {
        &self.cursor
    }

    /// Writes the rows that follow from the facts behind the cursor up to `seq`, and moves the cursor there: both or
    /// neither. Neither if the ledger is not where this writer left it.
    pub fn apply(&mut self, rows: &[Row], seq: u64, pending: Pending) -> Result<(), LedgerError> {
        let mut next = Cursor {
            seq,
            digest: self.cursor.digest,
            pending,
        };
        for row in rows {
            next.digest.absorb(row);
        }
        let written = write(&mut self.db, rows, (&self.cursor, &next)).map_err(|source| {
            LedgerError::Database {
                doing: "write",
                path: self.path.clone(),
                source,
            }
        })?;
        if !written {
            return Err(LedgerError::Overtaken(self.path.clone()));
        }
        self.cursor = next;
        Ok(())
    }

    /// Copies the ledger as it is now into `dir`, which holds none.
    pub fn copy_into(&self, dir: &Path) -> Result<(), LedgerError> {
        let path = dir.join(FILE);
        create_private(&path)?;
        let copied = self.db.execute("VACUUM INTO ?1", [path.to_string_lossy()]);
        copied.map(drop).map_err(|source| LedgerError::Database {
            doing: "copy into",
            path,
            source,
        })
    }

    /// Goes to where another judge has brought the ledger.
    pub fn catch_up(&mut self) -> Result<(), LedgerError> {
        let same =
            schema::belongs_to(&self.db, &self.rules).map_err(|source| LedgerError::Database {
                doing: "read",
                path: self.path.clone(),
                source,
            })?;
        if !same {
            return Err(LedgerError::OtherRules(self.path.clone()));
        }
        self.cursor = query::read_cursor(&self.db, &self.path)?;
        Ok(())
    }
}

/// False if the ledger is not at `before`.
fn write(
    db: &mut Connection,
    rows: &[Row],
    (before, next): (&Cursor, &Cursor),
) -> rusqlite::Result<bool> {
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let digest = schema::get(&tx, "digest")?.unwrap_or_else(|| Digest::default().hex());
    let at = schema::get(&tx, "cursor")?.unwrap_or_else(|| "0".to_owned());
    if at != before.seq.to_string() || digest != before.digest.hex() {
        return Ok(false);
    }
    let mut batch = Batch::default();
    let mut inserts = schema::Inserts::new(&tx)?;
    for row in rows {
        inserts.insert(row)?;
        batch.count(row);
    }
    drop(inserts);
    batch.flush(&tx)?;
    schema::set(&tx, "cursor", &next.seq.to_string())?;
    schema::set(&tx, "digest", &next.digest.hex())?;
    schema::set(&tx, "pending", &next.pending.exchanges.to_string())?;
    schema::set(&tx, "pending_commands", &next.pending.commands.to_string())?;
    tx.commit()?;
    Ok(true)
}
