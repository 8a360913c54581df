//! `facts.db`: its layout, and how rows become facts.
//!
//! Nothing indexes the frame traffic: one index would cost several times the insert itself. Only rare kinds are in two
//! partial indexes (each index costs every insert, also of rows that are not in it), and five small tables (`accounted`,
//! `landmarks`, `undelivered`, `unanswered`, `open_legs`) are kept in the same transaction as the facts they are derived from,
//! so that a restart costs what is open and not what was recorded. Old frame traffic lies packed: see [`packed`].

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::{Connection, Row, Statement, ToSql, TransactionBehavior, params};

use super::packed::{self, Moved};
use super::recorder::RecordingError;
use super::{Dir, Fact, Kind, Leg, landmark, private, undelivered};
use crate::clock::Micros;

/// The database file in a recording's directory.
pub(super) const FILE: &str = "facts.db";

/// `evkf`: marks the file as ours.
const APPLICATION_ID: i64 = 0x6576_6b66;

/// Version of the layout below.
const FORMAT: i64 = 1;

/// The same with packed facts in it: programs that know nothing of them would take them for missing.
pub(super) const PACKED_FORMAT: i64 = 2;

/// The first SQLite without the WAL-reset race, as SQLite numbers versions.
const OLDEST_SQLITE: i32 = 3_051_003;

const LAYOUT: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES ('format', '1'), ('kind', 'evenkeel facts');
CREATE TABLE facts(
  seq     INTEGER PRIMARY KEY, -- total order, from 1
  at      INTEGER NOT NULL,    -- microseconds since the Unix epoch, UTC
  charger TEXT    NOT NULL,
  conn    INTEGER NOT NULL,
  leg     INTEGER,             -- 0 legacy, 1 candidate
  dir     INTEGER,             -- 0 from the charger, 1 to the charger
  kind    INTEGER NOT NULL,
  frame   INTEGER NOT NULL,
  frames  INTEGER NOT NULL,
  cause   INTEGER NOT NULL,
  body    BLOB    NOT NULL,
  note    TEXT    NOT NULL
) STRICT;
-- Rare kinds only, and spelt as `RARE` spells it.
CREATE INDEX facts_rare      ON facts(kind)       WHERE kind < 20 OR kind >= 40;
CREATE INDEX facts_rare_conn ON facts(kind, conn) WHERE kind < 20 OR kind >= 40;
-- Frames of open connections that lie in facts so far.
CREATE TABLE accounted(conn INTEGER NOT NULL, dir INTEGER NOT NULL, frames INTEGER NOT NULL,
  PRIMARY KEY(conn, dir)) STRICT, WITHOUT ROWID;
-- The last boot, the last status of each connector and the last lesson about each part of the model of each charger.
CREATE TABLE landmarks(charger TEXT NOT NULL, what TEXT NOT NULL, seq INTEGER NOT NULL,
  PRIMARY KEY(charger, what)) STRICT, WITHOUT ROWID;
";

/// Messages of chargers that the shadow is still owed or has not answered, and the legs that may be delivering them. Not in [`LAYOUT`]: recordings of the same format that have none
/// are complete without it.
const UNDELIVERED: &str = "
CREATE TABLE IF NOT EXISTS undelivered(seq INTEGER PRIMARY KEY, again INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS unanswered(seq INTEGER PRIMARY KEY, sent INTEGER NOT NULL UNIQUE) STRICT;
CREATE TABLE IF NOT EXISTS open_legs(conn INTEGER PRIMARY KEY, charger TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
";

/// What a query about a rare kind must say besides the kind: only then does the planner use the indexes, which hold
/// neither messages nor what the legs did with them.
pub(super) const RARE: &str = "(kind < 20 OR kind >= 40)";

/// Whether [`RARE`] holds for a kind.
pub(super) const fn is_rare(kind: Kind) -> bool {
    kind.number() < 20 || kind.number() >= 40
}

/// Memory for pages of one connection, KiB: facts are appended and read in order, so there is little to gain from more.
pub(super) const CACHE_KIB: i64 = 512;

/// Bytes of a page of a new recording: a page is a system call or two, and a message of meter values is a quarter of the
/// usual size.
const PAGE: i64 = 16 << 10;

/// The columns of a fact, in the order in which [`fact_from_row`] reads them.
pub(super) const COLUMNS: &str =
    "seq, at, charger, conn, leg, dir, kind, frame, frames, cause, body, note";

/// Columns of a row, and rows that one statement inserts: what a statement costs besides its rows is shared by so many.
const WIDTH: usize = 12;
const AT_ONCE: usize = 16;

/// The writing end of `facts.db`.
pub(super) struct Store {
    db: Connection,
    path: PathBuf,
    /// Device and inode of the file that was opened: a moved or deleted file is noticed.
    file: (u64, u64),
    last_seq: u64,
}

/// Makes the recording's directory, for its owner's eyes only.
pub(super) fn create_dir(dir: &Path) -> Result<(), RecordingError> {
    private::folder(dir).map_err(|source| RecordingError::Io {
        what: "create",
        path: dir.to_owned(),
        source,
    })
}

/// Opens or creates a file that only its owner can read.
pub(super) fn private_file(path: &Path) -> Result<fs::File, RecordingError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(|source| RecordingError::Io {
            what: "open",
            path: path.to_owned(),
            source,
        })
}

/// Names of chargers, so that facts share them and need no copy each.
#[derive(Default)]
pub(super) struct Names(RefCell<HashSet<Arc<str>>>);

impl Names {
    /// The shared copy of a name.
    pub(super) fn intern(&self, name: &str) -> Arc<str> {
        let mut names = self.0.borrow_mut();
        if let Some(known) = names.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = Arc::from(name);
        names.insert(Arc::clone(&name));
        name
    }
}

impl Store {
    /// Opens or creates the database of a recording for writing. The caller holds the recording's lock.
    pub(super) fn open(dir: &Path) -> Result<Self, RecordingError> {
        if rusqlite::version_number() < OLDEST_SQLITE {
            return Err(RecordingError::OldSqlite(rusqlite::version()));
        }
        let path = dir.join(FILE);
        set_orphans_aside(&path)?;
        // Made before SQLite opens it, so that it, its log and its index are private from their first byte.
        private_file(&path)?;
        let mut db = Connection::open(&path)?;
        configure(&db).map_err(|error| unlike_ours(error, &path))?;
        prepare(&mut db, &path)?;
        let last_seq = last_seq(&db)?;
        let file = identity(&path)?;
        Ok(Self {
            db,
            path,
            file,
            last_seq,
        })
    }

    /// The highest sequence number in the file.
    pub(super) fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Lets the file grow to `bytes` and no further.
    pub(super) fn limit(&self, bytes: u64) -> Result<(), RecordingError> {
        let page: i64 = self
            .db
            .pragma_query_value(None, "page_size", |row| row.get(0))?;
        let pages = (bytes / page.max(1) as u64).clamp(1, 0xffff_fffe);
        self.db
            .pragma_update(None, "max_page_count", pages as i64)?;
        Ok(())
    }

    /// Adds facts in one synced transaction. On an error nothing is added.
    pub(super) fn append(&mut self, facts: &[Fact]) -> Result<(), RecordingError> {
        let Some(last) = facts.last() else {
            return Ok(());
        };
        if identity(&self.path)? != self.file {
            return Err(RecordingError::Replaced(self.path.clone()));
        }
        let transaction = self
            .db
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let (blocks, rest) = facts.as_chunks::<AT_ONCE>();
            let mut block_of = transaction.prepare_cached(&insert(AT_ONCE))?;
            for block in blocks {
                for (place, fact) in block.iter().enumerate() {
                    bind(&mut block_of, place * WIDTH, fact)?;
                }
                block_of.raw_execute()?;
            }
            let mut one = transaction.prepare_cached(&insert(1))?;
            for fact in rest {
                bind(&mut one, 0, fact)?;
                one.raw_execute()?;
            }
        }
        derive(&transaction, facts)?;
        transaction.commit()?;
        self.last_seq = last.seq;
        Ok(())
    }

    /// Packs a slice of the facts that happened before an instant, if a whole one did.
    pub(super) fn pack_older(&mut self, before: Micros) -> Result<Option<Moved>, RecordingError> {
        match packed::due(&self.db, before)? {
            Some(until) => packed::slice(&mut self.db, until),
            None => Ok(None),
        }
    }

    /// Packs a slice of what is not packed, whatever its age. `None` when nothing is left.
    pub(super) fn pack(&mut self) -> Result<Option<Moved>, RecordingError> {
        packed::slice(&mut self.db, self.last_seq)
    }

    /// Gives unused pages back to the file system. Needs as much room on the disk as the recording takes afterwards, twice.
    pub(super) fn shrink(&self) -> Result<(), RecordingError> {
        self.db.execute_batch("VACUUM")?;
        self.fold()
    }

    /// Folds the log back into the file, as far as readers allow it.
    pub(super) fn fold(&self) -> Result<(), RecordingError> {
        self.db
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }
}

/// The statement that inserts `rows` facts.
fn insert(rows: usize) -> String {
    let row = format!("({})", ["?"; WIDTH].join(","));
    format!("INSERT INTO facts VALUES {}", vec![row; rows].join(","))
}

/// Binds a fact to the parameters behind the first `before`, in the order of [`COLUMNS`].
fn bind(statement: &mut Statement<'_>, before: usize, fact: &Fact) -> rusqlite::Result<()> {
    let values: [&dyn ToSql; WIDTH] = [
        &(fact.seq as i64),
        &fact.at,
        &&*fact.charger,
        &(fact.conn as i64),
        &fact.leg.map(leg_number),
        &fact.dir.map(dir_number),
        &fact.kind.number(),
        &(fact.frame as i64),
        &(fact.frames as i64),
        &(fact.cause as i64),
        &fact.body,
        &fact.note,
    ];
    for (place, value) in (before + 1..).zip(values) {
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

/// Keeps the derived tables in step with the facts of one transaction.
fn derive(db: &Connection, facts: &[Fact]) -> rusqlite::Result<()> {
    let mut frames: HashMap<(u64, Dir), u64> = HashMap::new();
    let mut landmarks: HashMap<(&str, String), u64> = HashMap::new();
    let mut undelivered = undelivered::Changes::default();
    let mut closed = Vec::new();
    for fact in facts {
        undelivered.take(fact);
        if let Some(dir) = fact.accounts_for() {
            *frames.entry((fact.conn, dir)).or_default() += fact.frames;
        }
        if let Some(key) = landmark::key(fact) {
            landmarks.insert((&fact.charger, key), fact.seq);
        }
        if fact.kind == Kind::ConnClosed {
            closed.push(fact.conn);
        }
    }
    let mut add = db.prepare_cached(
        "INSERT INTO accounted VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET frames = frames + excluded.frames",
    )?;
    for ((conn, dir), frames) in frames {
        add.execute(params![conn as i64, dir_number(dir), frames as i64])?;
    }
    let mut mark = db.prepare_cached("INSERT OR REPLACE INTO landmarks VALUES (?1, ?2, ?3)")?;
    for ((charger, what), seq) in landmarks {
        mark.execute(params![charger, what, seq as i64])?;
    }
    let mut forget = db.prepare_cached("DELETE FROM accounted WHERE conn = ?1")?;
    for conn in closed {
        forget.execute([conn as i64])?;
    }
    undelivered.write(db)
}

fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.busy_timeout(std::time::Duration::from_secs(1))?;
    // Has no effect on a file that has pages already.
    db.pragma_update(None, "page_size", PAGE)?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "journal_size_limit", 64 << 20)
}

/// Names a file that is no database at all.
fn unlike_ours(error: rusqlite::Error, path: &Path) -> RecordingError {
    match error.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase) => RecordingError::Foreign(path.to_owned()),
        _ => RecordingError::Database(error),
    }
}

/// A log without its database would be replayed into the new one, and ruin it. It belongs to a file that was moved away,
/// so it is renamed and not deleted.
fn set_orphans_aside(path: &Path) -> Result<(), RecordingError> {
    if path.exists() {
        return Ok(());
    }
    for extension in ["db-wal", "db-shm"] {
        let orphan = path.with_extension(extension);
        match fs::rename(&orphan, path.with_extension(format!("{extension}.orphan"))) {
            Ok(()) => tracing::warn!(file = %orphan.display(), "set aside a log without database"),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(source) => {
                return Err(RecordingError::Io {
                    what: "rename",
                    path: orphan,
                    source,
                });
            }
        }
    }
    Ok(())
}

/// Lays the tables out in an empty file; refuses a file that is not ours.
fn prepare(db: &mut Connection, path: &Path) -> Result<(), RecordingError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let tables: i64 =
        transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        transaction.execute_batch(LAYOUT)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    } else {
        check_ours(&transaction, path)?;
    }
    transaction.execute_batch(UNDELIVERED)?;
    transaction.execute_batch(packed::TABLES)?;
    transaction.commit()?;
    Ok(())
}

/// Whether the database is a recording of a format that this program reads.
pub(super) fn check_ours(db: &Connection, path: &Path) -> Result<(), RecordingError> {
    let id: i64 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if id != APPLICATION_ID {
        return Err(RecordingError::Foreign(path.to_owned()));
    }
    let format: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if ![FORMAT, PACKED_FORMAT].contains(&format) {
        return Err(RecordingError::Format {
            path: path.to_owned(),
            format,
        });
    }
    Ok(())
}

/// The highest sequence number in the database; 0 if it holds none.
pub(super) fn last_seq(db: &Connection) -> rusqlite::Result<u64> {
    db.prepare_cached("SELECT ifnull(max(seq), 0) FROM facts")?
        .query_row([], |row| row.get::<_, i64>(0))
        .map(|seq| seq as u64)
}

fn identity(path: &Path) -> Result<(u64, u64), RecordingError> {
    match fs::metadata(path) {
        Ok(found) => Ok((found.dev(), found.ino())),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            Err(RecordingError::Replaced(path.to_owned()))
        }
        Err(source) => Err(RecordingError::Io {
            what: "look at",
            path: path.to_owned(),
            source,
        }),
    }
}

/// The fact in a row of [`COLUMNS`]; `intern` shares the charger's name.
pub(super) fn fact_from_row(
    row: &Row<'_>,
    intern: &mut impl FnMut(&str) -> Arc<str>,
) -> rusqlite::Result<Fact> {
    let kind: i64 = row.get(6)?;
    let kind = u8::try_from(kind)
        .ok()
        .and_then(Kind::from_number)
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(6, kind))?;
    let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
    Ok(Fact {
        seq: number(0)?,
        at: row.get(1)?,
        charger: intern(text(row, 2)?),
        conn: number(3)?,
        leg: row.get::<_, Option<i64>>(4)?.map(leg_from_number),
        dir: row.get::<_, Option<i64>>(5)?.map(dir_from_number),
        kind,
        frame: number(7)?,
        frames: number(8)?,
        cause: number(9)?,
        body: row.get(10)?,
        note: row.get(11)?,
    })
}

fn text<'a>(row: &'a Row<'_>, column: usize) -> rusqlite::Result<&'a str> {
    row.get_ref(column)?.as_str().map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}

const fn leg_number(leg: Leg) -> i64 {
    match leg {
        Leg::Legacy => 0,
        Leg::Candidate => 1,
    }
}

/// The reverse of [`leg_number`].
pub(super) const fn leg_from_number(number: i64) -> Leg {
    if number == 0 {
        Leg::Legacy
    } else {
        Leg::Candidate
    }
}

const fn dir_number(dir: Dir) -> i64 {
    dir.index() as i64
}

/// The reverse of [`dir_number`].
pub(super) const fn dir_from_number(number: i64) -> Dir {
    if number == 0 {
        Dir::FromCharger
    } else {
        Dir::ToCharger
    }
}
