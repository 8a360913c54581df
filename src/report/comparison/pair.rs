//! Two messages beside each other, field by field, whatever the judge said of either: the first stands where the legacy does, the
//! second where the candidate does.

use std::collections::{BTreeMap, BTreeSet};

use super::fields::{Token, dotted, leaves, tokens};
use super::{Comparison, Row, Said, Section, cut};
use crate::ledger::Mark;
use crate::report::escape::{printable, printable_bytes};
use crate::report::evidence::{Evidence, Text};

/// Rows of one part at most: the rest is counted.
const MOST: usize = 1_000;

impl Comparison {
    /// Of two exchanges or commands, the first and the second.
    pub fn of_two(first: &Evidence, second: &Evidence) -> Self {
        let (ours, theirs) = (first.sides(), second.sides());
        let parts = [
            ("request", [first.request.as_ref(), second.request.as_ref()]),
            ("legacy", [ours[0], theirs[0]]),
            ("candidate", [ours[1], theirs[1]]),
        ];
        let spoken = parts
            .into_iter()
            .filter(|(_, texts)| texts.iter().any(Option::is_some));
        let name = |evidence: &Evidence| {
            let judged = &evidence.judged;
            format!("{} seq {}", printable(&judged.action), judged.id)
        };
        Self {
            title: format!("{} beside {}", name(first), name(second)),
            sections: spoken.map(|(title, texts)| section(title, texts)).collect(),
            raw: Vec::new(),
        }
    }
}

fn section(title: &str, texts: [Option<&Text>; 2]) -> Section {
    let mut rows: BTreeMap<Vec<Token>, (String, [Option<String>; 2])> = BTreeMap::new();
    for (side, text) in texts.into_iter().enumerate() {
        for (pointer, value) in fields(text) {
            let row = rows
                .entry(tokens(&pointer))
                .or_insert((pointer, [None, None]));
            row.1[side] = Some(value);
        }
    }
    let more = rows.len().saturating_sub(MOST);
    let rows = rows
        .into_values()
        .take(MOST)
        .map(|(pointer, [first, second])| Row {
            mark: if first == second {
                Mark::Equal
            } else {
                Mark::Divergent
            },
            path: dotted(&pointer),
            wire: None,
            legacy: first.map(|value| cut(printable(&value))),
            candidate: second.map(|value| cut(printable(&value))),
            why: String::new(),
        });
    Section {
        title: title.to_owned(),
        rows: rows.collect(),
        more,
        ..Section::default()
    }
}

/// The fields of a text with their JSON pointers; of what is no payload, the whole of it.
fn fields(text: Option<&Text>) -> Vec<(String, String)> {
    match Said::of(text) {
        Said::Nothing => Vec::new(),
        Said::Payload(node) => {
            let mut found = Vec::new();
            leaves(&node, String::new(), &BTreeSet::new(), &mut found);
            found
        }
        Said::Error(error) => vec![(
            String::new(),
            format!("error {} {:?}", error.code, error.description),
        )],
        Said::Bytes(text) => vec![(String::new(), printable_bytes(&text.bytes))],
    }
}
