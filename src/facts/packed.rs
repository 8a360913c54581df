//! Old facts, packed: the frame traffic of long ago lies in blocks instead of rows, some twenty facts in the room of one.
//!
//! A fact lies in a row or in one block, never in both; it moves in one transaction, after the block has been read back and
//! compared. Rare kinds stay rows, because queries look for them; the newest fact stays one, so that the highest number is where
//! it always was. Blocks are compressed by zstd with a dictionary that was trained on the recording itself, and lies in it.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};
use std::ops::AddAssign;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::DecoderDictionary;

use super::Fact;
use super::block::{self, Block};
use super::recorder::RecordingError;
use super::store::{COLUMNS, Names, PACKED_FORMAT, fact_from_row};
use crate::clock::Micros;

/// Not in the first layout: recordings of its format that have none are complete without it.
pub(super) const TABLES: &str = "
CREATE TABLE IF NOT EXISTS dictionaries(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS packed(
  last       INTEGER PRIMARY KEY, -- the last fact in the block
  first      INTEGER NOT NULL,    -- the first one; rows of rare kinds lie between
  facts      INTEGER NOT NULL,    -- how many
  bytes      INTEGER NOT NULL,    -- of the block, unpacked
  dictionary INTEGER,             -- what it is packed with besides zstd
  block      BLOB    NOT NULL
) STRICT;
";

/// What is packed: the kinds that no index holds.
const BULK: &str = "kind >= 20 AND kind < 40";

/// Sequence numbers that one transaction goes through at most, and bytes of facts: a commit of fresh facts may have to wait for it.
pub(super) const SLICE: u64 = 2_000;
const SLICE_BYTES: usize = 4 << 20;

/// Bytes of facts in a block, about: who wants one fact unpacks as much.
const BLOCK: usize = 96 << 10;

/// Bytes that a block is unpacked to at most: a recording may come from anywhere.
const MOST: u64 = 256 << 20;

const LEVEL: i32 = 3;

/// Bytes of a dictionary, and how many facts it is trained on at least.
const DICTIONARY: usize = 16 << 10;
const SAMPLES: usize = 200;

/// Blocks that a reader keeps unpacked.
const HELD: usize = 4;

/// What a slice of work did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    /// Facts that went into blocks.
    pub(super) facts: u64,
    /// Bytes of their bodies and notes.
    pub(super) bytes: u64,
    /// Bytes of the blocks.
    pub(super) packed: u64,
}

impl AddAssign for Moved {
    fn add_assign(&mut self, other: Self) {
        self.facts += other.facts;
        self.bytes += other.bytes;
        self.packed += other.packed;
    }
}

/// Up to which fact a whole slice is older than `before`, if one is.
pub(super) fn due(db: &Connection, before: Micros) -> rusqlite::Result<Option<u64>> {
    let next = cursor(db)?.saturating_add(SLICE);
    let found: Option<(i64, Micros)> = db
        .prepare_cached("SELECT seq, at FROM facts WHERE seq >= ?1 ORDER BY seq LIMIT 1")?
        .query_row([next as i64], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found
        .filter(|(_, at)| *at <= before)
        .map(|(seq, _)| seq as u64))
}

/// Packs the next slice of the facts below `until`, in one transaction. `None` when there is nothing left.
pub(super) fn slice(db: &mut Connection, until: u64) -> Result<Option<Moved>, RecordingError> {
    let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let from = cursor(&transaction)?;
    let end = until.min(from.saturating_add(SLICE));
    if end <= from + 1 {
        return Ok(None);
    }
    let (facts, through) = rows(&transaction, from, end)?;
    let mut press = Press::of(&transaction, &facts)?;
    let mut done = Moved::default();
    for facts in chunks(&facts) {
        done += press.shift(&transaction, facts)?;
    }
    transaction
        .prepare_cached("INSERT OR REPLACE INTO meta VALUES ('packed_to', ?1)")?
        .execute([through.to_string()])?;
    if done.facts > 0 {
        transaction.execute(
            "UPDATE meta SET value = ?1 WHERE key = 'format'",
            [PACKED_FORMAT.to_string()],
        )?;
        transaction.pragma_update(None, "user_version", PACKED_FORMAT)?;
    }
    transaction.commit()?;
    Ok(Some(done))
}

/// How far the packing is: what lies behind has been through it.
fn cursor(db: &Connection) -> rusqlite::Result<u64> {
    let text: Option<String> = db
        .prepare_cached("SELECT value FROM meta WHERE key = 'packed_to'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|text| text.parse().ok()).unwrap_or(0))
}

/// The facts to pack between two numbers, and how far they go when there are too many bytes of them.
fn rows(db: &Connection, from: u64, end: u64) -> rusqlite::Result<(Vec<Fact>, u64)> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM facts WHERE seq > ?1 AND seq < ?2 AND {BULK} ORDER BY seq"
    ))?;
    let mut rows = statement.query(params![from as i64, end as i64])?;
    let names = Names::default();
    let (mut facts, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let fact = fact_from_row(row, &mut |name| names.intern(name))?;
        bytes += fact.weight();
        let seq = fact.seq;
        facts.push(fact);
        if bytes >= SLICE_BYTES {
            return Ok((facts, seq));
        }
    }
    Ok((facts, end - 1))
}

/// Facts in portions of about a block each.
fn chunks(facts: &[Fact]) -> impl Iterator<Item = &[Fact]> {
    let mut bytes = 0;
    facts.chunk_by(move |fact, _| {
        bytes += fact.weight();
        let goes_on = bytes < BLOCK;
        if !goes_on {
            bytes = 0;
        }
        goes_on
    })
}

/// Packs and unpacks with the recording's dictionary, if there is one.
struct Press {
    dictionary: Option<i64>,
    compressor: Compressor<'static>,
    trained: DecoderDictionary<'static>,
}

impl Press {
    /// The press for a slice. The first facts that are packed train the dictionary; too few of them do without.
    fn of(db: &Connection, facts: &[Fact]) -> Result<Self, RecordingError> {
        let known: Option<(i64, Vec<u8>)> = db
            .prepare_cached("SELECT id, bytes FROM dictionaries ORDER BY id DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let known = match known {
            None => train(db, facts)?,
            known => known,
        };
        let (dictionary, bytes) = known.unzip();
        let bytes = bytes.unwrap_or_default();
        let mut compressor =
            Compressor::with_dictionary(LEVEL, &bytes).map_err(RecordingError::Packing)?;
        compressor
            .include_checksum(true)
            .map_err(RecordingError::Packing)?;
        Ok(Self {
            dictionary,
            compressor,
            trained: DecoderDictionary::copy(&bytes),
        })
    }

    /// Moves facts from their rows into a block. If the block does not give them back exactly they stay.
    fn shift(&mut self, db: &Connection, facts: &[Fact]) -> Result<Moved, RecordingError> {
        let (Some(first), Some(last)) = (facts.first(), facts.last()) else {
            return Ok(Moved::default());
        };
        let bytes = block::encode(facts);
        let size = bytes.len() as u64;
        let packed = self
            .compressor
            .compress(&bytes)
            .map_err(RecordingError::Packing)?;
        let found = unpack(&packed, size, &self.trained, &Names::default());
        if !found.is_some_and(|block| holds(&block, facts)) {
            tracing::error!(
                first = first.seq,
                last = last.seq,
                "facts cannot be packed and stay as they are"
            );
            return Ok(Moved::default());
        }
        // First, so that the block finds room also in a file that may not grow.
        let sql = format!("DELETE FROM facts WHERE seq >= ?1 AND seq <= ?2 AND {BULK}");
        db.prepare_cached(&sql)?
            .execute([first.seq as i64, last.seq as i64])?;
        db.prepare_cached("INSERT INTO packed VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![
                last.seq as i64,
                first.seq as i64,
                facts.len() as i64,
                size as i64,
                self.dictionary,
                packed,
            ])?;
        Ok(Moved {
            facts: facts.len() as u64,
            bytes: facts
                .iter()
                .map(|fact| (fact.body.len() + fact.note.len()) as u64)
                .sum(),
            packed: packed.len() as u64,
        })
    }
}

/// Trains a dictionary and keeps it. Fails when samples are few or all alike, and then there is little to win by one.
fn train(db: &Connection, facts: &[Fact]) -> rusqlite::Result<Option<(i64, Vec<u8>)>> {
    let samples: Vec<&[u8]> = facts
        .iter()
        .flat_map(|fact| [fact.body.as_slice(), fact.note.as_bytes()])
        .filter(|sample| !sample.is_empty())
        .collect();
    if samples.len() < SAMPLES {
        return Ok(None);
    }
    let Ok(bytes) = zstd::dict::from_samples(&samples, DICTIONARY) else {
        return Ok(None);
    };
    db.execute("INSERT INTO dictionaries(bytes) VALUES (?1)", [&bytes])?;
    Ok(Some((db.last_insert_rowid(), bytes)))
}

fn unpack(
    packed: &[u8],
    size: u64,
    trained: &DecoderDictionary<'_>,
    names: &Names,
) -> Option<Block> {
    let size = usize::try_from(size).ok().filter(|_| size <= MOST)?;
    let bytes = Decompressor::with_prepared_dictionary(trained)
        .and_then(|mut decompressor| decompressor.decompress(packed, size))
        .ok()?;
    Block::decode(&bytes, &mut |name| names.intern(name))
}

fn holds(block: &Block, facts: &[Fact]) -> bool {
    block.heads().len() == facts.len()
        && (0..)
            .zip(facts)
            .all(|(place, fact)| block.fact(place).as_ref() == Some(fact))
}

/// The reading end: finds blocks, unpacks them, and keeps the last few.
#[derive(Default)]
pub(super) struct Blocks {
    /// Whether the tables have been seen: a recorder may make them at any time.
    exist: Cell<bool>,
    held: RefCell<VecDeque<(i64, Arc<Block>)>>,
    dictionaries: RefCell<HashMap<i64, Arc<DecoderDictionary<'static>>>>,
}

impl Blocks {
    /// The first block that ends behind fact `seq`.
    pub(super) fn behind(
        &self,
        db: &Connection,
        names: &Names,
        seq: u64,
    ) -> Result<Option<Arc<Block>>, RecordingError> {
        if !self.exist(db)? {
            return Ok(None);
        }
        let last: Option<i64> = db
            .prepare_cached("SELECT last FROM packed WHERE last > ?1 ORDER BY last LIMIT 1")?
            .query_row([seq as i64], |row| row.get(0))
            .optional()?;
        last.map(|last| self.open(db, names, last)).transpose()
    }

    /// The fact of this number, if it is packed.
    pub(super) fn by_seq(
        &self,
        db: &Connection,
        names: &Names,
        seq: u64,
    ) -> Result<Option<Fact>, RecordingError> {
        let Some(before) = seq.checked_sub(1) else {
            return Ok(None);
        };
        let block = self.behind(db, names, before)?;
        Ok(block.and_then(|block| {
            let place = block.heads().binary_search_by_key(&seq, |head| head.seq);
            place.ok().and_then(|place| block.fact(place))
        }))
    }

    fn exist(&self, db: &Connection) -> rusqlite::Result<bool> {
        if !self.exist.get() {
            let found = db
                .prepare_cached("SELECT 1 FROM sqlite_schema WHERE name = 'packed'")?
                .exists([])?;
            self.exist.set(found);
        }
        Ok(self.exist.get())
    }

    fn open(
        &self,
        db: &Connection,
        names: &Names,
        last: i64,
    ) -> Result<Arc<Block>, RecordingError> {
        let mut held = self.held.borrow_mut();
        if let Some((_, block)) = held.iter().find(|(key, _)| *key == last) {
            return Ok(Arc::clone(block));
        }
        let (size, dictionary, packed): (i64, Option<i64>, Vec<u8>) = db
            .prepare_cached("SELECT bytes, dictionary, block FROM packed WHERE last = ?1")?
            .query_row([last], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let dictionary = self.dictionary(db, dictionary)?;
        let block = unpack(&packed, size as u64, &dictionary, names)
            .filter(|block| block.last() == last as u64)
            .ok_or(RecordingError::Damaged(last as u64))?;
        let block = Arc::new(block);
        if held.len() == HELD {
            held.pop_front();
        }
        held.push_back((last, Arc::clone(&block)));
        Ok(block)
    }

    fn dictionary(
        &self,
        db: &Connection,
        id: Option<i64>,
    ) -> rusqlite::Result<Arc<DecoderDictionary<'static>>> {
        // No dictionary is an empty one.
        let id = id.unwrap_or(0);
        let mut known = self.dictionaries.borrow_mut();
        if let Some(dictionary) = known.get(&id) {
            return Ok(Arc::clone(dictionary));
        }
        let bytes: Option<Vec<u8>> = db
            .prepare_cached("SELECT bytes FROM dictionaries WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?;
        let dictionary = Arc::new(DecoderDictionary::copy(&bytes.unwrap_or_default()));
        known.insert(id, Arc::clone(&dictionary));
        Ok(dictionary)
    }
}
