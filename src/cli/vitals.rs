//! What the tap's health endpoint tells.

use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use serde::Deserialize as _;
use serde_json::{Value, json};

use super::gauges;
use super::health::Vitals;
use crate::clock::Micros;
use crate::live::Metrics;
use crate::live::metrics::Offers;

/// The shadow plane says how it is every second; one that has said nothing for so long, µs, is not well.
const LONGEST_SILENCE: Micros = 5_000_000;

/// Where the status line has what the monitors counted: for metrics only.
const MONITORS: &str = "monitors";

/// Reads the live plane's counters and the shadow plane's latest status line.
pub struct TapVitals {
    metrics: Arc<Metrics>,
    registry: Registry,
}

impl TapVitals {
    /// Vitals of the plane that counts in `metrics`.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        let mut registry = Registry::with_prefix("evenkeel");
        registry.register_collector(Box::new(Planes(Arc::clone(&metrics))));
        Self { metrics, registry }
    }
}

impl Vitals for TapVitals {
    fn metrics(&self) -> String {
        let mut text = String::new();
        // Writing into a string cannot fail; an empty scrape would be noticed.
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }

    fn health(&self) -> (bool, String) {
        let mut shadow = shadow(&self.metrics);
        if let Some(status) = shadow.as_object_mut() {
            status.remove(MONITORS);
        }
        let breaches = self.metrics.breaches.get();
        let recording = shadow["state"] == "recording";
        // A shadow plane that hangs says nothing bad: it says nothing.
        let silence = self.metrics.shadow_silence();
        let awake = silence.is_some_and(|silence| silence < LONGEST_SILENCE);
        let well = breaches == 0 && recording && awake;
        let body = json!({
            "schema": "evenkeel.health/1",
            "ok": well,
            "live": {
                "open": self.metrics.open.get(),
                "breaches": breaches,
                "lost_frames": self.metrics.lost.get(),
                "shadow_restarts": self.metrics.shadow_restarts.get(),
            },
            "shadow": shadow,
            "shadow_silence_us": silence,
        });
        (well, format!("{body}\n"))
    }
}

fn shadow(metrics: &Metrics) -> Value {
    serde_json::from_str(&metrics.shadow_status()).unwrap_or(Value::Null)
}

/// The counters of both planes as Prometheus metrics, read when scraped.
#[derive(Debug)]
struct Planes(Arc<Metrics>);

impl Collector for Planes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let live = &self.0;
        for (name, help, value) in [
            (
                "connections_open",
                "Charger connections open now",
                live.open.get(),
            ),
            (
                "connections_pending",
                "Chargers waiting for their authority's answer",
                live.pending.get(),
            ),
        ] {
            gauge(&mut encoder, name, help, value)?;
        }
        for (name, help, value) in [
            (
                "connections_accepted",
                "Chargers accepted by their authority",
                live.accepted.get(),
            ),
            (
                "connections_refused",
                "Chargers refused or given up",
                live.refused.get(),
            ),
            (
                "connections_unlisted",
                "Chargers among them that the tap itself turned away, because they are not on its list",
                live.unlisted.get(),
            ),
            (
                "frames_seen",
                "WebSocket frames seen, both directions",
                live.frames.get(),
            ),
            (
                "frames_lost",
                "Frames that the live plane could not hand over",
                live.lost.get(),
            ),
            (
                "bytes_forwarded",
                "Bytes forwarded, both directions",
                live.bytes.get(),
            ),
            ("gaps", "Gaps told to the shadow plane", live.gaps.get()),
            (
                "shadow_restarts",
                "Times the shadow plane was started again",
                live.shadow_restarts.get(),
            ),
            (
                "goodbyes",
                "Chargers that were asked to connect again, because they belong to the other backend now",
                live.goodbyes.get(),
            ),
            ("accept_errors", "Failed accepts", live.accept_errors.get()),
            (
                "containment_breaches",
                "Connections on which the tap altered a byte",
                live.breaches.get(),
            ),
        ] {
            counter(&mut encoder, name, help, value)?;
        }
        encode_offers(&live.offers, &mut encoder)?;
        let shadow = shadow(live);
        encode_shadow(&shadow, &mut encoder)?;
        readers(&shadow["readers"], &mut encoder)?;
        let monitors = Vec::<gauges::Told>::deserialize(&shadow[MONITORS]);
        // A shadow plane that is away tells nothing.
        gauges::encode(&monitors.unwrap_or_default(), &mut encoder)
    }
}

/// What the shadow plane counts; one that is away tells nothing.
fn encode_shadow(
    shadow: &Value,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), std::fmt::Error> {
    for (key, name, help) in [
        ("seen", "facts_seen", "Facts given to the recorder"),
        ("committed", "facts_committed", "Facts synced to disk"),
        (
            "lost_frames",
            "recorder_frames_lost",
            "Frames that the recorder could not take",
        ),
    ] {
        if let Some(value) = shadow[key].as_u64() {
            counter(encoder, name, help, value)?;
        }
    }
    for (key, name, help) in [
        ("/queued", "facts_queued", "Facts waiting for the disk"),
        ("/legs/legs", "shadow_legs", "Shadow legs"),
        (
            "/legs/moved",
            "chargers_moved",
            "Chargers that do not belong to the configured authority any more",
        ),
        (
            "/legs/mediated",
            "chargers_mediated",
            "Chargers that go on with something which their authority names otherwise",
        ),
    ] {
        if let Some(value) = shadow.pointer(key).and_then(Value::as_u64) {
            gauge(encoder, name, help, value)?;
        }
    }
    if let Some(untold) = shadow.pointer("/legs/untold").and_then(Value::as_u64) {
        let help = "Messages that a backend was owed when it became the authority, and never got";
        counter(encoder, "messages_untold", help, untold)?;
    }
    Ok(())
}

/// What each reader of the backends' books has done.
fn readers(told: &Value, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
    let Some(told) = told.as_array().filter(|told| !told.is_empty()) else {
        return Ok(());
    };
    let labels = |reader: &Value| {
        ["leg", "reader"].map(|key| {
            let value = reader[key].as_str().unwrap_or_default();
            (key, value.to_owned())
        })
    };
    for (key, help) in [
        (
            "requests",
            "Requests of a reader, each try of one; for a sink, requests to it",
        ),
        (
            "failures",
            "Those without an answer, or with one that says no",
        ),
        ("pages", "Pages with records on them"),
        ("records", "Records recorded: new ones and changed ones"),
        ("passes", "Passes that reached their end"),
        ("broken", "Passes that broke off"),
    ] {
        let counter = ConstCounter::new(0_u64);
        let name = format!("reader_{key}");
        let mut family = encoder.encode_descriptor(&name, help, None, counter.metric_type())?;
        for reader in told {
            let counter = ConstCounter::new(reader[key].as_u64().unwrap_or(0));
            counter.encode(family.encode_family(&labels(reader))?)?;
        }
    }
    let gauge = ConstGauge::new(0.0);
    let help = "How long ago a pass reached its end, or a push was taken";
    let mut family = encoder.encode_descriptor(
        "reader_success_age_seconds",
        help,
        None,
        gauge.metric_type(),
    )?;
    for reader in told {
        // One that has had no success yet has no age.
        if let Some(age) = reader["success_age_us"].as_u64() {
            let gauge = ConstGauge::new(age as f64 / 1e6);
            gauge.encode(family.encode_family(&labels(reader))?)?;
        }
    }
    Ok(())
}

/// What chargers offer where the tap ends TLS.
fn encode_offers(
    offers: &Offers,
    encoder: &mut DescriptorEncoder<'_>,
) -> Result<(), std::fmt::Error> {
    for (name, help, value) in [
        (
            "tls_offers_1_3",
            "Chargers that began TLS with cipher suites of 1.3",
            offers.tls13.get(),
        ),
        (
            "tls_offers_1_2",
            "Chargers that began TLS with cipher suites of 1.2 at best",
            offers.tls12.get(),
        ),
        (
            "tls_offers_older",
            "Chargers that began TLS with older cipher suites only",
            offers.older.get(),
        ),
        (
            "tls_offers_only_rsa",
            "Chargers among them that know only RSA key exchange",
            offers.only_rsa.get(),
        ),
        (
            "tls_locked_out",
            "Chargers among them that share no cipher suite with the tap",
            offers.locked_out.get(),
        ),
    ] {
        counter(encoder, name, help, value)?;
    }
    Ok(())
}

fn counter(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> Result<(), std::fmt::Error> {
    let metric = ConstCounter::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    value: u64,
) -> Result<(), std::fmt::Error> {
    let metric = ConstGauge::new(value as i64);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}
