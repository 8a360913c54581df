//! How each switch went, from the steps that the tap wrote down: how long it took, who is back, who is not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::clock::Micros;
use crate::estate::gate::report::Undo;
use crate::facts::Leg;
use crate::facts::authority::{Change, Step};
use crate::ledger::views::rfc3339;

/// A second, µs.
const SECOND: Micros = 1_000_000;

/// One switch of a group, or of a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// Its number.
    pub number: i64,
    /// Where chargers go.
    pub to: Leg,
    /// When it was asked for, µs.
    pub began: Micros,
    /// When the last charger was moved or kept, µs; none if it goes on.
    pub ended: Option<Micros>,
    /// Chargers that it is to move.
    pub chargers: BTreeSet<Arc<str>>,
    /// Those that are back, at the new backend.
    pub back: BTreeSet<Arc<str>>,
    /// Those that have not come back in time.
    pub missing: BTreeSet<Arc<str>>,
    /// Those that stay where they are.
    pub kept: BTreeSet<Arc<str>>,
    /// How long a charger was away at most, µs.
    pub longest_outage: Micros,
}

impl Switch {
    fn new(number: i64, to: Leg, at: Micros) -> Self {
        Self {
            number,
            to,
            began: at,
            ended: None,
            chargers: BTreeSet::new(),
            back: BTreeSet::new(),
            missing: BTreeSet::new(),
            kept: BTreeSet::new(),
            longest_outage: 0,
        }
    }

    fn take(&mut self, charger: &Arc<str>, at: Micros, change: &Change) {
        if charger.is_empty() {
            if let Some(plan) = &change.plan {
                let named = plan.chargers.iter().map(|name| Arc::from(name.as_str()));
                self.chargers.extend(named);
            }
            if change.step == Step::Over {
                self.ended = Some(at);
            }
            return;
        }
        match change.step {
            Step::Done => {
                self.missing.remove(charger);
                self.back.insert(Arc::clone(charger));
                let outage = change.outage_us.unwrap_or_default();
                self.longest_outage = self.longest_outage.max(outage);
            }
            Step::Missing => {
                self.missing.insert(Arc::clone(charger));
            }
            Step::Kept => {
                self.kept.insert(Arc::clone(charger));
            }
            _ => {}
        }
    }

    /// The same as far as these chargers are concerned; none if it has nothing to do with them.
    pub fn of(&self, chargers: &[String]) -> Option<Self> {
        let of = |all: &BTreeSet<Arc<str>>| -> BTreeSet<Arc<str>> {
            let named = chargers.iter().filter_map(|name| all.get(name.as_str()));
            named.cloned().collect()
        };
        let concerned = of(&self.chargers);
        (!concerned.is_empty()).then(|| Self {
            back: of(&self.back),
            missing: of(&self.missing),
            kept: of(&self.kept),
            chargers: concerned,
            ..self.clone()
        })
    }

    /// How long it took, µs; none if it goes on.
    pub fn took(&self) -> Option<Micros> {
        Some(self.ended? - self.began)
    }
}

/// Every switch, oldest first, from the steps of all in order.
pub fn switches<'a>(
    steps: impl IntoIterator<Item = (&'a Arc<str>, Micros, &'a Change)>,
) -> Vec<Switch> {
    let mut switches: BTreeMap<i64, Switch> = BTreeMap::new();
    for (charger, at, change) in steps {
        let switch = switches.entry(change.switch);
        let switch = switch.or_insert_with(|| Switch::new(change.switch, change.to, at));
        switch.take(charger, at, change);
    }
    switches.into_values().collect()
}

/// The last roll-back of these chargers that brought back every one that it was to.
pub fn rehearsal(switches: &[Switch], chargers: &[String]) -> Option<Switch> {
    let theirs = switches.iter().rev().filter_map(|it| it.of(chargers));
    let mut whole = theirs.filter(|it| it.to == Leg::Legacy && it.back == it.chargers);
    whole.find(|it| it.ended.is_some())
}

/// What a roll-back that was carried out says about the next one: it takes as long as that one, or as long as was planned if that
/// is longer, and must begin so much before there is no way back.
pub fn learn(undo: &mut Undo, rehearsal: &Switch, no_return: Option<Micros>) {
    let (Some(took), Some(ended)) = (rehearsal.took(), rehearsal.ended) else {
        return;
    };
    let seconds = u64::try_from(took.max(0))
        .unwrap_or_default()
        .div_ceil(SECOND as u64);
    let takes = undo.takes_s.unwrap_or_default().max(seconds);
    undo.takes_s = Some(takes);
    undo.rehearsed = rfc3339(ended).chars().take(10).collect();
    let takes = i64::try_from(takes).unwrap_or(i64::MAX / SECOND) * SECOND;
    undo.last_safe_start = no_return.map(|at| rfc3339(at - takes));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::authority::{Mode, Plan};

    const MINUTE: Micros = 60 * SECOND;

    fn named(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    /// A roll-back of two chargers that takes four minutes.
    fn rolled_back(number: i64, missing: bool) -> Vec<(Arc<str>, Micros, Change)> {
        let step = |step| Change::new(number, step, Leg::Legacy);
        let plan = Plan {
            to: Leg::Legacy,
            mode: Mode::Now,
            pace: 2,
            limit_us: MINUTE,
            deadline_us: MINUTE,
            rollback: true,
            by: "ops".to_owned(),
            chargers: named(&["a", "b"]),
        };
        let begun = Change {
            plan: Some(plan),
            ..step(Step::Begun)
        };
        let done = Change {
            outage_us: Some(5 * SECOND),
            ..step(Step::Done)
        };
        let last = if missing {
            step(Step::Missing)
        } else {
            done.clone()
        };
        vec![
            (Arc::from(""), number, begun),
            (Arc::from("a"), number, step(Step::Acting)),
            (Arc::from("a"), number + MINUTE, done),
            (Arc::from("b"), number + 3 * MINUTE, last),
            (Arc::from(""), number + 4 * MINUTE, step(Step::Over)),
        ]
    }

    fn folded(steps: &[(Arc<str>, Micros, Change)]) -> Vec<Switch> {
        switches(
            steps
                .iter()
                .map(|(charger, at, change)| (charger, *at, change)),
        )
    }

    #[test]
    fn a_switch_is_told_from_its_steps() {
        let all = folded(&rolled_back(7, true));
        let [one] = all.as_slice() else {
            panic!("{all:?}")
        };
        assert_eq!(
            (one.took(), one.longest_outage),
            (Some(4 * MINUTE), 5 * SECOND)
        );
        assert_eq!((one.back.len(), one.missing.len()), (1, 1));
        assert_eq!(one.of(&named(&["z"])), None);
        let of_b = one.of(&named(&["b", "z"])).unwrap();
        assert_eq!((of_b.chargers.len(), of_b.back.len()), (1, 0));
    }

    #[test]
    fn only_a_whole_roll_back_is_a_rehearsal() {
        let chargers = named(&["a", "b"]);
        assert_eq!(rehearsal(&folded(&rolled_back(7, true)), &chargers), None);
        let steps = [rolled_back(7, false), rolled_back(90 * MINUTE, true)].concat();
        let found = rehearsal(&folded(&steps), &chargers).unwrap();
        assert_eq!(found.number, 7);
    }

    #[test]
    fn the_last_safe_start_follows_from_what_was_measured() {
        let found = rehearsal(&folded(&rolled_back(0, false)), &named(&["a", "b"])).unwrap();
        let mut undo = Undo {
            takes_s: Some(60),
            ..Undo::default()
        };
        learn(&mut undo, &found, Some(3_600 * SECOND));
        assert_eq!(undo.takes_s, Some(240));
        assert_eq!(undo.rehearsed, "1970-01-01");
        assert_eq!(undo.last_safe_start, Some(rfc3339(3_360 * SECOND)));
        // A longer plan is not shortened by one good night.
        undo.takes_s = Some(900);
        learn(&mut undo, &found, Some(3_600 * SECOND));
        assert_eq!(undo.last_safe_start, Some(rfc3339(2_700 * SECOND)));
    }
}
