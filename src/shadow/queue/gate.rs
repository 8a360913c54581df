//! What a backend can take.

use super::Traffic;

/// Why something is given up that a backend would have to accept the charger for.
pub(super) const NOT_ACCEPTED: &str = "not accepted";

/// What the backend can take now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// The first connect is under way: everything waits.
    Connecting,
    /// Everything goes.
    Open,
    /// Connected, but the backend has not accepted the charger yet: a BootNotification goes and what the backend asked
    /// for (B02.FR.02), the rest waits.
    Pending,
    /// Connected, but the backend rejects the charger: only a BootNotification goes, and nothing waits.
    Rejected,
    /// Not connected.
    Away,
    /// The backend refuses this charger's handshake.
    Refused,
    /// The backend is never dialled: the charger speaks a version that is not understood here.
    Unspoken,
    /// The charger's newer connection is the one that the backend faces.
    Replaced,
}

impl Gate {
    /// Why a message that a charger would not keep is given up; `None` while everything may wait.
    pub(super) const fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Connecting | Self::Open | Self::Pending => None,
            Self::Rejected => Some(NOT_ACCEPTED),
            Self::Away => Some("candidate away"),
            Self::Refused | Self::Unspoken => Some("shadow refused"),
            Self::Replaced => Some("replaced by a newer connection"),
        }
    }

    /// Why a message is given up for which there is no room.
    pub(super) const fn shortage(self) -> &'static str {
        match self {
            Self::Pending => NOT_ACCEPTED,
            _ => "queue full",
        }
    }

    /// Whether the backend would take it now.
    pub(super) const fn passes(self, traffic: Traffic) -> bool {
        match self {
            Self::Open => true,
            Self::Pending | Self::Rejected => matches!(traffic, Traffic::Boot),
            Self::Connecting | Self::Away | Self::Refused | Self::Unspoken | Self::Replaced => {
                false
            }
        }
    }

    /// Whether CALLs that the tap makes up go: nothing else does before the backend has accepted the charger.
    pub(super) const fn passes_synthetic(self) -> bool {
        matches!(self, Self::Open | Self::Pending | Self::Rejected)
    }

    /// Whether it may wait for better times.
    pub(super) const fn keeps(self, traffic: Traffic) -> bool {
        self.refusal().is_none() || self.keeps_transactions(traffic) || self.passes(traffic)
    }

    const fn keeps_transactions(self, traffic: Traffic) -> bool {
        matches!(traffic, Traffic::Transaction)
            && !matches!(self, Self::Unspoken | Self::Rejected | Self::Replaced)
    }
}
