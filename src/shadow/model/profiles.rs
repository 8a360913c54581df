//! Charging profiles that the authority left with a charger, and composite schedules that the charger worked out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::evidence::{Evidence, Source};
use super::status;
use crate::clock::Micros;
use crate::ocpp::Version;

/// How many profiles, and how many schedules, are remembered.
const MOST_PROFILES: usize = 256;
const MOST_SCHEDULES: usize = 64;

/// What is known of a charger's smart charging.
#[derive(Debug, Default)]
pub struct Profiles {
    /// By the authority's id.
    held: BTreeMap<i64, Held>,
    /// By connector (EVSE) and unit as asked.
    schedules: BTreeMap<(i64, Box<str>), Schedule>,
}

#[derive(Debug)]
struct Held {
    place: Option<i64>,
    purpose: Box<str>,
    level: Option<i64>,
    source: Source,
}

#[derive(Debug)]
struct Schedule {
    seconds: i64,
    answer: Box<str>,
    source: Source,
}

/// Which profiles a `ClearChargingProfile` means: those that fit everything it names.
struct Filter {
    id: Option<i64>,
    place: Option<i64>,
    purpose: Option<Box<str>>,
    level: Option<i64>,
}

impl Profiles {
    /// Learns from a `SetChargingProfile` and its answer. Says whether something is different now.
    pub fn set(&mut self, version: Version, request: &str, answer: &str, source: Source) -> bool {
        let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
        let (profile, id, place) = match version {
            Version::V16 => {
                let profile = &request["csChargingProfiles"];
                (
                    profile,
                    &profile["chargingProfileId"],
                    &request["connectorId"],
                )
            }
            Version::V201 | Version::V21 => {
                let profile = &request["chargingProfile"];
                (profile, &profile["id"], &request["evseId"])
            }
        };
        let (Some(id), Some("Accepted")) = (id.as_i64(), status(answer)) else {
            return false;
        };
        self.schedules.clear();
        if self.held.len() < MOST_PROFILES || self.held.contains_key(&id) {
            let held = Held {
                place: place.as_i64(),
                purpose: profile["chargingProfilePurpose"]
                    .as_str()
                    .unwrap_or_default()
                    .into(),
                level: profile["stackLevel"].as_i64(),
                source,
            };
            self.held.insert(id, held);
        }
        true
    }

    /// Learns from a `ClearChargingProfile` and its answer. Says whether something is different now.
    pub fn cleared(&mut self, version: Version, request: &str, answer: &str) -> bool {
        if status(answer) != Some("Accepted") {
            return false;
        }
        let filter = Filter::read(version, request);
        self.schedules.clear();
        let before = self.held.len();
        self.held.retain(|id, held| !filter.fits(*id, held));
        self.held.len() != before
    }

    /// Whether a command that names no profile would clear one of the authority's: then `Unknown` would be false.
    pub fn would_clear(&self, version: Version, request: &str) -> Option<Evidence> {
        let filter = Filter::read(version, request);
        if filter.id.is_some() {
            return None;
        }
        let fitting = self
            .held
            .iter()
            .filter(|(id, held)| filter.fits(**id, held));
        Evidence::all(fitting.map(|(_, held)| held.source.evidence))
    }

    /// Learns from a `GetCompositeSchedule` and its answer. Says whether something is different now.
    pub fn scheduled(&mut self, request: &str, answer: &str, source: Source) -> bool {
        let Some((place, seconds)) = asked(request).filter(|_| status(answer) == Some("Accepted"))
        else {
            return false;
        };
        if self.schedules.len() < MOST_SCHEDULES || self.schedules.contains_key(&place) {
            let answer = answer.into();
            self.schedules.insert(
                place,
                Schedule {
                    seconds,
                    answer,
                    source,
                },
            );
        }
        true
    }

    /// The charger's own answer to the same question, while the time that it covers is not over.
    pub fn schedule(&self, request: &str, now: Micros) -> Option<(&str, Evidence)> {
        let (place, seconds) = asked(request)?;
        let known = self.schedules.get(&place)?;
        let age = now - known.source.evidence.at;
        let fresh = seconds <= known.seconds && age < known.seconds.saturating_mul(1_000_000);
        fresh.then_some((&known.answer, known.source.evidence))
    }

    /// The authority's ids of profiles that the charger holds by themselves: those of a transaction go with it.
    pub fn lasting(&self) -> impl Iterator<Item = i64> {
        let held = self.held.iter();
        held.filter(|(_, held)| &*held.purpose != "TxProfile")
            .map(|(id, _)| *id)
    }

    /// The facts that teach what is known.
    pub fn facts(&self) -> impl Iterator<Item = u64> {
        let held = self.held.values().map(|held| held.source);
        let schedules = self.schedules.values().map(|schedule| schedule.source);
        held.chain(schedules).flat_map(|source| source.facts)
    }
}

/// What a `GetCompositeSchedule` asks for: place and unit, and for how many seconds.
fn asked(request: &str) -> Option<((i64, Box<str>), i64)> {
    let request: Value = serde_json::from_str(request).ok()?;
    let place = request["connectorId"]
        .as_i64()
        .or(request["evseId"].as_i64())?;
    let unit = request["chargingRateUnit"].as_str().unwrap_or_default();
    Some(((place, unit.into()), request["duration"].as_i64()?))
}

impl Filter {
    fn read(version: Version, request: &str) -> Self {
        let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
        let (id, place, by) = match version {
            Version::V16 => ("id", "connectorId", &request),
            Version::V201 | Version::V21 => (
                "chargingProfileId",
                "evseId",
                &request["chargingProfileCriteria"],
            ),
        };
        Self {
            id: request[id].as_i64(),
            place: by[place].as_i64(),
            purpose: by["chargingProfilePurpose"].as_str().map(Into::into),
            level: by["stackLevel"].as_i64(),
        }
    }

    fn fits(&self, id: i64, held: &Held) -> bool {
        self.id.is_none_or(|asked| asked == id)
            && self.place.is_none_or(|asked| held.place == Some(asked))
            && self
                .purpose
                .as_ref()
                .is_none_or(|asked| *asked == held.purpose)
            && self.level.is_none_or(|asked| held.level == Some(asked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCEPTED: &str = r#"{"status":"Accepted"}"#;

    #[test]
    fn a_broad_filter_hits_the_authoritys_profiles() {
        let mut profiles = Profiles::default();
        let set = r#"{"connectorId":1,"csChargingProfiles":{"chargingProfileId":4,"stackLevel":2,"chargingProfilePurpose":"TxDefaultProfile"}}"#;
        let source = Source::learned(5, [1, 2]);
        assert!(profiles.set(Version::V16, set, ACCEPTED, source));
        let hits = |request: &str| profiles.would_clear(Version::V16, request).is_some();
        assert!(hits("{}") && hits(r#"{"connectorId":1,"stackLevel":2}"#));
        assert!(!hits(r#"{"id":4}"#), "an id is the shadow's own");
        assert!(!hits(r#"{"connectorId":2}"#));
        assert!(profiles.cleared(
            Version::V16,
            r#"{"chargingProfilePurpose":"TxDefaultProfile"}"#,
            ACCEPTED
        ));
        assert_eq!(profiles.would_clear(Version::V16, "{}"), None);
    }

    #[test]
    fn a_schedule_holds_for_its_duration() {
        let mut profiles = Profiles::default();
        let ask = |seconds: i64| format!(r#"{{"connectorId":1,"duration":{seconds}}}"#);
        profiles.scheduled(&ask(60), ACCEPTED, Source::learned(0, [1, 2]));
        assert!(profiles.schedule(&ask(60), 59_999_999).is_some());
        assert!(profiles.schedule(&ask(60), 60_000_000).is_none());
        assert!(
            profiles.schedule(&ask(61), 0).is_none(),
            "longer than what is known"
        );
        profiles.cleared(Version::V16, "{}", ACCEPTED);
        assert!(profiles.schedule(&ask(60), 0).is_none());
    }
}
