//! What was compared, by whom, with what, and how names were hidden.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{Audience, ReportError, Wanted, World, told};
use crate::ledger::row::EVERYBODY;

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Who made it; empty if nobody said.
    pub by: String,
    /// For whom.
    pub recipient: String,
    /// The version of this program that wrote the report.
    pub version: &'static str,
    /// Those that recorded.
    pub recorders: Vec<String>,
    /// The recording's name for itself.
    pub run: String,
    /// Builds of the legacy, as the operator calls them.
    pub legacy_builds: Vec<String>,
    /// Builds of the candidate.
    pub candidate_builds: Vec<String>,
    /// When the first fact was, RFC 3339.
    pub from: String,
    /// When the last was.
    pub to: String,
    /// The group that it is about; none for all chargers.
    pub group: Option<String>,
    /// The groups of the estate.
    pub groups: Vec<String>,
    /// Chargers by what they are.
    pub chargers: Vec<Kind>,
    /// OCPP versions that were spoken lately.
    pub ocpp: Vec<String>,
    /// Facts in the recording.
    pub facts: u64,
    /// The last fact that was judged.
    pub judged: u64,
    /// Fingerprint of the rules.
    pub rules: String,
    /// Digest of the ledger: who judges the recording again gets the same.
    pub digest: String,
    /// How names were hidden.
    pub pseudonyms: Pseudonyms,
}

/// Chargers that are alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Kind {
    /// Their vendor; empty if they have not told.
    pub vendor: String,
    /// Their model.
    pub model: String,
    /// Their firmware.
    pub firmware: String,
    /// How many there are.
    pub count: u64,
}

/// How names were hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pseudonyms {
    /// Tells keys apart and says nothing about them.
    pub key: String,
    /// Whether all times are shifted by one constant.
    pub times_shifted: bool,
}

impl Head {
    pub(super) fn of(
        world: &World<'_>,
        wanted: &Wanted,
        digest: &str,
    ) -> Result<Self, ReportError> {
        let survey = world.survey;
        let listed = |words: &std::collections::BTreeSet<String>| {
            words
                .iter()
                .map(|word| crate::report::printable(word))
                .collect()
        };
        let time = |at: Option<i64>| at.map_or_else(String::new, |at| told(world.veil, at));
        let groups = world.ledger.groups()?.into_iter().map(|group| group.name);
        Ok(Self {
            by: wanted.by.clone(),
            recipient: wanted.recipient.clone(),
            version: env!("CARGO_PKG_VERSION"),
            recorders: listed(&survey.recorders),
            run: survey.run.clone(),
            legacy_builds: listed(&survey.legacy_builds),
            candidate_builds: listed(&survey.builds),
            from: time(survey.window.map(|(first, _)| first)),
            to: time(survey.window.map(|(_, last)| last)),
            group: wanted.group.as_deref().map(|name| world.veil.prose(name)),
            groups: (groups.filter(|name| name != EVERYBODY))
                .map(|name| world.veil.prose(&name))
                .collect(),
            chargers: kinds(world)?,
            ocpp: world.ledger.matrix()?.versions,
            facts: survey.facts,
            judged: world.ledger.cursor()?.seq,
            rules: world.rules.fingerprint().to_owned(),
            digest: digest.to_owned(),
            pseudonyms: Pseudonyms {
                key: world.veil.key_id(),
                times_shifted: world.veil.shifts(),
            },
        })
    }
}

/// Chargers by vendor, model and firmware, as they told last.
fn kinds(world: &World<'_>) -> Result<Vec<Kind>, ReportError> {
    let mut counts: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for (_, charger) in world.ledger.chargers()? {
        let shown = |text: &str| crate::report::printable(text);
        let kind = (
            shown(&charger.vendor),
            shown(&charger.model),
            shown(&charger.firmware),
        );
        *counts.entry(kind).or_default() += 1;
    }
    Ok(counts
        .into_iter()
        .map(|((vendor, model, firmware), count)| Kind {
            vendor,
            model,
            firmware,
            count,
        })
        .collect())
}

/// The name of a report: what it is made of decides it.
pub(super) fn id(world: &World<'_>, wanted: &Wanted, digest: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
    let audience = match wanted.audience {
        Audience::Vendor => "vendor",
        Audience::SignOff => "sign-off",
    };
    let mut hash = Sha256::new();
    for part in [
        audience,
        digest,
        world.rules.fingerprint(),
        &wanted.recipient,
        &world.veil.key_id(),
        &told(world.veil, 0),
        wanted.group.as_deref().unwrap_or_default(),
        &format!("{:?}", wanted.findings.terms),
        wanted
            .since
            .as_ref()
            .map_or("", |earlier| earlier.id.as_str()),
    ] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let letters = hash.finalize().into_iter().take(12);
    let name = letters.map(|byte| char::from(LETTERS[usize::from(byte % 32)]));
    format!("R-{}", name.collect::<String>())
}
