//! When it says nothing about a backend that it did not send what the other one sent.

use super::waiting::WINDOW;
use crate::clock::Micros;
use crate::facts::Fact;
use crate::judge::exchanges::Bench;
use crate::ledger::row::Reason;
use crate::ocpp::Envelope;

/// Something happened that may have cost commands their twins, as long ago as twins may be apart.
#[derive(Debug, Clone, Copy, Default)]
pub(in crate::judge) struct Doubt(Option<(Micros, Reason)>);

impl Doubt {
    /// It happened now.
    pub(in crate::judge) fn cast(&mut self, now: Micros, reason: Reason) {
        self.0 = Some((now.saturating_add(WINDOW), reason));
    }

    /// Why a command of this time is in doubt, if it is.
    fn at(self, at: Micros) -> Option<Reason> {
        let (until, reason) = self.0?;
        (at <= until).then_some(reason)
    }
}

/// Why a command that was sent just now would not be comparable without a twin, or not at all, if so.
pub(super) fn spoil(
    fact: &Fact,
    command: &Envelope<'_>,
    ours: bool,
    bench: &mut Bench<'_>,
) -> Option<Reason> {
    let conn = bench.world.conn(fact);
    let (version, told_more) = (conn.version, conn.doubt);
    let charger = bench.world.charger(&fact.charger);
    let is_mediated = if ours {
        charger.mediated.is_touched(fact, command)
    } else {
        charger.mediated.is_named(version, command)
    };
    let told_more = told_more.at(fact.at).filter(|_| !ours);
    is_mediated
        .then_some(Reason::Mediated)
        .or(charger.doubt.at(fact.at))
        .or(told_more)
}
