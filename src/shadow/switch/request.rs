//! What an operator may ask of the switchboard, and why it may refuse.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::facts::Leg;
use crate::facts::authority::Mode;

/// Moves chargers to a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Whom to move.
    pub chargers: Vec<String>,
    /// Move every charger that is known.
    pub all: bool,
    /// The backend that shall be their authority.
    pub to: Leg,
    /// When each is moved.
    pub mode: Mode,
    /// How many are moved each second.
    pub pace: u32,
    /// How long one may take to become idle; then it stays where it is. A rollback does not wait for anything but open
    /// transactions that it could not name.
    pub limit: Duration,
    /// How long one may take to come back; then it is missing.
    pub deadline: Duration,
    /// Undo an earlier switch. It is never refused for its evidence, and takes the place of whatever is under way.
    pub rollback: bool,
    /// Who asks.
    pub by: String,
}

impl Request {
    /// A request with the defaults: drained, ten each second, an hour for each to become idle and a minute to come back.
    pub fn new(to: Leg, chargers: Vec<String>) -> Self {
        Self {
            chargers,
            all: false,
            to,
            mode: Mode::Drain,
            pace: 10,
            limit: Duration::from_hours(1),
            deadline: Duration::from_mins(1),
            rollback: false,
            by: String::new(),
        }
    }
}

/// A switch was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Its number.
    pub switch: i64,
    /// How many chargers it moves.
    pub chargers: usize,
}

/// Why a switch was not begun.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The planes have just started.
    #[error("the tap has only just started and does not know its connections yet")]
    Starting,
    /// No charger is left to be moved.
    #[error("no charger to move: none is named that does not belong to {} already", .0.word())]
    Nobody(Leg),
    /// The backend can't be an authority.
    #[error("{leg} cannot be an authority: {why}", leg = .0.word(), why = .1)]
    NoAuthority(Leg, String),
    /// The old authority could not be a shadow.
    #[error(
        "{leg} could not be kept warm: the chargers log in, and nothing says what their legs to {leg} shall log in with",
        leg = .0.word()
    )]
    NoShadow(Leg),
    /// Another switch is under way.
    #[error("another switch is under way")]
    Busy,
    /// The recorder is not well.
    #[error("the recorder is not well: {0}")]
    Recorder(String),
}

impl Refusal {
    /// Its stable code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Starting => "CUT-001",
            Self::Nobody(_) => "CUT-002",
            Self::NoAuthority(..) => "CUT-003",
            Self::NoShadow(_) => "CUT-004",
            Self::Busy => "CUT-005",
            Self::Recorder(_) => "CUT-006",
        }
    }
}
