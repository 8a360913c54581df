//! How much a divergence costs.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Severity of a divergence, worst first: `S0 < S1`, so the worst of several is their minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Containment: the test changed production. Any count above zero fails.
    S0,
    /// Blocks charging: a driver could not charge or a charger could not join (or could where the authority refuses).
    S1,
    /// Billing: money or its evidence differs.
    S2,
    /// Operations: run quality.
    S3,
    /// Cosmetic: no effect.
    S4,
}

/// Text that names no severity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown severity {0:?}: expected S0 to S4")]
pub struct UnknownSeverity(String);

impl Severity {
    /// All severities, worst first.
    pub const ALL: [Self; 5] = [Self::S0, Self::S1, Self::S2, Self::S3, Self::S4];

    /// The short code: `S0` to `S4`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::S4 => "S4",
        }
    }

    /// What it means, in two words at most.
    pub const fn word(self) -> &'static str {
        match self {
            Self::S0 => "containment",
            Self::S1 => "blocks charging",
            Self::S2 => "billing",
            Self::S3 => "operations",
            Self::S4 => "cosmetic",
        }
    }

    /// The worse of two. `const`, unlike `min`.
    #[must_use]
    pub const fn worst(self, other: Self) -> Self {
        if (other as u8) < (self as u8) {
            other
        } else {
            self
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::str::FromStr for Severity {
    type Err = UnknownSeverity;

    /// Reads a code in either case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.code().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownSeverity(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_back_in_either_case() {
        for severity in Severity::ALL {
            assert_eq!(severity.code().parse(), Ok(severity));
            assert_eq!(severity.to_string().to_lowercase().parse(), Ok(severity));
        }
        assert!("S5".parse::<Severity>().is_err());
        assert!("".parse::<Severity>().is_err());
    }

    #[test]
    fn the_worst_is_the_smallest() {
        for a in Severity::ALL {
            for b in Severity::ALL {
                assert_eq!(a.worst(b), a.min(b));
            }
        }
    }
}
