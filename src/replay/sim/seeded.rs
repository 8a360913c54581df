//! What differs in the demo world on purpose: on the line, and in the books.

use super::books::{Flaw, Flawed};

/// A divergence that is built into the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seeded {
    /// A short name.
    pub name: &'static str,
    /// Its severity.
    pub severity: &'static str,
    /// The action in whose answer it shows.
    pub action: &'static str,
    /// The JSON pointer into the answer; empty when the answers differ as a whole.
    pub path: &'static str,
    /// Which chargers show it.
    pub chargers: &'static [&'static str],
    /// What a finding says.
    pub says: &'static str,
}

/// The six things that differ, and the only ones.
pub const SEEDED: [Seeded; 6] = [
    Seeded {
        name: "heartbeat interval",
        severity: "S3",
        action: "BootNotification",
        path: "/interval",
        chargers: &[
            "harbour-ac-01",
            "harbour-ac-02",
            "harbour-ac-03",
            "harbour-ac-04",
            "station-ac-01",
            "station-ac-02",
            "station-ac-03",
            "station-ac-04",
        ],
        says: "legacy 300, candidate 900 (1.6 only)",
    },
    Seeded {
        name: "blocked tag accepted",
        severity: "S1",
        action: "Authorize",
        path: "/idTagInfo/status",
        chargers: &["harbour-ac-02"],
        says: "legacy Blocked, candidate Accepted",
    },
    Seeded {
        name: "tag with a trailing space refused",
        severity: "S1",
        action: "Authorize",
        path: "/idTagInfo/status",
        chargers: &["harbour-ac-03"],
        says: "legacy Accepted, candidate Invalid",
    },
    Seeded {
        name: "vendor message unknown",
        severity: "S3",
        action: "DataTransfer",
        path: "/status",
        chargers: &["station-ac-03"],
        says: "legacy Accepted, candidate UnknownVendorId",
    },
    Seeded {
        name: "meter values refused",
        severity: "S2",
        action: "MeterValues",
        path: "",
        chargers: &["station-ac-01", "station-ac-02"],
        says: "legacy answers, candidate TypeConstraintViolation (PulseBox writes a long tail of zeros)",
    },
    Seeded {
        name: "price differs",
        severity: "S2",
        action: "TransactionEvent",
        path: "/totalCost",
        chargers: &[
            "airport-dc-01",
            "airport-dc-02",
            "airport-dc-03",
            "airport-dc-04",
        ],
        says: "legacy 0.35 per kWh, candidate 0.30",
    },
];

/// An error that the candidate makes in its CDRs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeededBook {
    /// The name of the error: the finding's kind.
    pub kind: &'static str,
    /// Its severity.
    pub severity: &'static str,
    /// The member of the CDR in which it shows; empty when the whole is missing.
    pub path: &'static str,
    /// The chargers that show it; empty where it takes many sessions together.
    pub chargers: &'static [&'static str],
    /// What a finding says.
    pub says: &'static str,
}

/// The four things that differ in the books, and the only ones.
pub const SEEDED_BOOKS: [SeededBook; 4] = [
    SeededBook {
        kind: "wh-for-kwh",
        severity: "S2",
        path: "/energy",
        chargers: &["station-ac-04"],
        says: "the candidate books Wh as kWh",
    },
    SeededBook {
        kind: "time-zone",
        severity: "S2",
        path: "/start",
        chargers: &["station-ac-03"],
        says: "the candidate's times are an hour ahead",
    },
    SeededBook {
        kind: "missing-cdr",
        severity: "S2",
        path: "",
        chargers: &["harbour-ac-04"],
        says: "the candidate has no CDR of the second connector's sessions",
    },
    SeededBook {
        kind: "floor-for-round",
        severity: "S2",
        path: "/total_cost",
        chargers: &[],
        says: "the candidate cuts costs off after two decimals: below a cent each time, and always down",
    },
];

/// Where the candidate's bookkeeping goes wrong.
pub(super) const FLAWS: &[Flawed] = &[
    Flawed {
        charger: "station-ac-04",
        connector: 1,
        flaw: Flaw::WattHours,
    },
    Flawed {
        charger: "station-ac-03",
        connector: 1,
        flaw: Flaw::HourAhead,
    },
    Flawed {
        charger: "harbour-ac-04",
        connector: 2,
        flaw: Flaw::Lost,
    },
];
