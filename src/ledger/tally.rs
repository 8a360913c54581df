//! Counts, added up in memory for a batch and written once.
//!
//! Answer times go into buckets: eight to each power of two, so a bucket is at most an eighth wide and percentiles are
//! that exact, whatever the number of exchanges.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::row::{Divergence, Exchange, Outcome, Reason, Row, Sample, Unstable};
use super::schema::rank;

/// What a batch of rows adds to the counts.
#[derive(Default)]
pub(super) struct Batch<'a> {
    tallies: BTreeMap<(&'static str, &'a str, &'a str, &'static str, &'static str), Seen>,
    latencies: BTreeMap<(&'a str, &'static str, u32), u64>,
    findings: BTreeMap<&'a str, Finding<'a>>,
    sightings: BTreeMap<(&'a str, &'a str, &'a str, &'a str, u64), u64>,
    quirks: BTreeMap<(u8, &'a str, &'a str, &'a str), Seen>,
    stand_ins: BTreeMap<(&'a str, &'a str, &'a str), u64>,
    samples: Vec<&'a Sample>,
}

/// How often, and between which times.
struct Seen {
    count: u64,
    since: i64,
    until: i64,
}

impl Seen {
    const fn never(at: i64) -> Self {
        Self {
            count: 0,
            since: at,
            until: at,
        }
    }

    fn again(&mut self, at: i64) {
        self.count += 1;
        self.since = self.since.min(at);
        self.until = self.until.max(at);
    }
}

struct Finding<'a> {
    first: &'a Divergence,
    count: u64,
    worst: u8,
    since: i64,
    until: i64,
    unstable: u64,
    varied: Unstable,
    exposed: u64,
}

impl<'a> Batch<'a> {
    /// Counts one row.
    pub(super) fn count(&mut self, row: &'a Row) {
        match row {
            Row::Exchange(row) => {
                let about = ("exchange", row.action.as_str(), row.charger.as_str());
                self.outcome(about, (row.outcome, row.reason), row.at);
                self.times(row);
            }
            Row::Command(row) => {
                let about = ("command", row.action.as_str(), row.charger.as_str());
                self.outcome(about, (row.outcome, row.reason), row.at);
            }
            Row::Handshake(row) => {
                let about = ("handshake", "", row.charger.as_str());
                self.outcome(about, (row.outcome, row.reason), row.at);
            }
            Row::Divergence(row) => self.divergence(row),
            Row::Quirk(row) => {
                let key = (
                    row.row,
                    row.charger.as_str(),
                    row.leg.as_str(),
                    row.detail.as_str(),
                );
                let seen = self.quirks.entry(key).or_insert(Seen::never(row.at));
                seen.again(row.at);
            }
            Row::StandIn(row) => {
                let key = (
                    row.action.as_str(),
                    row.source.as_str(),
                    row.charger.as_str(),
                );
                *self.stand_ins.entry(key).or_default() += 1;
            }
            Row::Sample(row) => self.samples.push(row),
            // Sessions are counted where they stand: a later row replaces an earlier one.
            Row::Charger(_)
            | Row::Session(_)
            | Row::Build(_)
            | Row::Standing(_)
            | Row::Estate(_)
            | Row::Member(_)
            | Row::Gate(_)
            | Row::Decision(_) => {}
        }
    }

    fn outcome(
        &mut self,
        (subject, action, charger): (&'static str, &'a str, &'a str),
        (outcome, reason): (Outcome, Option<Reason>),
        at: i64,
    ) {
        let reason = reason.map_or("", Reason::word);
        self.tallies
            .entry((subject, action, charger, outcome.word(), reason))
            .or_insert(Seen::never(at))
            .again(at);
    }

    fn times(&mut self, row: &'a Exchange) {
        let times = [
            ("authority", row.authority_us),
            ("shadow", row.shadow_us),
            ("queue", row.queue_us),
        ];
        for (what, time) in times {
            if let Some(time) = time {
                *self
                    .latencies
                    .entry((&row.action, what, bucket(time)))
                    .or_default() += 1;
            }
        }
    }

    fn divergence(&mut self, row: &'a Divergence) {
        let finding = self.findings.entry(&row.finding).or_insert(Finding {
            first: row,
            count: 0,
            worst: rank(row.severity),
            since: row.at,
            until: row.at,
            unstable: 0,
            varied: Unstable::default(),
            exposed: 0,
        });
        finding.count += 1;
        finding.unstable += u64::from(row.unstable.is_some());
        finding.varied = finding.varied.max(row.unstable.unwrap_or_default());
        finding.exposed = finding.exposed.max(row.exposed);
        finding.worst = finding.worst.min(rank(row.severity));
        finding.since = finding.since.min(row.at);
        finding.until = finding.until.max(row.at);
        *self
            .sightings
            .entry((
                &row.finding,
                &row.charger,
                &row.model,
                &row.firmware,
                row.run,
            ))
            .or_default() += 1;
    }

    /// Adds the counts to the tables.
    pub(super) fn flush(self, db: &Connection) -> rusqlite::Result<()> {
        for ((subject, action, charger, outcome, reason), seen) in self.tallies {
            db.prepare_cached(
                "INSERT INTO tallies VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count, \
                    first_seen = min(first_seen, excluded.first_seen), \
                    last_seen = max(last_seen, excluded.last_seen)",
            )?
            .execute(params![
                subject,
                action,
                charger,
                outcome,
                reason,
                seen.count as i64,
                seen.since,
                seen.until
            ])?;
        }
        for ((action, what, bucket), count) in self.latencies {
            db.prepare_cached(
                "INSERT INTO latencies VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count",
            )?
            .execute(params![action, what, bucket, count as i64])?;
        }
        for ((finding, charger, model, firmware, run), count) in self.sightings {
            db.prepare_cached(
                "INSERT INTO sightings VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count",
            )?
            .execute(params![
                finding,
                charger,
                model,
                firmware,
                run as i64,
                count as i64
            ])?;
        }
        for ((quirk, charger, leg, detail), seen) in self.quirks {
            db.prepare_cached(
                "INSERT INTO quirks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count, \
                    first_seen = min(first_seen, excluded.first_seen), \
                    last_seen = max(last_seen, excluded.last_seen)",
            )?
            .execute(params![
                quirk,
                charger,
                leg,
                detail,
                seen.count as i64,
                seen.since,
                seen.until
            ])?;
        }
        for ((action, source, charger), count) in self.stand_ins {
            db.prepare_cached(
                "INSERT INTO stand_ins VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT DO UPDATE SET count = count + excluded.count",
            )?
            .execute(params![action, source, charger, count as i64])?;
        }
        self.samples
            .iter()
            .try_for_each(|sample| add_sample(db, sample))?;
        self.findings
            .into_iter()
            .try_for_each(|(id, finding)| finding.flush(db, id))
    }
}

/// Samples are counts already: the judge adds up what comes within seconds.
fn add_sample(db: &Connection, row: &Sample) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO monitors VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) \
         ON CONFLICT DO UPDATE SET count = count + excluded.count",
    )?
    .execute(params![
        row.hour,
        row.group,
        row.model,
        row.monitor,
        row.leg,
        row.what,
        row.detail,
        row.bucket.map_or(-1, i64::from),
        row.count as i64,
    ])
    .map(drop)
}

impl Finding<'_> {
    fn flush(&self, db: &Connection, id: &str) -> rusqlite::Result<()> {
        db.prepare_cached(
            "INSERT INTO findings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20) \
             ON CONFLICT DO UPDATE SET count = count + excluded.count, \
                severity = min(severity, excluded.severity), \
                first_seen = min(first_seen, excluded.first_seen), \
                last_seen = max(last_seen, excluded.last_seen), \
                unstable = unstable + excluded.unstable, \
                (varied, requests) = (SELECT max(old, new) / 4294967296, max(old, new) % 4294967296 FROM \
                    (SELECT varied * 4294967296 + requests AS old, \
                        excluded.varied * 4294967296 + excluded.requests AS new)), \
                exposed = max(exposed, excluded.exposed)",
        )?
        .execute(params![
            id,
            self.first.subject.word(),
            self.first.rule,
            self.first.reason,
            self.first.direction,
            self.first.action,
            self.first.path,
            self.first.kind,
            self.worst,
            self.first.legacy,
            self.first.candidate,
            self.first.title,
            self.count as i64,
            self.since,
            self.until,
            self.first.quirk,
            self.unstable as i64,
            self.varied.values,
            self.varied.requests,
            self.exposed as i64,
        ])
        .map(drop)
    }
}

/// The bucket of a time, µs. Times below eight have one each.
pub(crate) fn bucket(time: i64) -> u32 {
    let time = time.max(0) as u64;
    if time < 8 {
        return time as u32;
    }
    let power = time.ilog2();
    power * 8 - 16 + ((time >> (power - 3)) & 7) as u32
}

/// The largest time that falls into a bucket, µs.
pub(super) fn upper(bucket: u32) -> i64 {
    if bucket < 8 {
        return i64::from(bucket);
    }
    let (power, eighth) = ((bucket + 16) / 8, (bucket + 16) % 8);
    let lower = u64::from(8 + eighth) << (power - 3);
    (lower + (1u64 << (power - 3)) - 1) as i64
}

/// The smallest bucket bound that at least `percent` of the times do not exceed.
pub(super) fn percentile(buckets: &[(u32, u64)], percent: u64) -> i64 {
    let total: u64 = buckets.iter().map(|(_, count)| count).sum();
    let rank = (total * percent).div_ceil(100);
    let mut seen = 0;
    for (bucket, count) in buckets {
        seen += count;
        if seen >= rank {
            return upper(*bucket);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_times_and_is_an_eighth_wide() {
        let mut before = None;
        for time in (0..5_000).chain([30_000_000, 86_400_000_000]) {
            let bucket = bucket(time);
            assert!(before <= Some(bucket));
            before = Some(bucket);
            assert!(
                time <= upper(bucket) && upper(bucket) <= time + time / 8,
                "{time}"
            );
        }
    }
}
