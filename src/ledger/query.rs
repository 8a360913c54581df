//! Reading the ledger: what every view shares. Readers open the file read-only and never stop the writer.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, Row};

use super::{Cursor, Digest, FILE, LedgerError, Pending, schema};

mod commands;
mod counts;
mod coverage;
mod estate;
mod findings;
mod judged;
mod life;
mod matrix;
mod overview;
mod recent;
mod scope;
mod trace;

pub use commands::{Attempt, StandIns, Trigger, Twins};
pub use counts::{Latency, Outcomes, QuirkCount};
pub use coverage::{Coverage, Share};
pub use estate::{Ordered, Station};
use findings::finding_severity;
pub use findings::{EXEMPLARS, Exemplar, Filter, Finding};
pub use judged::Judged;
pub use life::{Case, Life};
pub use matrix::Matrix;
pub use overview::{Concern, Crowd, FindingCount};
pub use recent::{Recent, Source};
pub use trace::{Item, REACH};

/// What findings about sessions have as their action.
pub const SESSION: &str = "Session";

/// A reader of a recording's ledger.
#[derive(Debug)]
pub struct Reader {
    db: Connection,
    path: PathBuf,
}

impl Reader {
    /// Opens the ledger of the recording `dir`.
    pub fn open(dir: &Path) -> Result<Self, LedgerError> {
        let path = dir.join(FILE);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        match Connection::open_with_flags(&path, flags) {
            Ok(db) => Ok(Self { db, path }),
            Err(source) => Err(LedgerError::Database {
                doing: "open",
                path,
                source,
            }),
        }
    }

    /// Whether its judge has not made the tables yet.
    pub fn is_blank(&self) -> Result<bool, LedgerError> {
        let mut tables = 0;
        self.each("SELECT count(*) FROM sqlite_master", [], |row| {
            tables = count(row, 0)?;
            Ok(())
        })?;
        Ok(tables == 0)
    }

    /// How far the ledger is.
    pub fn cursor(&self) -> Result<Cursor, LedgerError> {
        read_cursor(&self.db, &self.path)
    }

    /// Calls `row` for each row of a query.
    pub(super) fn each(
        &self,
        sql: &str,
        params: impl rusqlite::Params,
        mut row: impl FnMut(&Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), LedgerError> {
        let read = || -> rusqlite::Result<()> {
            let mut statement = self.db.prepare_cached(sql)?;
            let mut rows = statement.query(params)?;
            while let Some(next) = rows.next()? {
                row(next)?;
            }
            Ok(())
        };
        read_error(read(), &self.path)
    }
}

pub(super) fn count(row: &Row<'_>, at: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(at).map(|count| count as u64)
}

fn read_error<T>(result: rusqlite::Result<T>, path: &Path) -> Result<T, LedgerError> {
    result.map_err(|source| LedgerError::Database {
        doing: "read",
        path: path.to_owned(),
        source,
    })
}

fn schema_error(reader: &Reader, what: &str) -> LedgerError {
    LedgerError::Damaged {
        path: reader.path.clone(),
        what: what.to_owned(),
    }
}

/// Reads how far a ledger is.
pub(super) fn read_cursor(db: &Connection, path: &Path) -> Result<Cursor, LedgerError> {
    let damaged = |key: &str| LedgerError::Damaged {
        path: path.to_owned(),
        what: format!("{key} cannot be read"),
    };
    let text = |key: &str| read_error(schema::get(db, key), path);
    let number = |key: &str| match text(key)? {
        Some(text) => text.parse().map_err(|_| damaged(key)),
        None => Ok(0),
    };
    Ok(Cursor {
        seq: number("cursor")?,
        digest: match text("digest")? {
            Some(hex) => Digest::from_hex(&hex).ok_or_else(|| damaged("digest"))?,
            None => Digest::default(),
        },
        pending: Pending {
            exchanges: number("pending")?,
            commands: number("pending_commands")?,
        },
    })
}
