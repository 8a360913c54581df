//! Whether the instrument can be trusted: what it lost, what it made up, and whether it touched anything.

use serde::Serialize;

use super::{ReportError, World};
use crate::ledger::views::{Diffs, StandIns};

/// The health of the instrument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Whether every frame is recorded or inside a gap, and every byte reached its peer as it was sent.
    pub whole: bool,
    /// Connections of chargers.
    pub connections: u64,
    /// Frames that were seen in connections that ended.
    pub frames_seen: u64,
    /// Frames that were recorded.
    pub frames_recorded: u64,
    /// Frames that were lost, each inside a gap.
    pub frames_in_gaps: u64,
    /// Gaps.
    pub gaps: u64,
    /// Bytes that reached their peer exactly as sent.
    pub contained_bytes: u64,
    /// Connections that do not add up.
    pub broken: u64,
    /// How often the tap was started.
    pub starts: u64,
    /// Notes of people, in one chain.
    pub notes: u64,
    /// Whether that chain holds.
    pub chain_holds: bool,
    /// Hash of its last note.
    pub chain_head: String,
    /// Answers given to the shadow in the chargers' place.
    pub stand_in: Vec<StandIns>,
    /// Oddities of chargers that are nobody's fault.
    pub quirks: Vec<Odd>,
    /// Answer times by action.
    pub times: Vec<Times>,
}

/// An oddity of chargers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Odd {
    /// Its row in the catalogue.
    pub row: u8,
    /// Its name.
    pub name: &'static str,
    /// How often.
    pub count: u64,
    /// On how many chargers.
    pub chargers: u64,
}

/// Answer times of one action, µs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// The action.
    pub action: String,
    /// Median and 95th percentile of the authority's answers.
    pub authority: Option<[i64; 2]>,
    /// Of the shadow's.
    pub shadow: Option<[i64; 2]>,
    /// Of how long copies waited in the tap.
    pub queue: Option<[i64; 2]>,
}

impl Health {
    pub(super) fn of(world: &World<'_>, diffs: &Diffs) -> Result<Self, ReportError> {
        let accounting = &world.survey.accounting;
        let chain = &world.survey.chain;
        let quirks = diffs.quirks.iter().map(|quirk| Odd {
            row: quirk.row,
            name: quirk.name,
            count: quirk.count,
            chargers: quirk.chargers.len() as u64,
        });
        Ok(Self {
            whole: accounting.broken.is_empty(),
            connections: accounting.connections,
            frames_seen: accounting.seen,
            frames_recorded: accounting.recorded,
            frames_in_gaps: accounting.in_gaps,
            gaps: accounting.gaps,
            contained_bytes: accounting.contained_bytes,
            broken: accounting.broken.len() as u64,
            starts: world.survey.starts,
            notes: chain.notes,
            chain_holds: chain.broken.is_none(),
            chain_head: chain.head.clone(),
            stand_in: diffs.stand_in.clone(),
            quirks: quirks.collect(),
            times: times(world)?,
        })
    }
}

fn times(world: &World<'_>) -> Result<Vec<Times>, ReportError> {
    let mut times: Vec<Times> = Vec::new();
    for latency in world.ledger.latencies()? {
        if times
            .last()
            .is_none_or(|last| last.action != latency.action)
        {
            times.push(Times {
                action: latency.action.clone(),
                ..Times::default()
            });
        }
        let Some(last) = times.last_mut() else {
            continue;
        };
        let told = Some([latency.p50, latency.p95]);
        match latency.what.as_str() {
            "authority" => last.authority = told,
            "shadow" => last.shadow = told,
            _ => last.queue = told,
        }
    }
    Ok(times)
}
