//! Connections by their numbers.

use std::collections::BTreeMap;

use super::world::Conn;

/// The connections that are known. Most of what is asked in a row is about one of them, which is then found at once.
#[derive(Debug, Default)]
pub(super) struct Conns {
    places: BTreeMap<u64, usize>,
    /// Boxed: a list moves its entries when it grows.
    entries: Vec<Option<(u64, Box<Conn>)>>,
    /// Places of connections that are gone.
    free: Vec<usize>,
    /// Which was asked for last.
    last: usize,
}

impl Conns {
    /// A connection, made if it is not known.
    pub(super) fn entry(&mut self, conn: u64, make: impl FnOnce() -> Conn) -> &mut Conn {
        self.last = match self.place(conn) {
            Some(place) => place,
            None => self.vacancy(conn),
        };
        let (_, known) = self.entries[self.last].get_or_insert_with(|| (conn, Box::new(make())));
        known
    }

    /// A connection, if it is known.
    pub(super) fn get(&self, conn: u64) -> Option<&Conn> {
        let entry = self.entries.get(self.place(conn)?)?.as_ref();
        entry.map(|(_, known)| &**known)
    }

    /// A connection, if it is known.
    pub(super) fn get_mut(&mut self, conn: u64) -> Option<&mut Conn> {
        self.last = self.place(conn)?;
        let entry = self.entries.get_mut(self.last)?.as_mut();
        entry.map(|(_, known)| &mut **known)
    }

    /// Every connection, in no order that means anything.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Conn> {
        let entries = self.entries.iter_mut().flatten();
        entries.map(|(_, known)| &mut **known)
    }

    /// Forgets a connection; returns what was known of it.
    pub(super) fn remove(&mut self, conn: u64) -> Option<Box<Conn>> {
        let place = self.places.remove(&conn)?;
        self.free.push(place);
        self.entries[place].take().map(|(_, known)| known)
    }

    /// Forgets all of them.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn place(&self, conn: u64) -> Option<usize> {
        let last = self.entries.get(self.last).and_then(Option::as_ref);
        if last.is_some_and(|(last, _)| *last == conn) {
            return Some(self.last);
        }
        self.places.get(&conn).copied()
    }

    /// An empty place for a connection that is not known.
    fn vacancy(&mut self, conn: u64) -> usize {
        let place = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            self.entries.len() - 1
        });
        self.places.insert(conn, place);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Leg;

    #[test]
    fn each_number_is_its_own_connection_and_places_are_used_again() {
        let mut conns = Conns::default();
        let make = || Conn::unannounced(Leg::Legacy);
        for conn in [7, 9, 7, 8] {
            conns.entry(conn, make).boot_root = Some(conn.to_string());
        }
        let root = |conns: &Conns, conn| conns.get(conn).and_then(|known| known.boot_root.clone());
        assert_eq!(conns.values_mut().count(), 3);
        assert_eq!(root(&conns, 9).as_deref(), Some("9"));
        assert!(conns.remove(8).is_some() && conns.remove(8).is_none());
        assert!(conns.get(8).is_none() && conns.get_mut(8).is_none());
        assert_eq!(conns.entry(5, make).boot_root, None, "nothing of 8 is left");
        assert_eq!(conns.entries.len(), 3);
        for conn in [7, 9] {
            let known = conns.get_mut(conn).and_then(|known| known.boot_root.take());
            assert_eq!(known, Some(conn.to_string()));
        }
        conns.clear();
        assert!(conns.get(7).is_none() && conns.values_mut().next().is_none());
    }
}
