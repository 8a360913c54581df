//! Many facts as one run of bytes, column by column: what is alike lies side by side, and packs well.
//!
//! Pure. Numbers are LEB128, signed ones zigzag. In order: version, how many facts, the connections that they are about
//! (epoch, length of the charger's name, name), then a column each for sequence numbers and times (as differences),
//! connections (by place), leg and direction, kinds, frames, frame counts, causes (as distances), lengths of bodies and of notes,
//! and last all bodies and all notes.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::{Dir, Fact, Kind, Leg};
use crate::clock::Micros;

/// Version of the form above.
const VERSION: u8 = 1;

/// Facts as a block.
pub(super) fn encode(facts: &[Fact]) -> Vec<u8> {
    let mut out = Out(vec![VERSION]);
    out.number(facts.len() as u64);
    let places = out.connections(facts);
    let mut seq = 0;
    for fact in facts {
        out.number(fact.seq.wrapping_sub(seq));
        seq = fact.seq;
    }
    let mut at: Micros = 0;
    for fact in facts {
        out.signed(fact.at.wrapping_sub(at));
        at = fact.at;
    }
    for fact in facts {
        let place = places.get(&(fact.conn, &*fact.charger));
        out.number(place.copied().unwrap_or_default());
    }
    out.0.extend(facts.iter().map(way));
    out.0.extend(facts.iter().map(|fact| fact.kind.number()));
    for fact in facts {
        out.number(fact.frame);
    }
    for fact in facts {
        out.number(fact.frames);
    }
    for fact in facts {
        out.number(match fact.cause {
            0 => 0,
            cause => zigzag(fact.seq.wrapping_sub(cause) as i64).wrapping_add(1),
        });
    }
    for fact in facts {
        out.number(fact.body.len() as u64);
    }
    for fact in facts {
        out.number(fact.note.len() as u64);
    }
    for fact in facts {
        out.0.extend_from_slice(&fact.body);
    }
    for fact in facts {
        out.0.extend_from_slice(fact.note.as_bytes());
    }
    out.0
}

/// A block that was read: facts are made from it one by one, as they are wanted.
#[derive(Debug)]
pub(super) struct Block {
    connections: Vec<(u64, Arc<str>)>,
    heads: Vec<Head>,
    bodies: Vec<u8>,
    notes: String,
}

/// What a fact is, besides its texts.
#[derive(Debug, Default, Clone)]
pub(super) struct Head {
    /// Its number.
    pub(super) seq: u64,
    /// When it happened.
    pub(super) at: Micros,
    /// Its kind's number.
    pub(super) kind: u8,
    /// Which way it travelled.
    pub(super) dir: Option<Dir>,
    leg: Option<Leg>,
    connection: usize,
    frame: u64,
    frames: u64,
    cause: u64,
    body: Range<usize>,
    note: Range<usize>,
}

impl Block {
    /// Reads what [`encode`] wrote; `None` if it is anything else. `intern` shares the names of chargers.
    pub(super) fn decode(bytes: &[u8], intern: &mut impl FnMut(&str) -> Arc<str>) -> Option<Self> {
        let mut input = In(bytes);
        if input.take(1)? != [VERSION] {
            return None;
        }
        let count = input.count()?;
        let connections = input.connections(intern)?;
        let mut heads = vec![Head::default(); count];
        input.differences(&mut heads)?;
        for head in &mut heads {
            head.connection = usize::try_from(input.number()?).ok()?;
            connections.get(head.connection)?;
        }
        for (head, way) in heads.iter_mut().zip(input.take(count)?) {
            (head.leg, head.dir) = from_way(*way)?;
        }
        for (head, kind) in heads.iter_mut().zip(input.take(count)?) {
            head.kind = Kind::from_number(*kind)?.number();
        }
        for head in &mut heads {
            head.frame = input.number()?;
        }
        for head in &mut heads {
            head.frames = input.number()?;
        }
        for head in &mut heads {
            head.cause = match input.number()? {
                0 => 0,
                far => head.seq.wrapping_sub(unzigzag(far.wrapping_sub(1)) as u64),
            };
        }
        let bodies = input.ranges(&mut heads, |head| &mut head.body)?;
        let notes = input.ranges(&mut heads, |head| &mut head.note)?;
        let bodies = input.take(bodies)?.to_vec();
        let notes = String::from_utf8(input.take(notes)?.to_vec()).ok()?;
        let whole = heads
            .iter()
            .all(|head| notes.is_char_boundary(head.note.end));
        (whole && input.0.is_empty()).then_some(Self {
            connections,
            heads,
            bodies,
            notes,
        })
    }

    /// The facts in it, by number.
    pub(super) fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The fact at a place in [`Block::heads`].
    pub(super) fn fact(&self, place: usize) -> Option<Fact> {
        let head = self.heads.get(place)?;
        let (conn, charger) = self.connections.get(head.connection)?;
        Some(Fact {
            seq: head.seq,
            at: head.at,
            charger: Arc::clone(charger),
            conn: *conn,
            leg: head.leg,
            dir: head.dir,
            kind: Kind::from_number(head.kind)?,
            frame: head.frame,
            frames: head.frames,
            cause: head.cause,
            body: self.bodies.get(head.body.clone())?.to_vec(),
            note: self.notes.get(head.note.clone())?.to_owned(),
        })
    }

    /// The number of the last fact; 0 if there is none.
    pub(super) fn last(&self) -> u64 {
        self.heads.last().map_or(0, |head| head.seq)
    }

    /// The facts behind `seq` that are wanted, in order.
    pub(super) fn facts_behind(
        &self,
        seq: u64,
        wanted: impl Fn(&Head) -> bool,
    ) -> impl Iterator<Item = Fact> {
        let first = self.heads.partition_point(|head| head.seq <= seq);
        (first..self.heads.len())
            .filter(move |place| wanted(&self.heads[*place]))
            .filter_map(|place| self.fact(place))
    }

    /// The connection epoch of a fact.
    pub(super) fn conn(&self, head: &Head) -> u64 {
        let connection = self.connections.get(head.connection);
        connection.map_or(0, |(conn, _)| *conn)
    }
}

struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn signed(&mut self, number: i64) {
        self.number(zigzag(number));
    }

    /// Writes the connections of facts; tells the place of each.
    fn connections<'f>(&mut self, facts: &'f [Fact]) -> HashMap<(u64, &'f str), u64> {
        let mut places = HashMap::new();
        let mut order = Vec::new();
        for fact in facts {
            let key = (fact.conn, &*fact.charger);
            places.entry(key).or_insert_with(|| {
                order.push(key);
                order.len() as u64 - 1
            });
        }
        self.number(order.len() as u64);
        for (conn, charger) in order {
            self.number(conn);
            self.number(charger.len() as u64);
            self.0.extend_from_slice(charger.as_bytes());
        }
        places
    }
}

/// What is left to read. Nothing in it is trusted.
struct In<'a>(&'a [u8]);

impl<'a> In<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    /// A number of things of which each takes a byte at least.
    fn count(&mut self) -> Option<usize> {
        let count = usize::try_from(self.number()?).ok()?;
        (count <= self.0.len()).then_some(count)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn connections(
        &mut self,
        intern: &mut impl FnMut(&str) -> Arc<str>,
    ) -> Option<Vec<(u64, Arc<str>)>> {
        let count = self.count()?;
        (0..count)
            .map(|_| {
                let conn = self.number()?;
                let len = self.count()?;
                let name = std::str::from_utf8(self.take(len)?).ok()?;
                Some((conn, intern(name)))
            })
            .collect()
    }

    /// The columns of sequence numbers, which must rise, and of times.
    fn differences(&mut self, heads: &mut [Head]) -> Option<()> {
        let mut seq: u64 = 0;
        for head in &mut *heads {
            let step = self.number()?;
            seq = seq.checked_add(step).filter(|_| step > 0)?;
            head.seq = seq;
        }
        let mut at: Micros = 0;
        for head in heads {
            at = at.wrapping_add(unzigzag(self.number()?));
            head.at = at;
        }
        Some(())
    }

    /// A column of lengths; gives their sum.
    fn ranges(
        &mut self,
        heads: &mut [Head],
        range: impl Fn(&mut Head) -> &mut Range<usize>,
    ) -> Option<usize> {
        let mut end = 0_usize;
        for head in heads {
            let begin = end;
            end = begin.checked_add(usize::try_from(self.number()?).ok()?)?;
            *range(head) = begin..end;
        }
        Some(end)
    }
}

const fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

const fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// Leg and direction in one byte: three values each.
fn way(fact: &Fact) -> u8 {
    let leg = match fact.leg {
        None => 0,
        Some(Leg::Legacy) => 1,
        Some(Leg::Candidate) => 2,
    };
    let dir = fact.dir.map_or(0, |dir| dir.index() as u8 + 1);
    leg * 3 + dir
}

fn from_way(way: u8) -> Option<(Option<Leg>, Option<Dir>)> {
    let leg = match way / 3 {
        0 => None,
        1 => Some(Leg::Legacy),
        2 => Some(Leg::Candidate),
        _ => return None,
    };
    let dir = (way % 3).checked_sub(1);
    Some((leg, dir.map(|index| Dir::BOTH[usize::from(index)])))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8]) -> Option<Vec<Fact>> {
        let block = Block::decode(bytes, &mut |name| Arc::from(name))?;
        (0..block.heads().len())
            .map(|place| block.fact(place))
            .collect()
    }

    fn fact() -> impl Strategy<Value = Fact> {
        (
            0..Kind::ALL.len(),
            (any::<i64>(), any::<u64>(), any::<u64>(), 0..9_u64),
            0..9_u8,
            (0..i64::MAX as u64, 0..3_u64, "[A-Zé]{0,3}"),
            prop::collection::vec(any::<u8>(), 0..40),
            "\\PC{0,20}",
        )
            .prop_map(|(kind, numbers, way, (cause, conn, charger), body, note)| {
                let (at, frame, frames, near) = numbers;
                let (leg, dir) = from_way(way).unwrap();
                Fact {
                    seq: 0,
                    at,
                    charger: Arc::from(charger),
                    conn,
                    leg,
                    dir,
                    kind: Kind::ALL[kind],
                    frame,
                    frames,
                    cause: if near < 5 { near } else { cause },
                    body,
                    note,
                }
            })
    }

    proptest! {
        #[test]
        fn a_block_gives_back_the_same_facts(
            facts in prop::collection::vec((fact(), 1..50_u64), 0..40),
        ) {
            let mut seq = 0;
            let facts: Vec<Fact> = facts
                .into_iter()
                .map(|(fact, step)| {
                    seq += step;
                    Fact { seq, ..fact }
                })
                .collect();
            prop_assert_eq!(read(&encode(&facts)).unwrap(), facts);
        }

        #[test]
        fn damage_is_refused_or_read_but_never_a_panic(
            fact in fact(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
            cut in any::<prop::sample::Index>(),
        ) {
            let facts = [Fact { seq: 7, ..fact.clone() }, Fact { seq: 9, ..fact }];
            let mut bytes = encode(&facts);
            prop_assert_eq!(read(&bytes[..cut.index(bytes.len())]), None);
            let at = at.index(bytes.len());
            bytes[at] = byte;
            drop(read(&bytes));
        }
    }
}
