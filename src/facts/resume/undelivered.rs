//! The messages that a shadow backend is still owed or has not answered, with what is needed to deliver them.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::params;

use super::subprotocol;
use crate::clock::Micros;
use crate::facts::block::Head;
use crate::facts::recorder::RecordingError;
use crate::facts::store::{COLUMNS, RARE};
use crate::facts::{Dir, Fact, Kind, Reader};
use crate::ocpp::Envelope;

/// How many facts behind a message its answer is looked for, and how much later, µs: an authority answers within a moment,
/// and one that has not by then is taken for silent.
const ANSWER_WITHIN: (u64, Micros) = (100_000, 120_000_000);

/// How many messages are read at most: several times what all queues together may hold.
const MOST: usize = 500_000;

/// How long before the recording's end a leg may have sent what the recording does not say, µs: many times what a commit
/// waits.
const UNSYNCED: Micros = 1_000_000;

/// A message that a charger would still keep for the shadow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undelivered {
    /// The charger's message.
    pub call: Fact,
    /// The subprotocol of its connection.
    pub subprotocol: Option<String>,
    /// The authority's answer, if there is one.
    pub answer: Option<Fact>,
    /// It was sent, or may have been just before the end, and no answer is on record: a charger that restarted then would
    /// send it again.
    pub again: bool,
    /// Whether it was sent and answered is not known: facts of its charger's leg were lost since.
    pub in_doubt: bool,
}

/// Reads them, oldest first. Costs what is owed, not what was recorded.
pub(super) fn read(reader: &Reader) -> Result<Vec<Undelivered>, RecordingError> {
    let owed: Vec<(i64, bool)> = reader
        .db
        .prepare_cached(
            "SELECT seq, max(again) FROM
               (SELECT seq, again FROM undelivered UNION ALL SELECT seq, 1 AS again FROM unanswered)
             GROUP BY seq ORDER BY seq LIMIT ?1",
        )?
        .query_map([MOST as i64], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<rusqlite::Result<_>>()?;
    let Some((first, _)) = owed.first() else {
        return Ok(Vec::new());
    };
    let doubts = doubts(reader, *first)?;
    let mut legs = open_legs(reader)?;
    let end = reader.by_seq(reader.last_seq()?)?.map_or(0, |last| last.at);
    let mut subprotocols: HashMap<u64, Option<String>> = HashMap::new();
    let mut undelivered = Vec::with_capacity(owed.len());
    for (seq, again) in owed {
        let Some(call) = reader.by_seq(seq as u64)? else {
            continue;
        };
        let known = if let Some(known) = subprotocols.get(&call.conn) {
            known.clone()
        } else {
            let read = subprotocol(reader, call.conn)?;
            subprotocols.insert(call.conn, read.clone());
            read
        };
        // A leg sends in order: where the oldest has waited for long, beside a leg that has been open for long, nothing that
        // the recording does not say was sent.
        let fresh = legs.get_mut(&call.charger).is_some_and(|leg| {
            let oldest = *leg.oldest.get_or_insert(call.at);
            oldest.max(leg.since) > end - UNSYNCED
        });
        undelivered.push(Undelivered {
            subprotocol: known,
            answer: answer(reader, &call)?,
            in_doubt: doubts
                .get(&call.charger)
                .is_some_and(|doubt| *doubt > call.seq),
            again: again || fresh,
            call,
        });
    }
    Ok(undelivered)
}

/// A leg that the recording leaves open.
struct OpenLeg {
    since: Micros,
    /// When its charger's oldest undelivered message came.
    oldest: Option<Micros>,
}

fn open_legs(reader: &Reader) -> Result<HashMap<Arc<str>, OpenLeg>, RecordingError> {
    let legs = reader
        .db
        .prepare_cached("SELECT charger, max(at) FROM open_legs GROUP BY charger")?
        .query_map([], |row| {
            let charger: String = row.get(0)?;
            let (since, oldest) = (row.get(1)?, None);
            Ok((Arc::from(charger), OpenLeg { since, oldest }))
        })?
        .collect::<rusqlite::Result<_>>()?;
    Ok(legs)
}

/// The last gap of each charger since `first` in which facts of its leg may lie.
fn doubts(reader: &Reader, first: i64) -> Result<HashMap<Arc<str>, u64>, RecordingError> {
    let gaps = reader.query(
        &format!(
            "SELECT {COLUMNS} FROM facts WHERE kind = 41 AND {RARE} AND seq > ?1 ORDER BY seq"
        ),
        params![first],
    )?;
    let lossy = gaps
        .into_iter()
        .filter(|gap| gap.note_json()["facts"].as_u64().is_some());
    Ok(lossy.map(|gap| (gap.charger, gap.seq)).collect())
}

/// The authority's answer to a charger's CALL.
fn answer(reader: &Reader, call: &Fact) -> Result<Option<Fact>, RecordingError> {
    let Some(Ok(asked)) = call.text().map(Envelope::parse) else {
        return Ok(None);
    };
    let answers = |text: &[u8]| {
        std::str::from_utf8(text)
            .ok()
            .and_then(|text| Envelope::parse(text).ok())
            .is_some_and(|said| said.kind.is_answer() && said.id == asked.id)
    };
    let end = call.seq.saturating_add(ANSWER_WITHIN.0);
    let latest = call.at.saturating_add(ANSWER_WITHIN.1);
    let view = reader.db.unchecked_transaction()?;
    let mut after = call.seq;
    while after < end
        && let Some(block) = reader.blocks.behind(&reader.db, &reader.names, after)?
    {
        let wanted = |head: &Head| {
            head.seq <= end
                && head.at <= latest
                && head.kind == Kind::Message.number()
                && head.dir == Some(Dir::ToCharger)
                && block.conn(head) == call.conn
        };
        let found = block
            .facts_behind(after, wanted)
            .find(|fact| answers(&fact.body));
        if found.is_some() {
            return Ok(found);
        }
        after = block.last();
    }
    let found = answer_among_rows(reader, call, (end, latest), answers);
    view.commit()?;
    found
}

fn answer_among_rows(
    reader: &Reader,
    call: &Fact,
    (end, latest): (u64, Micros),
    answers: impl Fn(&[u8]) -> bool,
) -> Result<Option<Fact>, RecordingError> {
    let mut statement = reader.db.prepare_cached(
        "SELECT seq, body FROM facts WHERE seq > ?1 AND seq <= ?2 AND conn = ?3 AND dir = 1 AND kind = 20 AND at <= ?4
         ORDER BY seq",
    )?;
    let mut rows = statement.query(params![
        call.seq as i64,
        end as i64,
        call.conn as i64,
        latest
    ])?;
    while let Some(row) = rows.next()? {
        if answers(row.get_ref(1)?.as_blob().unwrap_or_default()) {
            return reader.by_seq(row.get::<_, i64>(0)? as u64);
        }
    }
    Ok(None)
}
