//! The migration map: what there is, by any attribute, and how well the pilot stands for it.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::decommission::{self, Check};
use crate::clock::Micros;
use crate::ledger::evidence::{Evidence, Stands};
use crate::ledger::query::{Ordered, Station};
use crate::ledger::row::{Criticality, Group, Subject, Wave};
use crate::ledger::views::rfc3339;

/// Name and version of the form.
pub const SCHEMA: &str = "evenkeel.estate/1";

/// A charger that has said nothing for so long before the last word of any is quiet, µs.
const QUIET: Micros = 86_400_000_000;

/// What chargers can be told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attribute {
    /// Who made it, in its own words.
    Vendor,
    /// Its model, in its own words.
    Model,
    /// Its firmware, in its own words.
    Firmware,
    /// The OCPP version that it speaks.
    Version,
    /// Its group.
    Group,
    /// Where it stands.
    Site,
    /// How much depends on it.
    Criticality,
    /// Whose it is.
    Customer,
}

/// What the map is drawn from, besides the evidence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Groups, in their order.
    pub groups: Vec<Group>,
    /// Waves, in their order.
    pub waves: Vec<Wave>,
    /// Names of the quirks that each charger shows.
    pub quirks: BTreeMap<String, BTreeSet<&'static str>>,
    /// What the legacy commands.
    pub ordered: Vec<Ordered>,
    /// Vendor messages that were really used.
    pub vendor: Vec<VendorMessage>,
}

/// A vendor's own message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct VendorMessage {
    /// Its `vendorId`.
    pub vendor: String,
    /// Its `messageId`; empty if it has none.
    pub message: String,
    /// `charger` or `legacy`: who sends it.
    pub sender: &'static str,
    /// How often.
    pub count: u64,
    /// On how many chargers.
    pub chargers: u64,
}

/// What `estate --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Map {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The last fact that was judged.
    pub judged: u64,
    /// Digest of the ledger.
    pub digest: String,
    /// Chargers that are listed or were seen.
    pub chargers: u64,
    /// Those that were seen.
    pub seen: u64,
    /// Groups, in their order.
    pub groups: Vec<Moving>,
    /// What the segments are by.
    pub by: Vec<Attribute>,
    /// Chargers that are alike.
    pub segments: Vec<Segment>,
    /// Chargers that say nothing.
    pub quiet: Vec<Quiet>,
    /// Vendor messages that are really used.
    pub vendor: Vec<VendorMessage>,
    /// Open findings about them: the candidate takes them otherwise than the legacy.
    pub vendor_findings: Vec<String>,
    /// Commands that the candidate did not send when the legacy did.
    pub legacy_only: Vec<LegacyOnly>,
    /// What else chargers need of the legacy by the list, and how many.
    pub depends: BTreeMap<String, u64>,
    /// How well the pilot stands for the rest; none without groups.
    pub pilot: Option<Pilot>,
    /// What must be so before the legacy can be switched off.
    pub decommission: Vec<Check>,
}

/// A group, and when it moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moving {
    /// Its name.
    pub group: String,
    /// Its wave; empty if none is planned.
    pub wave: String,
    /// The wave's day.
    pub date: String,
    /// Its chargers.
    pub chargers: u64,
    /// Those that were seen.
    pub seen: u64,
}

/// Chargers with the same attributes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Segment {
    /// The attributes, in the order of `by`; empty for what is not known.
    pub of: Vec<String>,
    /// How many chargers.
    pub chargers: u64,
    /// Those that were seen.
    pub seen: u64,
    /// What they said, by action.
    pub actions: BTreeMap<String, u64>,
    /// Oddities of theirs, with the number of chargers that show them.
    pub quirks: BTreeMap<&'static str, u64>,
}

/// A charger that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quiet {
    /// The charger.
    pub charger: String,
    /// Its group.
    pub group: String,
    /// When it spoke last, RFC 3339; none if it never did.
    pub last_seen: Option<String>,
}

/// A command that the legacy sends and the candidate does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LegacyOnly {
    /// The action.
    pub action: String,
    /// How often the candidate did not send it.
    pub missing: u64,
    /// Out of how many.
    pub of: u64,
    /// On how many chargers.
    pub chargers: u64,
    /// How many came by themselves, long after anything that a charger said: by a schedule, or by hand.
    pub unprompted: u64,
}

/// How well the pilot stands for the fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Pilot {
    /// Its groups.
    pub groups: Vec<String>,
    /// Its chargers.
    pub chargers: u64,
    /// Chargers of the fleet, the pilot's included, of a model and firmware that the pilot has.
    pub represented: u64,
    /// Chargers of the fleet of which model and firmware are known.
    pub of: u64,
    /// Models that the pilot lacks, with how many chargers.
    pub models: BTreeMap<String, u64>,
    /// Model and firmware that the pilot lacks, of models that it has.
    pub firmware: BTreeMap<String, u64>,
    /// OCPP versions that the pilot lacks.
    pub versions: BTreeMap<String, u64>,
    /// What the rest of the fleet says and the pilot has not, and how often.
    pub actions: BTreeMap<String, u64>,
}

impl Attribute {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Vendor,
        Self::Model,
        Self::Firmware,
        Self::Version,
        Self::Group,
        Self::Site,
        Self::Criticality,
        Self::Customer,
    ];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Vendor => "vendor",
            Self::Model => "model",
            Self::Firmware => "firmware",
            Self::Version => "version",
            Self::Group => "group",
            Self::Site => "site",
            Self::Criticality => "criticality",
            Self::Customer => "customer",
        }
    }

    /// The reverse of [`Attribute::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.word() == word)
    }

    fn of(self, station: &Station) -> String {
        let listed = station.listed.as_ref();
        match self {
            Self::Vendor => station.vendor.clone(),
            Self::Model => station.model.clone(),
            Self::Firmware => station.firmware.clone(),
            Self::Version => station.version.clone(),
            Self::Group => station.group.clone(),
            Self::Site => listed.map(|it| it.site.clone()).unwrap_or_default(),
            Self::Criticality => {
                let criticality = listed.and_then(|it| it.criticality);
                criticality.map_or("", Criticality::word).to_owned()
            }
            Self::Customer => listed.map(|it| it.customer.clone()).unwrap_or_default(),
        }
    }
}

/// Draws the map of all chargers. The pilot are the groups named, or those of the first wave.
pub fn draw(evidence: &Evidence, sources: Sources, by: &[Attribute], pilot: &[String]) -> Map {
    let stations = &evidence.stations;
    Map {
        schema: SCHEMA,
        judged: evidence.judged,
        digest: evidence.digest.clone(),
        chargers: stations.len() as u64,
        seen: stations.iter().filter(|it| it.is_seen).count() as u64,
        groups: groups(stations, &sources),
        by: by.to_vec(),
        segments: segments(evidence, &sources, by),
        quiet: quiet(stations),
        legacy_only: legacy_only(&sources.ordered),
        depends: depends(stations),
        pilot: represent(evidence, &sources, pilot),
        decommission: decommission::checks(evidence),
        vendor_findings: vendor_findings(evidence),
        vendor: sources.vendor,
    }
}

fn groups(stations: &[Station], sources: &Sources) -> Vec<Moving> {
    let mut moving: Vec<Moving> = (sources.groups.iter())
        .map(|group| {
            let wave = sources.waves.iter().find(|wave| wave.name == group.wave);
            Moving {
                group: group.name.clone(),
                wave: group.wave.clone(),
                date: wave.map(|wave| wave.date.clone()).unwrap_or_default(),
                chargers: 0,
                seen: 0,
            }
        })
        .collect();
    for station in stations {
        let place = moving.iter().position(|it| it.group == station.group);
        let place = place.unwrap_or_else(|| {
            moving.push(Moving {
                group: station.group.clone(),
                wave: String::new(),
                date: String::new(),
                chargers: 0,
                seen: 0,
            });
            moving.len() - 1
        });
        moving[place].chargers += 1;
        moving[place].seen += u64::from(station.is_seen);
    }
    moving
}

fn segments(evidence: &Evidence, sources: &Sources, by: &[Attribute]) -> Vec<Segment> {
    let mut segments: BTreeMap<Vec<String>, Segment> = BTreeMap::new();
    let mut homes: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for station in &evidence.stations {
        let of: Vec<String> = by.iter().map(|attribute| attribute.of(station)).collect();
        let segment = segments.entry(of.clone()).or_default();
        segment.chargers += 1;
        segment.seen += u64::from(station.is_seen);
        for quirk in sources.quirks.get(&station.charger).into_iter().flatten() {
            *segment.quirks.entry(quirk).or_default() += 1;
        }
        homes.insert(&station.charger, of);
    }
    for tally in evidence
        .tallies
        .iter()
        .filter(|it| it.subject == Subject::Exchange)
    {
        let home = homes.get(tally.charger.as_str());
        if let Some(segment) = home.and_then(|of| segments.get_mut(of)) {
            *segment.actions.entry(tally.action.clone()).or_default() += tally.count;
        }
    }
    let mut listed: Vec<Segment> = (segments.into_iter())
        .map(|(of, segment)| Segment { of, ..segment })
        .collect();
    listed.sort_by_key(|segment| std::cmp::Reverse(segment.chargers));
    listed
}

fn quiet(stations: &[Station]) -> Vec<Quiet> {
    let last = stations.iter().filter_map(|it| it.last_seen).max();
    let since = last.map_or(Micros::MIN, |last| last - QUIET);
    let quiet = stations
        .iter()
        .filter(|it| it.last_seen.is_none_or(|last| last < since));
    quiet
        .map(|station| Quiet {
            charger: station.charger.clone(),
            group: station.group.clone(),
            last_seen: station.last_seen.map(rfc3339),
        })
        .collect()
}

fn legacy_only(ordered: &[Ordered]) -> Vec<LegacyOnly> {
    let missing = ordered.iter().filter(|it| it.missing > 0);
    missing
        .map(|it| LegacyOnly {
            action: it.action.clone(),
            missing: it.missing,
            of: it.count,
            chargers: it.chargers,
            unprompted: it.unprompted,
        })
        .collect()
}

fn depends(stations: &[Station]) -> BTreeMap<String, u64> {
    let mut depends = BTreeMap::new();
    for it in stations
        .iter()
        .filter_map(|it| it.listed.as_ref())
        .flat_map(|it| &it.depends)
    {
        *depends.entry(it.clone()).or_default() += 1;
    }
    depends
}

fn represent(evidence: &Evidence, sources: &Sources, named: &[String]) -> Option<Pilot> {
    let first = sources.waves.iter().min_by(|a, b| a.date.cmp(&b.date));
    let groups: Vec<String> = if named.is_empty() {
        let of_first = sources
            .groups
            .iter()
            .filter(|it| first.is_some_and(|wave| wave.name == it.wave));
        of_first.map(|it| it.name.clone()).collect()
    } else {
        named.to_vec()
    };
    if groups.is_empty() {
        return None;
    }
    let (own, rest): (Vec<&Station>, Vec<&Station>) = evidence
        .stations
        .iter()
        .partition(|it| groups.contains(&it.group));
    let kind = |it: &Station| (it.model.clone(), it.firmware.clone());
    let models: BTreeSet<&str> = own.iter().map(|it| it.model.as_str()).collect();
    let kinds: BTreeSet<_> = own.iter().map(|it| kind(it)).collect();
    let versions: BTreeSet<&str> = own.iter().map(|it| it.version.as_str()).collect();
    let mut pilot = Pilot {
        chargers: own.len() as u64,
        of: evidence
            .stations
            .iter()
            .filter(|it| !it.model.is_empty())
            .count() as u64,
        represented: own.iter().filter(|it| !it.model.is_empty()).count() as u64,
        groups,
        ..Pilot::default()
    };
    for station in rest.iter().filter(|it| !it.model.is_empty()) {
        if !models.contains(station.model.as_str()) {
            *pilot.models.entry(station.model.clone()).or_default() += 1;
        } else if kinds.contains(&kind(station)) {
            pilot.represented += 1;
        } else {
            let name = format!("{} {}", station.model, station.firmware);
            *pilot.firmware.entry(name).or_default() += 1;
        }
    }
    for station in rest.iter().filter(|it| !it.version.is_empty()) {
        if !versions.contains(station.version.as_str()) {
            *pilot.versions.entry(station.version.clone()).or_default() += 1;
        }
    }
    let own: BTreeSet<&str> = own.iter().map(|it| it.charger.as_str()).collect();
    let said = || {
        evidence
            .tallies
            .iter()
            .filter(|it| it.subject == Subject::Exchange)
    };
    let (ours, theirs): (Vec<_>, Vec<_>) = said().partition(|it| own.contains(it.charger.as_str()));
    let exercised: BTreeSet<&str> = ours.iter().map(|it| it.action.as_str()).collect();
    for tally in theirs
        .iter()
        .filter(|it| !exercised.contains(it.action.as_str()))
    {
        *pilot.actions.entry(tally.action.clone()).or_default() += tally.count;
    }
    Some(pilot)
}

/// Open findings about vendor messages: the candidate takes them otherwise than the legacy.
fn vendor_findings(evidence: &Evidence) -> Vec<String> {
    let open = evidence.findings.iter().filter(|it| {
        it.action == "DataTransfer" && !matches!(it.stands, Stands::Gone | Stands::Apart)
    });
    open.map(|it| it.id.clone()).collect()
}
