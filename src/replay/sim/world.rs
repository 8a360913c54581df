//! The demo world: twelve chargers of three vendors, two backends, exactly six things that differ on the line, and four
//! in the books. Two of the chargers fall silent after three sessions.
//!
//! Everything else in which the two backends differ is looks, identifiers or timing, and must not become a finding:
//! they number transactions differently, write JSON and times differently, and think at different speeds. Both read
//! the configuration of a 1.6 charger after its boot, the legacy first.

use std::io;
use std::time::Duration;

use tokio::task::JoinSet;

use super::backend::SimBackend;
use super::books::{Bookkeeping, evse};
use super::charger::{SimCharger, SimError, Spec};
use super::dialect::{Dialect, Hand, Mint};
use super::journal::Journal;
use super::ocpi::SimOcpi;
use super::pace::Pace;
use super::routine::{Step, Stop, Stopper};
use super::seeded::FLAWS;
pub use super::seeded::{SEEDED, SEEDED_BOOKS, Seeded, SeededBook};
use crate::ocpp::Version;

/// A tag that is blocked at the legacy and, wrongly, not at the candidate.
pub const BLOCKED_TAG: &str = "04B10C4ED0";
/// A tag as one reader sends it: with a space behind it.
pub const SPACED_TAG: &str = "04C0FFEE77 ";
/// The vendor whose messages only the legacy knows.
pub const VENDOR: &str = "org.norvik.diagnostics";
/// Tags that both backends accept.
const GOOD_TAGS: [&str; 4] = ["04A1B2C3D4", "04D15EA5E5", "04FACADE01", "04C0FFEE77"];

fn tags(blocked: &str) -> Vec<(String, String)> {
    GOOD_TAGS
        .iter()
        .map(|tag| (*tag, "Accepted"))
        .chain([(BLOCKED_TAG, blocked)])
        .map(|(tag, status)| (tag.to_owned(), status.to_owned()))
        .collect()
}

/// Two running backends.
#[derive(Debug)]
pub struct DemoWorld {
    /// The backend that runs the chargers today.
    pub legacy: SimBackend,
    /// The backend that may take over.
    pub candidate: SimBackend,
    /// The legacy's sessions and CDRs.
    pub legacy_books: SimOcpi,
    /// The candidate's sessions and CDRs.
    pub candidate_books: SimOcpi,
    seed: u64,
    speedup: u32,
}

impl DemoWorld {
    /// The legacy's dialect.
    pub fn legacy(seed: u64) -> Dialect {
        Dialect {
            prefix: "/ocpp".to_owned(),
            mint: Mint::Up(184_201),
            seed,
            tags: tags("Blocked"),
            vendors: vec![VENDOR.to_owned()],
            price: Some(35),
            ..Dialect::default()
        }
        .reads_configuration(Duration::from_millis(20))
    }

    /// The candidate's dialect: six differences that matter, and several that do not.
    pub fn candidate(seed: u64) -> Dialect {
        Dialect {
            prefix: "/v1/stations".to_owned(),
            mint: Mint::Random,
            seed: seed.wrapping_add(1),
            interval_16: 900,
            tags: tags("Accepted"),
            trims_tags: false,
            vendors: Vec::new(),
            longest_value: Some(20),
            price: Some(30),
            delay: Duration::from_millis(3),
            millis: false,
            hand: Hand {
                reversed: true,
                spaced: true,
            },
            ..Dialect::default()
        }
        .reads_configuration(Duration::from_millis(250))
    }

    /// How the legacy books.
    pub const fn legacy_bookkeeping() -> Bookkeeping {
        Bookkeeping {
            prefix: "LEG",
            price: 35,
            cuts: false,
            flaws: &[],
        }
    }

    /// How the candidate books: at the same price, which it does not show to drivers.
    pub const fn candidate_bookkeeping() -> Bookkeeping {
        Bookkeeping {
            prefix: "CAN",
            price: 35,
            cuts: true,
            flaws: FLAWS,
        }
    }

    /// Starts both backends on free loopback ports. `speedup` is how much faster than real time the chargers live: 60 in
    /// the demo. Whoever shows `token` may read the books.
    pub async fn start(seed: u64, speedup: u32, token: &str) -> io::Result<Self> {
        let legacy = SimBackend::start(Self::legacy(seed)).await?;
        let candidate = SimBackend::start(Self::candidate(seed)).await?;
        let (ours, theirs) = (Self::legacy_bookkeeping(), Self::candidate_bookkeeping());
        Ok(Self {
            legacy_books: SimOcpi::start(legacy.log(), ours, token).await?,
            candidate_books: SimOcpi::start(candidate.log(), theirs, token).await?,
            legacy,
            candidate,
            seed,
            speedup,
        })
    }

    /// Sets all twelve chargers going against `url`, a tap or a backend.
    pub fn fleet(&self, url: &str) -> Fleet {
        Fleet::start(url, self.seed, self.speedup)
    }
}

/// Every EVSE in the books, with the charger and the connector that it is.
pub fn places(seed: u64) -> Vec<(String, String, u32)> {
    let fleet = chargers(seed, Pace::new(1));
    let places = fleet.iter().flat_map(|(spec, _)| {
        (1..=spec.connectors).map(|number| {
            // In 2.0.1 each EVSE of these chargers has one connector.
            let connector = if spec.version == Version::V16 {
                number
            } else {
                1
            };
            let name = evse(&spec.identity, number.into());
            (name, spec.identity.clone(), connector)
        })
    });
    places.collect()
}

/// The twelve chargers and what each does. Within eight seconds at sixty times speed each has shown every seeded
/// divergence that it is responsible for, whatever the seed.
pub fn chargers(seed: u64, pace: Pace) -> Vec<(Spec, Vec<Step>)> {
    let [one, two, three] = [0, 1, 2].map(|index| GOOD_TAGS[index]);
    let spaced = vec![swipe(SPACED_TAG), charge(1, three, 3)];
    let blocked = vec![swipe(BLOCKED_TAG), charge(1, two, 3)];
    let both = vec![charge(1, one, 2), charge(2, two, 3)];
    let vendor = Step::Vendor {
        vendor: VENDOR.to_owned(),
        message: "temperature".to_owned(),
    };
    let fleet = [
        ("harbour-ac-01", &KERB, "3.2.1", vec![charge(1, one, 4)]),
        ("harbour-ac-02", &KERB, "3.2.1", blocked),
        ("harbour-ac-03", &KERB, "3.2.4", spaced),
        ("harbour-ac-04", &KERB, "3.2.4", both),
        ("station-ac-01", &BOX, "1.9.0", vec![charge(1, three, 3)]),
        ("station-ac-02", &BOX, "1.9.2", vec![charge(1, one, 4)]),
        (
            "station-ac-03",
            &POLE,
            "2.0.0",
            vec![vendor, charge(1, two, 3)],
        ),
        ("station-ac-04", &POLE, "2.0.0", vec![charge(1, three, 5)]),
        ("airport-dc-01", &SURGE, "7.1.0", vec![charge(1, one, 4)]),
        ("airport-dc-02", &SURGE, "7.1.0", vec![charge(1, two, 3)]),
        ("airport-dc-03", &STORM, "7.2.3", until_dark(three, 4)),
        ("airport-dc-04", &STORM, "7.2.3", until_dark(one, 4)),
    ];
    fleet
        .into_iter()
        .map(|(identity, product, firmware, steps)| {
            let spec = Spec {
                vendor: product.vendor.to_owned(),
                model: product.model.to_owned(),
                firmware: firmware.to_owned(),
                connectors: product.connectors,
                power: product.power,
                long_decimals: product.long_decimals,
                seed,
                pace,
                ..Spec::new(identity, product.version)
            };
            (spec, steps)
        })
        .collect()
}

/// A model that the fleet is made of.
struct Product {
    vendor: &'static str,
    model: &'static str,
    version: Version,
    connectors: u32,
    power: u32,
    long_decimals: bool,
}

const KERB: Product = Product {
    vendor: "Tallow",
    model: "Kerb 22",
    version: Version::V16,
    connectors: 2,
    power: 22_000,
    long_decimals: false,
};
const BOX: Product = Product {
    vendor: "Norvik",
    model: "PulseBox",
    version: Version::V16,
    connectors: 1,
    power: 11_000,
    long_decimals: true,
};
const POLE: Product = Product {
    model: "PulsePole",
    long_decimals: false,
    ..BOX
};
const SURGE: Product = Product {
    vendor: "Ostra",
    model: "Surge 150",
    version: Version::V201,
    connectors: 1,
    power: 150_000,
    long_decimals: false,
};
const STORM: Product = Product {
    model: "Surge 300",
    power: 300_000,
    ..SURGE
};

fn charge(connector: u32, tag: &str, samples: u32) -> Step {
    Step::Charge {
        connector,
        tag: tag.to_owned(),
        samples,
    }
}

fn swipe(tag: &str) -> Step {
    Step::Swipe {
        tag: tag.to_owned(),
    }
}

/// The pause between two attempts to connect for the first time.
const REDIAL: Duration = Duration::from_millis(200);

/// Three sessions, then silence.
fn until_dark(tag: &str, samples: u32) -> Vec<Step> {
    let charge = charge(1, tag, samples);
    vec![charge.clone(), charge.clone(), charge, Step::GoDark]
}

/// Twelve chargers at work.
#[derive(Debug)]
pub struct Fleet {
    stopper: Stopper,
    running: JoinSet<(String, Result<Journal, SimError>)>,
}

/// What became of a fleet: each charger's identity with its journal, or why it gave up.
pub type Outcome = Vec<(String, Result<Journal, SimError>)>;

impl Fleet {
    /// Sets all twelve chargers going against `url`.
    pub fn start(url: &str, seed: u64, speedup: u32) -> Self {
        let (stopper, stop) = Stop::pair();
        let mut running = JoinSet::new();
        for (spec, steps) in chargers(seed, Pace::new(speedup)) {
            let (url, stop) = (url.to_owned(), stop.clone());
            running.spawn(async move {
                let identity = spec.identity.clone();
                (identity, live(&url, spec, &steps, stop).await)
            });
        }
        Self { stopper, running }
    }

    /// Stops all chargers: each finishes its outstanding CALL and closes with 1000.
    pub async fn stop(mut self) -> Outcome {
        self.stopper.stop();
        let mut outcome = Vec::new();
        while let Some(ended) = self.running.join_next().await {
            match ended {
                Ok(ended) => outcome.push(ended),
                Err(error) => tracing::warn!(%error, "simulated charger failed"),
            }
        }
        outcome.sort_by(|one, two| one.0.cmp(&two.0));
        outcome
    }
}

/// Dials until it works, then lives.
async fn live(url: &str, spec: Spec, steps: &[Step], mut stop: Stop) -> Result<Journal, SimError> {
    loop {
        match SimCharger::connect(url, spec.clone()).await {
            Ok(charger) => return charger.run(steps, stop).await,
            Err(error) if error.is_lost() => {
                tracing::debug!(%error, charger = spec.identity, "simulated charger dials again");
            }
            Err(error) => return Err(error),
        }
        if stop.sleep(REDIAL).await {
            return Err(SimError::Stopped);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use serde_json::{Value, json};

    use super::super::answers::{Asked, Books, Reply};
    use super::super::link::{Arrival, arrival};
    use super::*;
    use crate::replay::sim::journal::Way;

    const PATIENCE: Duration = Duration::from_mins(1);

    /// The answer without what may differ: identifiers and times.
    fn essence(reply: Reply) -> Value {
        match reply {
            Ok(mut body) => {
                if let Some(members) = body.as_object_mut() {
                    members.remove("transactionId");
                    members.remove("currentTime");
                }
                body
            }
            Err((code, _)) => json!({ "error": code }),
        }
    }

    /// Asks both dialects the same and returns (charger, action) wherever the answers differ.
    fn differences(log: &super::super::backend::Log) -> BTreeSet<(String, String)> {
        let dialects = [DemoWorld::legacy(1), DemoWorld::candidate(1)];
        let mut books = [Books::new(1), Books::new(2)];
        let mut found = BTreeSet::new();
        for entry in log.entries() {
            let Some(Arrival::Call(call)) = arrival(&entry.text) else {
                continue;
            };
            if entry.way != Way::Received {
                continue;
            }
            let version = if entry.charger.starts_with("airport") {
                Version::V201
            } else {
                Version::V16
            };
            let [legacy, candidate] = [0, 1].map(|index| {
                essence(books[index].answer(
                    &dialects[index],
                    Asked {
                        charger: &entry.charger,
                        version,
                        action: &call.action,
                        payload: &call.payload,
                        now: 0,
                    },
                ))
            });
            // As text: with arbitrary precision two equal numbers may differ as values.
            let [legacy, candidate] = [legacy, candidate].map(|answer| answer.to_string());
            if legacy != candidate {
                found.insert((entry.charger, call.action));
            }
        }
        found
    }

    #[tokio::test]
    async fn the_backends_differ_in_the_six_seeded_things_only() {
        let world = DemoWorld::start(7, 600, "t").await.unwrap();
        let fleet = world.fleet(&world.legacy.url());
        let log = world.legacy.log();
        let expected: BTreeSet<(String, String)> = SEEDED
            .iter()
            .flat_map(|seeded| {
                seeded
                    .chargers
                    .iter()
                    .map(|charger| ((*charger).to_owned(), seeded.action.to_owned()))
            })
            .collect();
        let all_charged = |log: &super::super::backend::Log| {
            let closed = log.transactions();
            let closed = closed.iter().filter(|one| one.meter_stop.is_some());
            let mut names: Vec<_> = closed.map(|one| one.charger.clone()).collect();
            names.sort();
            names.dedup();
            names.len() == 12
        };
        assert!(log.until(PATIENCE, all_charged).await);
        for (charger, journal) in fleet.stop().await {
            let journal = journal.unwrap_or_else(|error| panic!("{charger}: {error}"));
            let calls = journal.count(Way::Sent);
            assert!(calls > 5, "{charger} sent {calls} messages");
        }
        assert_eq!(differences(&log), expected);
        assert_eq!(log.strays(), []);
    }

    #[test]
    fn the_fleet_is_twelve_chargers_of_three_vendors() {
        let fleet = chargers(1, Pace::new(60));
        let names: HashSet<_> = fleet.iter().map(|(spec, _)| &spec.identity).collect();
        let vendors: HashSet<_> = fleet.iter().map(|(spec, _)| &spec.vendor).collect();
        let old = fleet
            .iter()
            .filter(|(spec, _)| spec.version == Version::V16)
            .count();
        assert_eq!((names.len(), vendors.len(), old), (12, 3, 8));
        for seeded in SEEDED {
            assert!(
                seeded
                    .chargers
                    .iter()
                    .all(|charger| names.contains(&(*charger).to_owned()))
            );
        }
    }

    #[test]
    fn a_session_fits_into_the_first_eight_seconds() {
        // Boot jitter, then pauses between steps at their longest, in simulated seconds.
        for (spec, steps) in chargers(1, Pace::new(60)) {
            let mut seconds = 20;
            for step in &steps[..steps.len().min(2)] {
                seconds += 40;
                if let Step::Charge { samples, .. } = step {
                    seconds += u64::from(*samples) * 60;
                    break;
                }
            }
            assert!(seconds <= 420, "{} needs {seconds} s", spec.identity);
        }
    }
}
