//! Reads a recording, also while it grows.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, OpenFlags, Params, params};

use super::block::Head;
use super::packed::Blocks;
use super::recorder::RecordingError;
use super::store::{self, COLUMNS, Names, RARE, fact_from_row};
use super::{Fact, Kind};
use crate::clock::Micros;

/// A read-only view of a recording. Each call is one short read: a reader never holds a snapshot open, so the log can
/// be folded back under it.
pub struct Reader {
    pub(super) db: Connection,
    pub(super) blocks: Blocks,
    pub(super) names: Names,
    until: u64,
}

impl Reader {
    /// Opens the recording in `dir`.
    pub fn open(dir: &Path) -> Result<Self, RecordingError> {
        let path = dir.join(store::FILE);
        let db = match open_checked(&path, false) {
            // A finished recording on a read-only medium: there is no log, and none can be made.
            Err(RecordingError::Database(error))
                if error.sqlite_error_code() == Some(ErrorCode::CannotOpen)
                    && path.exists()
                    && !path.with_extension("db-wal").exists() =>
            {
                open_checked(&path, true)?
            }
            other => other?,
        };
        Ok(Self {
            db,
            blocks: Blocks::default(),
            names: Names::default(),
            until: u64::MAX,
        })
    }

    /// The same recording as it was when the fact `seq` was its last one, for views. What the recorder keeps about open
    /// connections is not taken back.
    #[must_use]
    pub const fn up_to(mut self, seq: u64) -> Self {
        self.until = seq;
        self
    }

    /// The last fact that is not later than an instant, if facts lie in the order of their times; 0 before the first.
    pub fn seq_at(&self, at: Micros) -> Result<u64, RecordingError> {
        let (mut low, mut high) = (0, self.last_seq()?);
        while low < high {
            let middle = high - (high - low) / 2;
            match self.read(middle - 1, 1)?.first() {
                Some(fact) if fact.seq <= high && fact.at <= at => low = fact.seq,
                _ => high = middle - 1,
            }
        }
        Ok(low)
    }

    /// Up to `limit` facts after `after_seq`, in order.
    pub fn read(&self, after_seq: u64, limit: usize) -> Result<Vec<Fact>, RecordingError> {
        self.in_order(after_seq, limit, None)
    }

    /// The fact with this number.
    pub fn by_seq(&self, seq: u64) -> Result<Option<Fact>, RecordingError> {
        if seq > self.until {
            return Ok(None);
        }
        let found = self.query(
            &format!("SELECT {COLUMNS} FROM facts WHERE seq = ?1"),
            [seq as i64],
        )?;
        match found.into_iter().next() {
            // Facts move from rows into blocks and never back.
            None => self.blocks.by_seq(&self.db, &self.names, seq),
            found => Ok(found),
        }
    }

    /// The highest number in the recording; 0 if it is empty.
    pub fn last_seq(&self) -> Result<u64, RecordingError> {
        Ok(store::last_seq(&self.db)?.min(self.until))
    }

    /// When the last fact was that is no word of people's, µs: they may write long after the night. `None` if there is none.
    pub fn last_at(&self) -> Result<Option<Micros>, RecordingError> {
        let mut seq = self.last_seq()?;
        while seq > 0 {
            match self.by_seq(seq)? {
                Some(fact)
                    if !matches!(fact.kind, Kind::Decision | Kind::Triage | Kind::Revealed) =>
                {
                    return Ok(Some(fact.at));
                }
                _ => seq -= 1,
            }
        }
        Ok(None)
    }

    /// Up to `limit` facts of one kind after `after_seq`, in order. Quick for rare kinds; for messages and what the legs
    /// did with them it reads the whole recording.
    pub fn of_kind(
        &self,
        kind: Kind,
        after_seq: u64,
        limit: usize,
    ) -> Result<Vec<Fact>, RecordingError> {
        if !store::is_rare(kind) {
            return self.in_order(after_seq, limit, Some(kind));
        }
        self.query(
            &format!(
                "SELECT {COLUMNS} FROM facts WHERE kind = ?1 AND {RARE} AND seq > ?2 AND seq <= ?4 ORDER BY seq LIMIT ?3"
            ),
            params![i64::from(kind.number()), after_seq as i64, limit as i64, bound(self.until)],
        )
    }

    /// Facts behind `after`, of one kind or of all, from rows and from blocks.
    fn in_order(
        &self,
        mut after: u64,
        limit: usize,
        kind: Option<Kind>,
    ) -> Result<Vec<Fact>, RecordingError> {
        let number = kind.map(Kind::number);
        // One view of the file for all queries: between two a fact may move from a row into a block.
        let view = self.db.unchecked_transaction()?;
        let mut facts = Vec::new();
        while facts.len() < limit {
            let Some(block) = self.blocks.behind(&self.db, &self.names, after)? else {
                break;
            };
            let (begin, left) = (facts.len(), limit - facts.len());
            facts.extend(self.rows((after, block.last()), left, number)?);
            let wanted = |head: &Head| number.is_none_or(|kind| head.kind == kind);
            facts.extend(block.facts_behind(after, wanted).take(left));
            facts[begin..].sort_by_key(|fact| fact.seq);
            facts.truncate(limit);
            after = block.last();
        }
        if facts.len() < limit {
            let left = limit - facts.len();
            facts.extend(self.rows((after, i64::MAX as u64), left, number)?);
        }
        view.commit()?;
        facts.retain(|fact| fact.seq <= self.until);
        Ok(facts)
    }

    /// Rows behind the one number, up to the other.
    fn rows(
        &self,
        (after, through): (u64, u64),
        limit: usize,
        kind: Option<u8>,
    ) -> Result<Vec<Fact>, RecordingError> {
        let of_kind = match kind {
            None => "",
            Some(_) => "AND kind = ?4",
        };
        let sql = format!(
            "SELECT {COLUMNS} FROM facts WHERE seq > ?1 AND seq <= ?2 {of_kind} ORDER BY seq LIMIT ?3"
        );
        let (after, through, limit) = (after as i64, through as i64, limit as i64);
        match kind {
            None => self.query(&sql, params![after, through, limit]),
            Some(kind) => self.query(&sql, params![after, through, limit, kind]),
        }
    }

    /// The last `limit` facts of a rare kind up to the fact `until`, the newest first. Rare kinds are never packed.
    pub fn newest(
        &self,
        kind: Kind,
        until: u64,
        limit: usize,
    ) -> Result<Vec<Fact>, RecordingError> {
        self.query(
            &format!(
                "SELECT {COLUMNS} FROM facts WHERE kind = ?1 AND {RARE} AND seq <= ?2 ORDER BY seq DESC LIMIT ?3"
            ),
            params![i64::from(kind.number()), bound(until.min(self.until)), limit as i64],
        )
    }

    /// A number that changes when somebody else has written to the recording.
    pub fn data_version(&self) -> Result<i64, RecordingError> {
        let version = self
            .db
            .query_row("PRAGMA data_version", [], |row| row.get(0))?;
        Ok(version)
    }

    /// Whether the beginning of connection `conn` is recorded.
    pub fn knows(&self, conn: u64) -> Result<bool, RecordingError> {
        let opened = Kind::ConnOpened.number();
        let sql = format!("SELECT 1 FROM facts WHERE kind = {opened} AND conn = ?1");
        Ok(self.db.prepare_cached(&sql)?.exists([conn as i64])?)
    }

    /// The fact with which connection `conn` began, if it was recorded.
    pub fn opened(&self, conn: u64) -> Result<Option<Fact>, RecordingError> {
        let opened = Kind::ConnOpened.number();
        let sql = format!(
            "SELECT {COLUMNS} FROM facts WHERE kind = {opened} AND {RARE} AND conn = ?1 AND seq <= ?2 ORDER BY seq LIMIT 1"
        );
        Ok(self.query(&sql, [conn as i64, bound(self.until)])?.pop())
    }

    /// Every fact in order, read in pages.
    pub fn facts(&self) -> impl Iterator<Item = Result<Fact, RecordingError>> + '_ {
        Pages {
            reader: self,
            after: 0,
            page: Vec::new().into_iter(),
            ended: false,
        }
    }

    /// The facts that a query of [`COLUMNS`] selects.
    pub(super) fn query(
        &self,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<Fact>, RecordingError> {
        let mut intern = |name: &str| self.names.intern(name);
        let mut statement = self.db.prepare_cached(sql)?;
        let facts = statement
            .query_map(params, |row| fact_from_row(row, &mut intern))?
            .collect::<rusqlite::Result<Vec<Fact>>>()?;
        Ok(facts)
    }
}

/// A number as the database knows it.
fn bound(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

fn open_checked(path: &Path, immutable: bool) -> Result<Connection, RecordingError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let db = if immutable {
        Connection::open_with_flags(immutable_uri(path), flags)?
    } else {
        Connection::open_with_flags(path, flags)?
    };
    db.busy_timeout(std::time::Duration::from_secs(5))?;
    // A recording may come from anywhere: what its schema calls is not trusted.
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cache_size", -store::CACHE_KIB)?;
    store::check_ours(&db, path)?;
    Ok(db)
}

fn immutable_uri(path: &Path) -> String {
    use std::fmt::Write as _;
    use std::os::unix::ffi::OsStrExt as _;
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/._-".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri + "?immutable=1"
}

struct Pages<'a> {
    reader: &'a Reader,
    after: u64,
    page: std::vec::IntoIter<Fact>,
    ended: bool,
}

impl Iterator for Pages<'_> {
    type Item = Result<Fact, RecordingError>;

    fn next(&mut self) -> Option<Self::Item> {
        const PAGE: usize = 1_000;
        if self.page.len() == 0 && !self.ended {
            match self.reader.read(self.after, PAGE) {
                Ok(page) => {
                    self.ended = page.len() < PAGE;
                    self.page = page.into_iter();
                }
                Err(error) => {
                    self.ended = true;
                    return Some(Err(error));
                }
            }
        }
        let fact = self.page.next()?;
        self.after = fact.seq;
        Some(Ok(fact))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Kind, Recorder, recorder::Limits};

    #[test]
    fn a_finished_recording_opens_without_write_access() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("50% of a night?");
        let recorder = Recorder::open(&dir, Limits::default()).unwrap();
        recorder.record(Fact::new(Kind::Tick, 1)).unwrap();
        recorder.close(std::time::Duration::from_secs(30)).unwrap();
        let db = open_checked(&dir.join(store::FILE), true).unwrap();
        assert_eq!(store::last_seq(&db).unwrap(), 1);
    }

    #[test]
    fn rare_kinds_are_found_by_index() {
        let dir = tempfile::tempdir().unwrap();
        let recorder = Recorder::open(dir.path(), Limits::default()).unwrap();
        recorder.close(std::time::Duration::from_secs(30)).unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        let plan = |what: &str| -> String {
            let sql = format!("EXPLAIN QUERY PLAN SELECT {what}");
            reader
                .db
                .query_row(&sql, [], |row| row.get("detail"))
                .unwrap()
        };
        for query in [
            format!("* FROM facts WHERE kind = 41 AND {RARE} AND seq > 9 ORDER BY seq LIMIT 5"),
            format!("* FROM facts WHERE kind = 1 AND {RARE} ORDER BY seq DESC LIMIT 1"),
            format!("max(conn) FROM facts WHERE kind = 10 AND {RARE}"),
            format!("* FROM facts WHERE kind = 10 AND {RARE} AND conn = 3 LIMIT 1"),
        ] {
            let plan = plan(&query);
            assert!(plan.contains("facts_rare"), "{query}: {plan}");
        }
        // What is odd comes with the frames of odd chargers, and is looked for by itself.
        for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Quirk) {
            assert!(
                store::is_rare(kind) != kind.is_bulk() || kind.number() / 10 == 3,
                "{kind}"
            );
        }
    }
}
