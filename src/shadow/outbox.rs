//! What a charger still has to say to a backend while it has no connection: the transaction messages that it would keep
//! itself, in order, until the leg of its next connection takes them over.
//!
//! Pure. The recording holds the same messages, so a restarted shadow plane fills the outbox again.

use std::rc::Rc;

use crate::ocpp::Version;

use super::queue::{Mirrored, Withheld};
use super::settings::QueueLimits;

/// The messages of one charger, oldest first.
#[derive(Debug, Default)]
pub struct Outbox {
    messages: Vec<Rc<Mirrored>>,
    bytes: usize,
    version: Option<Version>,
}

impl Outbox {
    /// Bytes held.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Puts messages of this version behind those that are there; gives up what there is no room for.
    pub fn put(
        &mut self,
        version: Version,
        messages: Vec<Rc<Mirrored>>,
        limits: QueueLimits,
    ) -> Vec<Withheld> {
        if messages.is_empty() {
            return Vec::new();
        }
        let mut given_up = Vec::new();
        if self.version.replace(version) != Some(version) {
            given_up.extend(self.give_up("version changed"));
            self.version = Some(version);
        }
        for message in messages {
            let weight = message.weight();
            if self.messages.len() < limits.count && self.bytes + weight <= limits.bytes {
                self.bytes += weight;
                self.messages.push(message);
            } else {
                given_up.push(message.withheld("queue full"));
            }
        }
        given_up
    }

    /// Takes everything for a connection of this version. What was said in another is given up: a charger whose firmware
    /// changed in between speaks for itself.
    pub fn take(&mut self, version: Version) -> (Vec<Rc<Mirrored>>, Vec<Withheld>) {
        if self.version == Some(version) {
            self.bytes = 0;
            (std::mem::take(&mut self.messages), Vec::new())
        } else {
            (Vec::new(), self.give_up("version changed"))
        }
    }

    fn give_up(&mut self, why: &'static str) -> Vec<Withheld> {
        self.bytes = 0;
        let messages = std::mem::take(&mut self.messages);
        messages
            .iter()
            .map(|message| message.withheld(why))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shadow::queue::Traffic;

    fn message(seq: u64) -> Rc<Mirrored> {
        Rc::new(Mirrored {
            seq,
            at: 0,
            id: seq.to_string().into(),
            action: "StopTransaction".into(),
            text: "[]".into(),
            traffic: Traffic::Transaction,
            again: false,
            kept: true,
            failed: 0,
            solicited: 0,
            asked: false,
        })
    }

    #[test]
    fn it_keeps_the_oldest_in_order_and_says_what_it_cannot() {
        let limits = QueueLimits {
            count: 3,
            bytes: 1 << 20,
        };
        let mut outbox = Outbox::default();
        assert!(
            outbox
                .put(Version::V16, vec![message(1), message(2)], limits)
                .is_empty()
        );
        let given_up = outbox.put(Version::V16, vec![message(3), message(4)], limits);
        assert_eq!((given_up[0].seq, given_up[0].why), (4, "queue full"));
        assert!(outbox.bytes() > 0);
        let (kept, given_up) = outbox.take(Version::V16);
        let seqs: Vec<u64> = kept.iter().map(|message| message.seq).collect();
        assert_eq!(
            (seqs, given_up.len(), outbox.bytes()),
            (vec![1, 2, 3], 0, 0)
        );
    }

    #[test]
    fn another_version_takes_nothing_over() {
        let mut outbox = Outbox::default();
        outbox.put(Version::V16, vec![message(1)], QueueLimits::default());
        let (kept, given_up) = outbox.take(Version::V201);
        assert_eq!((kept.len(), given_up[0].why), (0, "version changed"));
    }
}
