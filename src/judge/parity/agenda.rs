//! When sessions are looked at again.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::Micros;

/// Sessions by the times at which they are due. A session that is forgotten goes at once with all its times: looking for
/// them among everybody's would make each end of a session dearer, the more sessions wait.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    due: BTreeSet<(Micros, u64)>,
    times: BTreeMap<u64, Vec<Micros>>,
}

impl Agenda {
    /// Looks at a session at this time, µs.
    pub(super) fn add(&mut self, at: Micros, id: u64) {
        if self.due.insert((at, id)) {
            self.times.entry(id).or_default().push(at);
        }
    }

    /// The next session that is due by `now`.
    pub(super) fn next(&mut self, now: Micros) -> Option<u64> {
        let (at, id) = *self.due.first().filter(|(at, _)| *at <= now)?;
        self.due.pop_first();
        if let Some(times) = self.times.get_mut(&id) {
            times.retain(|time| *time != at);
            if times.is_empty() {
                self.times.remove(&id);
            }
        }
        Some(id)
    }

    /// Forgets a session.
    pub(super) fn forget(&mut self, id: u64) {
        for at in self.times.remove(&id).unwrap_or_default() {
            self.due.remove(&(at, id));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_come_in_the_order_of_their_times_unless_they_are_forgotten() {
        let mut agenda = Agenda::default();
        for (at, id) in [(30, 1), (10, 2), (20, 1), (20, 1), (40, 2), (20, 3)] {
            agenda.add(at, id);
        }
        assert_eq!((agenda.next(9), agenda.next(10)), (None, Some(2)));
        agenda.forget(3);
        assert_eq!((agenda.next(25), agenda.next(25)), (Some(1), None));
        agenda.forget(1);
        assert_eq!((agenda.next(99), agenda.next(99)), (Some(2), None));
        assert!(agenda.due.is_empty() && agenda.times.is_empty());
    }
}
