//! One criterion of a gate: what is counted, what is needed, and how much must have been seen.

use crate::clock::Micros;
use crate::ledger::row::Subject;
use crate::ocpp::Severity;

/// A criterion.
#[derive(Debug, Clone, PartialEq)]
pub struct Criterion {
    /// Its name in decisions: `A1`.
    pub id: String,
    /// What it is about.
    pub area: Area,
    /// A few words.
    pub title: String,
    /// What is counted.
    pub measure: Measure,
    /// What must hold of it.
    pub need: Need,
    /// How many must have been seen.
    pub sample: u64,
    /// How many must have been seen on each model of the group.
    pub per_model: u64,
    /// On how many chargers.
    pub chargers: u64,
    /// On how many days.
    pub days: u64,
    /// Which part must have been comparable, at least.
    pub comparable: f64,
    /// How old the last of it may be, µs.
    pub fresh: Micros,
    /// Whether the verdict depends on it.
    pub is_blocking: bool,
    /// Whether a group that has moved should come back when it fails.
    pub rolls_back: bool,
}

/// The areas of exit criteria.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Area {
    /// Chargers and sessions are reliable.
    Charger,
    /// People can run it.
    Operations,
    /// Sessions, CDRs and costs are right.
    Data,
    /// It can be undone.
    Rollback,
}

/// What a criterion counts.
#[derive(Debug, Clone, PartialEq)]
pub enum Measure {
    /// Comparable exchanges, commands, handshakes or sessions, and those with an open finding.
    Divergent {
        /// Which of them.
        subject: Subject,
        /// One step by its name in each OCPP version; empty for every action.
        actions: Vec<String>,
        /// Kinds of findings; empty for every kind.
        kinds: Vec<String>,
        /// Findings at least this bad.
        severity: Severity,
    },
    /// All of them, and those that could not be compared.
    NotComparable {
        /// Which of them.
        subject: Subject,
        /// See `Divergent`.
        actions: Vec<String>,
    },
    /// Comparable sessions of which legacy has a CDR, and those with an open finding.
    Cdr {
        /// See `Divergent`.
        kinds: Vec<String>,
        /// See `Divergent`.
        severity: Severity,
    },
    /// Chargers of the group.
    Charger(Charger),
    /// Findings that are open, by themselves.
    Findings {
        /// At least this bad.
        severity: Severity,
        /// Only those that nobody has said anything about.
        only_new: bool,
    },
    /// What a monitor counted.
    Monitor {
        /// The monitor.
        monitor: String,
        /// `legacy`, `candidate`, or empty for what chargers did.
        leg: String,
        /// What is bad about how many.
        bad: Vec<String>,
        /// Or what is good.
        good: Vec<String>,
        /// The whole; empty if only the bad is counted.
        of: Vec<String>,
        /// Days before now that count, µs; none for all.
        window: Option<Micros>,
    },
    /// How much slower the candidate's 95th percentile is, over the whole tap.
    Latency {
        /// See `Divergent`.
        actions: Vec<String>,
        /// At most so much, µs.
        slower: Micros,
    },
    /// What the operator says about the group.
    Group(Required),
}

/// What may be wrong with a charger as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Charger {
    /// It was never seen.
    Unseen,
    /// It has said nothing for longer than its criterion's evidence may be old.
    Quiet,
}

/// What a group must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Required {
    /// A way back, and how long it takes.
    RollbackPath,
    /// A day on which that was rehearsed.
    Rehearsal,
    /// Somebody who signs off and somebody who decides.
    People,
}

/// What must hold.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Need {
    /// At most so many failures.
    Failures(u64),
    /// The upper bound of the failures' rate is at most this.
    Rate(f64),
    /// The good part is at least this.
    Least(f64),
    /// It is there.
    Has,
}

impl Area {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Charger, Self::Operations, Self::Data, Self::Rollback];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Charger => "charger",
            Self::Operations => "operations",
            Self::Data => "data",
            Self::Rollback => "rollback",
        }
    }

    /// The reverse of [`Area::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|area| area.word() == word)
    }
}

impl Measure {
    /// What is counted, in the plural.
    pub fn unit(&self) -> String {
        match self {
            Self::Divergent {
                subject, actions, ..
            }
            | Self::NotComparable { subject, actions } => match actions.as_slice() {
                [] => format!("{}s", subject.word()),
                actions => actions.join("/"),
            },
            Self::Cdr { .. } => "CDRs".to_owned(),
            Self::Charger(_) => "chargers".to_owned(),
            Self::Findings { .. } => "findings".to_owned(),
            Self::Monitor { monitor, .. } => monitor.clone(),
            Self::Latency { .. } => "answers".to_owned(),
            Self::Group(_) => "group".to_owned(),
        }
    }

    /// Whether it is counted over trials, so that nothing seen means nothing known.
    pub fn has_trials(&self) -> bool {
        match self {
            Self::Findings { .. } | Self::Group(_) => false,
            Self::Monitor { good, of, .. } => !(good.is_empty() && of.is_empty()),
            _ => true,
        }
    }
}
