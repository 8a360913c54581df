//! Which group each charger belongs to, from what the operator says about the estate and who turns up.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::notes;
use crate::facts::{Fact, Kind};
use crate::ledger::row::{Decision, EVERYBODY, Estate, GateFile, Group, Member, Row, UNGROUPED};
use crate::live::handover::Opened;
use crate::ocpp::Version;

/// The estate as the judge knows it.
#[derive(Debug, Default)]
pub(super) struct Groups {
    said: Estate,
    /// Groups of the chargers that are listed with one.
    listed: HashMap<String, Arc<str>>,
    /// Chargers that were seen.
    seen: BTreeMap<Arc<str>, Member>,
    /// Who was met lately, by connection: looking a name up costs more than most facts are worth.
    lately: Vec<Option<Arc<str>>>,
}

/// How many connections are remembered: those whose numbers differ in their lower bits.
const LATELY: usize = 1_024;

impl Groups {
    /// Takes the next fact, before anything else is made of it.
    pub(super) fn hear(&mut self, fact: &Fact, out: &mut dyn FnMut(Row)) {
        match fact.kind {
            Kind::EstateLoaded => self.load(fact, out),
            Kind::GateLoaded => out(Row::Gate(Box::new(gate(fact)))),
            Kind::Decision => {
                // One that cannot be read decides nothing; `verify` shows whether it was altered.
                let decided = fact.text().and_then(|text| serde_json::from_str(text).ok());
                if let Some(decided) = decided {
                    out(Row::Decision(Box::new(Decision {
                        id: fact.seq,
                        at: fact.at,
                        decided,
                    })));
                }
            }
            // Who was not let in is no charger of the estate.
            Kind::ConnRefused => {}
            Kind::ConnOpened if fact.conn != 0 => self.meet(fact, out),
            _ if fact.conn != 0 && !self.met_lately(fact) => self.meet(fact, out),
            _ => {}
        }
    }

    /// What cannot be read is left out: the tap wrote it after it had checked it.
    fn load(&mut self, fact: &Fact, out: &mut dyn FnMut(Row)) {
        let said = fact.text().and_then(|text| serde_json::from_str(text).ok());
        let said: Estate = said.unwrap_or_default();
        if said == self.said {
            return;
        }
        self.listed = (said.chargers.iter())
            .filter(|listed| !listed.group.is_empty())
            .map(|listed| (listed.charger.clone(), Arc::from(listed.group.as_str())))
            .collect();
        self.said = said;
        let mut resolved = self.said.clone();
        for listed in &mut resolved.chargers {
            listed.group = self.group(&listed.charger);
        }
        out(Row::Estate(Box::new(resolved)));
        let mut seen = std::mem::take(&mut self.seen);
        for member in seen.values_mut() {
            member.group = self.group(&member.charger);
            out(Row::Member(member.clone()));
        }
        self.seen = seen;
    }

    /// A charger turns up, or comes back with another version.
    fn meet(&mut self, fact: &Fact, out: &mut dyn FnMut(Row)) {
        let version = (fact.kind == Kind::ConnOpened)
            .then(|| version(fact))
            .flatten();
        self.lately.resize(LATELY, None);
        self.lately[place_of(fact.conn)] = Some(Arc::clone(&fact.charger));
        if let Some(member) = self.seen.get_mut(&fact.charger) {
            if let Some(version) = version.filter(|version| **version != *member.version) {
                version.clone_into(&mut member.version);
                out(Row::Member(member.clone()));
            }
            return;
        }
        let member = Member {
            charger: fact.charger.to_string(),
            group: self.group(&fact.charger),
            version: version.unwrap_or_default().to_owned(),
            since: fact.seq,
        };
        self.seen.insert(Arc::clone(&fact.charger), member.clone());
        out(Row::Member(member));
    }

    fn met_lately(&self, fact: &Fact) -> bool {
        let known = self.lately.get(place_of(fact.conn));
        known.is_some_and(|known| known.as_ref() == Some(&fact.charger))
    }

    fn group(&self, charger: &str) -> String {
        if self.said.groups.is_empty() {
            return EVERYBODY.to_owned();
        }
        if let Some(group) = self.listed.get(charger) {
            return group.to_string();
        }
        let takes = |group: &&Group| group.patterns.iter().any(|it| fits(it, charger));
        let group = self.said.groups.iter().find(takes);
        group.map_or(UNGROUPED, |group| &group.name).to_owned()
    }
}

const fn place_of(conn: u64) -> usize {
    conn as usize % LATELY
}

fn version(fact: &Fact) -> Option<&'static str> {
    let opened: Opened = serde_json::from_str(&fact.note).ok()?;
    let version = opened
        .subprotocol
        .as_deref()
        .and_then(Version::from_subprotocol);
    // Without a subprotocol it is judged as OCPP 1.6.
    Some(version.unwrap_or(Version::V16).number())
}

fn gate(fact: &Fact) -> GateFile {
    let note: notes::Loaded = notes::read(fact);
    GateFile {
        id: fact.seq,
        at: fact.at,
        file: note.file,
        hash: note.hash,
        text: fact.text().unwrap_or_default().to_owned(),
    }
}

/// Whether a name fits a pattern: `*` is any text, `?` one character. Greedy with one step back, so the time is at most
/// the product of both lengths.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(c) if *c == '?' || *c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match &mut star {
                Some((at, taken)) => {
                    *taken += 1;
                    (p, n) = (*at + 1, *taken);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_people_expect() {
        for (pattern, name, is_fit) in [
            ("CP-1", "CP-1", true),
            ("CP-1", "CP-10", false),
            ("CP-*", "CP-", true),
            ("CP-*", "cp-1", false),
            ("*", "", true),
            ("CP-??", "CP-12", true),
            ("CP-??", "CP-1", false),
            ("*-dc-*", "a-dc-b-dc-c", true),
            ("*-dc-?", "a-dc-b-dc-cd", false),
            ("a*b*c", "a-b-b-c", true),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, name), is_fit, "{pattern} {name}");
        }
    }
}
