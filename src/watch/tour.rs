//! The tour: six steps, each on the screen that it is about.

/// One step.
#[derive(Debug, Clone, Copy)]
pub struct TourStep {
    /// The screen that it shows.
    pub screen: u8,
    /// Its sentences.
    pub says: &'static str,
}

/// The steps in their order.
pub const STEPS: [TourStep; 6] = [
    TourStep {
        screen: 1,
        says: "The Board. Each row is a group of chargers that moves together, the worst first. What needs a person stands beside it.",
    },
    TourStep {
        screen: 2,
        says: "Diffs. Each row is one kind of difference with its count and exposure: 6 of 78 Authorize, never a ratio of ratios. Enter opens the messages behind it.",
    },
    TourStep {
        screen: 3,
        says: "Sessions. What was charged, three ways: by the charger's own meter (the wire), by legacy and by the candidate. The wire is the referee.",
    },
    TourStep {
        screen: 4,
        says: "Gate. The verdict is the worst blocking criterion, never an average; missing data is HOLD, never GO.",
    },
    TourStep {
        screen: 5,
        says: "Feed. One line an exchange: = equal, ~ explained by a rule, x divergent, n not comparable. n goes to the next divergence, o shows only those.",
    },
    TourStep {
        screen: 6,
        says: "Tap. Whether the instrument itself can be believed: gaps, what was shed, what waits, how old the data are. ? has every key.",
    },
];
