//! Likely causes of findings, looked for in the exchanges around their last sightings.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::ReportError;
use crate::facts;
use crate::judge::cause::{self, Trait, TraitKind};
use crate::ledger::query::{self, Reader};
use crate::ledger::views::{Cause, Finding, Support};
use crate::ocpp::{Envelope, quirks};

/// Exchanges of each kind, divergent and equal, that are looked at.
const MOST: usize = 1_000;

/// Says of each finding what most likely brings it about, where that can be said. Only of findings in charger's CALLs.
pub fn add(dir: &Path, reader: &Reader, findings: &mut [Finding]) -> Result<(), ReportError> {
    if findings.is_empty() {
        return Ok(());
    }
    let world = World {
        facts: facts::Reader::open(dir)?,
        quirks: quirks_of(reader)?,
        reader,
    };
    for finding in findings {
        if finding.exposure.unit == "exchanges" && finding.count >= cause::SUPPORT {
            finding.cause = world.cause(finding)?;
        }
    }
    Ok(())
}

struct World<'a> {
    facts: facts::Reader,
    reader: &'a Reader,
    /// The names of each charger's own quirks.
    quirks: BTreeMap<String, BTreeSet<&'static str>>,
}

impl World<'_> {
    fn cause(&self, finding: &Finding) -> Result<Option<Cause>, ReportError> {
        let [divergent, mut equal] = self.reader.cases(&finding.id, &finding.action, MOST)?;
        if finding.kind == "value" {
            equal = self.comparable(equal, &finding.path)?;
        }
        let ids = || divergent.iter().chain(&equal).map(|case| case.id);
        let (Some(first), Some(last)) = (ids().min(), ids().max()) else {
            return Ok(None);
        };
        let commands = self.reader.commands_between((first, last))?;
        let mut cases = Vec::with_capacity(divergent.len() + equal.len());
        for (found, is_divergent) in [(&divergent, true), (&equal, false)] {
            for case in found {
                cases.push(cause::Case {
                    divergent: is_divergent,
                    charger: case.charger.clone(),
                    traits: self.traits(case, &commands)?,
                });
            }
        }
        Ok(cause::likely(&cases).map(Cause::from))
    }

    /// Those whose answer holds what differs elsewhere. The others could not differ there whatever their chargers are and
    /// send: what they lack would be taken for the cause.
    fn comparable(
        &self,
        equal: Vec<query::Case>,
        path: &str,
    ) -> Result<Vec<query::Case>, ReportError> {
        let mut kept = Vec::with_capacity(equal.len());
        for case in equal {
            let answer = self.facts.by_seq(case.answer)?;
            if answer
                .as_ref()
                .and_then(facts::Fact::text)
                .is_some_and(|text| cause::holds(text, path))
            {
                kept.push(case);
            }
        }
        Ok(kept)
    }

    fn traits(
        &self,
        case: &query::Case,
        commands: &BTreeMap<String, Vec<(u64, String)>>,
    ) -> Result<BTreeSet<Trait>, ReportError> {
        let fact = self.facts.by_seq(case.id)?;
        let text = fact.as_ref().and_then(|fact| fact.text());
        let mut traits = match text.map(Envelope::parse) {
            Some(Ok(envelope)) => cause::of_request(envelope.payload),
            _ => BTreeSet::new(),
        };
        let mut add = |kind, attribute: &str, value: &str| {
            if !value.is_empty() {
                traits.insert(Trait {
                    kind,
                    attribute: attribute.to_owned(),
                    value: format!("is {value}"),
                });
            }
        };
        add(TraitKind::Firmware, "firmware", &case.firmware);
        add(TraitKind::Model, "model", &case.model);
        add(TraitKind::Charger, "charger", &case.charger);
        for quirk in self.quirks.get(&case.charger).into_iter().flatten() {
            add(TraitKind::Quirk, "a quirk", quirk);
        }
        let before = commands.get(&case.charger).and_then(|commands| {
            let behind = commands.partition_point(|(seq, _)| *seq < case.id);
            commands[..behind].last()
        });
        if let Some((_, action)) = before {
            add(TraitKind::Command, "the command before", action);
        }
        Ok(traits)
    }
}

fn quirks_of(reader: &Reader) -> Result<BTreeMap<String, BTreeSet<&'static str>>, ReportError> {
    let mut found: BTreeMap<String, BTreeSet<&'static str>> = BTreeMap::new();
    for seen in reader.quirks(&query::Filter::default())? {
        let known = quirks::Quirk::from_row(seen.row).filter(|_| seen.leg.is_empty());
        for charger in seen.chargers {
            if let Some(quirk) = known {
                found.entry(charger).or_default().insert(quirk.name());
            }
        }
    }
    Ok(found)
}

impl From<cause::Likely> for Cause {
    fn from(likely: cause::Likely) -> Self {
        let share = |(divergent, of)| Support { divergent, of };
        Self {
            attribute: likely.what.attribute,
            value: likely.what.value,
            with: share(likely.with),
            without: share(likely.without),
        }
    }
}
