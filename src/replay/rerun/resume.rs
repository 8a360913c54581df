//! How far every charger is, so that an interrupted run can go on.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ocpp::Class;
use crate::ocpp::relation::Relation;

/// What its `schema` says.
pub const SCHEMA: &str = "evenkeel.rerun/1";

/// Where every charger is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// [`SCHEMA`].
    pub schema: String,
    /// Fingerprint of what is played: another recording or another choice of chargers has other places.
    pub of: String,
    /// By identity, as the targets know it.
    pub chargers: BTreeMap<String, Place>,
}

/// Where one charger is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// The CALL that comes next, from 0.
    pub next: usize,
    /// Fresh ids of 2.x transactions, by the recorded ones, as JSON text.
    pub transactions: BTreeMap<String, String>,
    /// For each target what it calls what: class, the recorded identifier, its own, as JSON text.
    pub identifiers: Vec<Vec<(String, String, String)>>,
}

/// A relation as it is kept.
pub(super) fn kept(relation: &Relation) -> Vec<(String, String, String)> {
    let pairs = relation.pairs();
    pairs
        .map(|(class, ours, theirs)| (class.word().to_owned(), ours.literal(), theirs.literal()))
        .collect()
}

/// The reverse of [`kept`]. Classes of a later version of this program are left out.
pub(super) fn relation(kept: &[(String, String, String)]) -> Relation {
    let mut relation = Relation::new();
    for (class, ours, theirs) in kept {
        if let Some(class) = Class::from_word(class) {
            relation.relearn(class, ours, theirs);
        }
    }
    relation
}
