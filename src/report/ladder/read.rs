//! What stands on a ladder, read from the recording.

use std::collections::BTreeMap;

use super::Story;
use crate::facts::Reader;
use crate::ledger::query::{self, Item};
use crate::ledger::row::Subject;
use crate::report::ReportError;
use crate::report::evidence::{Fate, gist};

/// Words by the fact that they are about.
pub type Words = BTreeMap<u64, String>;

/// How far a word about the fate of a copy is looked for, in facts.
const WITHIN: u64 = 2_000;

/// What the texts of these items come down to, as `spoken` tells them, and what became of their copies.
pub fn texts(
    facts: &Reader,
    items: &[Item],
    spoken: impl Fn(&[u8]) -> String,
) -> Result<(Words, Words), ReportError> {
    let (mut said, mut fates) = (Words::new(), Words::new());
    for item in items {
        for seq in item.facts[1..].iter().copied().filter(|seq| *seq != 0) {
            if item.subject != Subject::Handshake
                && let Some(fact) = facts.by_seq(seq)?
            {
                said.insert(seq, spoken(&fact.body));
            }
        }
        let [call, _, shadow] = item.facts;
        let open = match item.subject {
            Subject::Exchange => call != 0 && shadow == 0,
            Subject::Command => shadow != 0,
            Subject::Handshake | Subject::Session => false,
        };
        if open {
            let fate = Fate::of(facts, ([call, shadow], item.sent), WITHIN)?.says();
            if !fate.is_empty() {
                fates.insert(item.id, fate);
            }
        }
    }
    Ok((said, fates))
}

/// The steps around one item of a charger: so many before it, and it with so many behind it.
pub fn around(
    facts: &Reader,
    ledger: &query::Reader,
    (charger, id): (&str, u64),
    reach: (usize, usize),
    veiled: impl Fn(&str) -> String,
) -> Result<Story, ReportError> {
    let items = ledger.around(charger, id, reach)?;
    let spoken = |body: &[u8]| match std::str::from_utf8(body) {
        Ok(text) => gist(veiled(text).as_bytes()),
        Err(_) => gist(body),
    };
    let (said, fates) = texts(facts, &items, spoken)?;
    Ok(Story {
        items,
        said,
        fates,
        events: Vec::new(),
    })
}
