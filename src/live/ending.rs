//! The two ends of a line, and how a line ends.

use std::io;

use crate::facts::Dir;

/// One end of the line. Its number is that of the direction in which it sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The charger.
    Charger = 0,
    /// The authority.
    Authority = 1,
}

impl End {
    /// Both ends.
    pub const BOTH: [Self; 2] = [Self::Charger, Self::Authority];

    /// The other end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Charger => Self::Authority,
            Self::Authority => Self::Charger,
        }
    }

    /// The direction in which it sends.
    pub const fn sends(self) -> Dir {
        Dir::BOTH[self as usize]
    }

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Charger => "charger",
            Self::Authority => "authority",
        }
    }
}

/// How a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both ends closed in order; this one first.
    Fin(End),
    /// This end was reset, by its peer or by the network.
    Reset(End),
    /// This end did not acknowledge for too long.
    Timeout(End),
    /// The charger belongs to the other backend now: the tap asked it to come again.
    Restart,
    /// The tap stops.
    Shutdown,
}

impl Ending {
    /// How a line ends whose `end` has failed.
    pub fn of(end: End, error: &io::Error) -> Self {
        use io::ErrorKind::{HostUnreachable, NetworkUnreachable, TimedOut};
        match error.kind() {
            TimedOut | HostUnreachable | NetworkUnreachable => Self::Timeout(end),
            _ => Self::Reset(end),
        }
    }

    /// Who ended it, in the words of [`Closed::by`](super::handover::Closed::by).
    pub const fn by(self) -> &'static str {
        match self {
            Self::Fin(end) | Self::Reset(end) | Self::Timeout(end) => end.word(),
            Self::Restart | Self::Shutdown => "tap",
        }
    }

    /// How, in the words of [`Closed::how`](super::handover::Closed::how).
    pub const fn how(self) -> &'static str {
        match self {
            Self::Fin(_) => "fin",
            Self::Reset(_) => "reset",
            Self::Timeout(_) => "timeout",
            Self::Restart => "restart",
            Self::Shutdown => "shutdown",
        }
    }
}
