//! What follows about a 1.6 charger's configuration from its traffic, before anybody has listed it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::evidence::Evidence;
use super::{Place, Said};
use crate::clock::Micros;

/// The measurand of a sample that names none (OCPP 1.6 section 7.31).
const ENERGY: &str = "Energy.Active.Import.Register";

/// The last sample of a place, and when the one before came.
#[derive(Debug)]
pub(super) struct Samples {
    last: Said,
    before: Option<Micros>,
}

impl Samples {
    /// The first sample of a place.
    pub(super) fn new(at: Micros, payload: &str) -> Self {
        let last = Said::new(at, payload);
        Self { last, before: None }
    }

    /// The next sample.
    pub(super) fn take(&mut self, at: Micros, payload: &str) {
        self.before = Some(self.last.at);
        self.last = Said::new(at, payload);
    }

    /// The last sample.
    pub(super) fn last(&self) -> &Said {
        &self.last
    }

    /// Seconds between the last two.
    fn interval(&self) -> Option<i64> {
        let apart = self.last.at - self.before?;
        Some((apart + 500_000) / 1_000_000).filter(|seconds| *seconds > 0)
    }
}

/// Configuration keys that follow from traffic: name, value and evidence.
pub(super) fn keys(
    booted: Option<Micros>,
    statuses: &BTreeMap<Place, Said>,
    heartbeat: Option<(i64, Micros)>,
    samples: &BTreeMap<Place, Samples>,
) -> Vec<(&'static str, String, Evidence)> {
    let mut keys = Vec::new();
    let last = statuses.last_key_value();
    // Whatever else it can, it speaks the core of 1.6.
    if let Some(at) = last.map(|(_, said)| said.at).or(booted) {
        let core = "Core".to_owned();
        keys.push(("SupportedFeatureProfiles", core, Evidence::inferred(at)));
    }
    if let Some(((_, connector), said)) = last {
        let count = (*connector).max(1).to_string();
        keys.push(("NumberOfConnectors", count, Evidence::inferred(said.at)));
    }
    if let Some((interval, at)) = heartbeat {
        let interval = interval.to_string();
        keys.push(("HeartbeatInterval", interval, Evidence::inferred(at)));
    }
    let latest = samples.values().max_by_key(|samples| samples.last.at);
    if let Some(latest) = latest {
        let evidence = Evidence::inferred(latest.last.at);
        if let Some(interval) = latest.interval() {
            keys.push(("MeterValueSampleInterval", interval.to_string(), evidence));
        }
        let measurands = measurands(&latest.last.payload);
        if !measurands.is_empty() {
            keys.push(("MeterValuesSampledData", measurands.join(","), evidence));
        }
    }
    keys
}

/// The measurands of a `MeterValues`, in the order of their first samples.
fn measurands(payload: &str) -> Vec<String> {
    let payload: Value = serde_json::from_str(payload).unwrap_or(Value::Null);
    let mut names: Vec<String> = Vec::new();
    for value in payload["meterValue"].as_array().into_iter().flatten() {
        for sample in value["sampledValue"].as_array().into_iter().flatten() {
            let name = sample["measurand"].as_str().unwrap_or(ENERGY);
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_tell_their_interval_and_measurands() {
        let payload = r#"{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"1"},
            {"value":"2","measurand":"Current.Import","phase":"L1"},
            {"value":"3","measurand":"Current.Import","phase":"L2"}]}]}"#;
        let mut samples = Samples::new(1_000_000, payload);
        samples.take(61_020_000, payload);
        let samples = BTreeMap::from([((0, 1), samples)]);
        let keys = keys(Some(1), &BTreeMap::new(), Some((300, 5)), &samples);
        let value = |name| keys.iter().find(|key| key.0 == name).unwrap().1.as_str();
        assert_eq!(value("MeterValueSampleInterval"), "60");
        assert_eq!(
            value("MeterValuesSampledData"),
            "Energy.Active.Import.Register,Current.Import"
        );
        assert_eq!(value("HeartbeatInterval"), "300");
        assert_eq!(value("SupportedFeatureProfiles"), "Core");
    }
}
