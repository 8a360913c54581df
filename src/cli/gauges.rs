//! Monitors as Prometheus metrics: added up by the judge of a running tap, told to the live plane with its status, encoded
//! when scraped. Chargers of all models together: a status line is short, and a model is foreign text.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use serde::{Deserialize, Serialize};

use crate::ledger::monitors::percentiles;
use crate::ledger::row::{Row, Sample};

/// How many series a status line carries at most.
const MOST: usize = 400;

/// One series, as the shadow plane tells it: monitor, leg, what, detail, count, and median and 99th percentile if it is
/// measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told(String, String, String, String, u64, Option<(i64, i64)>);

/// Monitor, what was counted, leg, detail.
type Key = (String, String, String, String);

/// What the monitors of a recording have counted.
#[derive(Debug, Default)]
struct Sums {
    counts: BTreeMap<Key, u64>,
    buckets: BTreeMap<Key, BTreeMap<u32, u64>>,
}

/// What is added up by one thread and told by another.
#[derive(Debug, Clone, Default)]
pub struct Totals(Arc<Mutex<Sums>>);

impl Totals {
    /// Forgets everything: the judge begins again from the first fact.
    pub fn clear(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Sums::default();
    }

    /// Adds what monitors counted.
    pub fn add(&self, rows: &[Row]) {
        let samples = rows.iter().filter_map(|row| match row {
            Row::Sample(sample) => Some(sample),
            _ => None,
        });
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        samples.for_each(|sample| sums.add(sample));
    }

    /// What there is, for the status line.
    pub fn told(&self) -> Vec<Told> {
        let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let told = sums.counts.iter().take(MOST).map(|(key, count)| {
            let buckets = sums.buckets.get(key).map(|buckets| {
                let buckets: Vec<_> = buckets.iter().map(|(at, count)| (*at, *count)).collect();
                let measured = percentiles(&buckets);
                (measured.p50, measured.p99)
            });
            let (monitor, what, leg, detail) = key.clone();
            Told(monitor, leg, what, detail, *count, buckets)
        });
        told.collect()
    }
}

impl Sums {
    fn add(&mut self, sample: &Sample) {
        let key = (
            sample.monitor.to_string(),
            sample.what.to_string(),
            sample.leg.to_string(),
            sample.detail.to_string(),
        );
        if let Some(bucket) = sample.bucket {
            let buckets = self.buckets.entry(key.clone()).or_default();
            *buckets.entry(bucket).or_default() += sample.count;
        }
        *self.counts.entry(key).or_default() += sample.count;
    }
}

/// Encodes what a status line told. Series with one name stand together, as the format asks.
pub fn encode(told: &[Told], encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
    let mut at = told;
    while let [first, ..] = at {
        let same = at
            .iter()
            .take_while(|it| (&it.0, &it.2) == (&first.0, &first.2))
            .count();
        let (series, rest) = at.split_at(same);
        family(series, encoder)?;
        at = rest;
    }
    Ok(())
}

fn family(series: &[Told], encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
    let [Told(monitor, _, what, _, _, measured), ..] = series else {
        return Ok(());
    };
    let (name, unit) = name(monitor, what);
    let help = format!(
        "Monitor {monitor}: {}",
        what.trim_end_matches("_us").replace('_', " ")
    );
    if measured.is_some() {
        let gauge = ConstGauge::new(0.0);
        let mut family = encoder.encode_descriptor(&name, &help, None, gauge.metric_type())?;
        for Told(_, leg, _, detail, _, values) in series {
            let (p50, p99) = values.unwrap_or_default();
            for (quantile, value) in [("0.5", p50), ("0.99", p99)] {
                let labels = labels(leg, detail, Some(quantile));
                let gauge = ConstGauge::new(value as f64 / unit);
                gauge.encode(family.encode_family(&labels)?)?;
            }
        }
        return Ok(());
    }
    let counter = ConstCounter::new(0.0);
    let mut family = encoder.encode_descriptor(&name, &help, None, counter.metric_type())?;
    for Told(_, leg, _, detail, count, _) in series {
        let labels = labels(leg, detail, None);
        let counter = ConstCounter::new(*count as f64 / unit);
        counter.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

/// The metric's name with its unit, and how many of the monitor's unit are one of the metric's.
fn name(monitor: &str, what: &str) -> (String, f64) {
    let (what, unit, scale) = match what.strip_suffix("_us") {
        Some(what) => (what, "_seconds", 1e6),
        None => (what, "", 1.0),
    };
    let name = format!("monitor_{monitor}_{what}{unit}");
    (name.replace(['-', ' '], "_"), scale)
}

fn labels(leg: &str, detail: &str, quantile: Option<&str>) -> Vec<(String, String)> {
    let pairs = [
        ("group", "all"),
        ("leg", leg),
        ("detail", detail),
        ("quantile", quantile.unwrap_or_default()),
    ];
    let told = pairs.into_iter().filter(|(_, value)| !value.is_empty());
    told.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use prometheus_client::collector::Collector;
    use prometheus_client::registry::Registry;

    use super::*;

    fn sample(monitor: &'static str, what: &'static str, bucket: Option<u32>, count: u64) -> Row {
        Row::Sample(Sample {
            hour: 0,
            group: "all".into(),
            model: "M".to_owned(),
            monitor: monitor.into(),
            leg: "".into(),
            what: what.into(),
            detail: "".into(),
            bucket,
            count,
        })
    }

    #[derive(Debug)]
    struct Fixed(Vec<Told>);

    impl Collector for Fixed {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
            encode(&self.0, &mut encoder)
        }
    }

    #[test]
    fn metrics_have_units_in_their_names() {
        let totals = Totals::default();
        totals.add(&[
            sample("availability", "available_us", None, 90_000_000),
            sample("reconnects", "gap_us", Some(3), 2),
            sample("reconnects", "connects", None, 2),
            sample("reconnects", "connects", None, 3),
        ]);
        let line = serde_json::to_string(&totals.told()).unwrap();
        let mut registry = Registry::with_prefix("evenkeel");
        let told = serde_json::from_str(&line).unwrap();
        registry.register_collector(Box::new(Fixed(told)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        for line in [
            "evenkeel_monitor_availability_available_seconds_total{group=\"all\"} 90.0",
            "evenkeel_monitor_reconnects_connects_total{group=\"all\"} 5.0",
            "evenkeel_monitor_reconnects_gap_seconds{group=\"all\",quantile=\"0.5\"} 0.000003",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
