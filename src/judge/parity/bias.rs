//! Differences below the noise that always point the same way: one backend cuts off where the other rounds.

use rust_decimal::Decimal;

use super::trial::Who;
use crate::judge::records::Price;
use crate::judge::referee::Expected;

/// How many sessions must differ, all the same way, before it is no chance.
const ENOUGH: u64 = 20;

/// How often the candidate's cost was the lower and the higher one, by less than a minor unit or by one.
#[derive(Debug, Default)]
pub(super) struct Bias {
    lower: u64,
    higher: u64,
    /// How often the lower cost was farther from the exact price than rounding goes, and the higher one was not.
    cut: u64,
}

impl Bias {
    /// Counts two costs within the noise of each other; says who cuts off, once that is sure.
    pub(super) fn count(
        &mut self,
        (ours, theirs): (Price, Price),
        expected: Option<&Expected>,
        unit: Decimal,
    ) -> Option<Who> {
        let (ours, theirs) = (ours.excl_vat?, theirs.excl_vat?);
        let off = theirs.checked_sub(ours)?;
        if off.is_zero() {
            return None;
        }
        let is_lower = off.is_sign_negative();
        if is_lower {
            self.lower += 1;
        } else {
            self.higher += 1;
        }
        // Rounding keeps within half a unit of the exact price; cutting off need not.
        let half = unit.checked_div(Decimal::TWO)?;
        let right =
            |amount: Decimal| expected.is_some_and(|it| (amount - it.priced.excl).abs() <= half);
        let (lower, higher) = if is_lower {
            (theirs, ours)
        } else {
            (ours, theirs)
        };
        self.cut += u64::from(right(higher) && !right(lower));
        if self.lower.max(self.higher) < ENOUGH || self.lower.min(self.higher) > 0 {
            return None;
        }
        // One session that is cut too far shows it for all: the finding does not depend on where the count ended.
        Some(match (self.cut > 0, is_lower) {
            (true, true) => Who::CandidateWrong,
            (true, false) => Who::LegacyWrong,
            (false, _) => Who::Differ,
        })
    }
}
