//! `[estate]`, `[group.NAME]` and `[wave.NAME]`: which chargers move together, when, and who answers for it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::file::Checker;
use super::units::Span;
use crate::cli::error::CliError;
use crate::estate::fleet::{self, Named};
use crate::ledger::row::{Group, Wave};

/// Names of chargers that groups may hold in the configuration, together: the shadow plane gets it as one argument.
const MOST_NAMES: usize = 1_000;

/// What is configured of the estate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estate {
    /// The file that lists the chargers.
    pub chargers: Option<PathBuf>,
    /// The file with the gate's criteria.
    pub gate: Option<PathBuf>,
    /// Groups, in the order of the file.
    pub groups: Vec<Named>,
    /// Waves, in the order of the file.
    pub waves: Vec<Wave>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct EstateSection {
    chargers: Option<Spanned<PathBuf>>,
    gate: Option<Spanned<PathBuf>>,
}

/// `[group.NAME]` tables by name.
pub(super) type Groups = BTreeMap<Spanned<String>, GroupSection>;

/// `[wave.NAME]` tables by name.
pub(super) type Waves = BTreeMap<Spanned<String>, WaveSection>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GroupSection {
    #[serde(default)]
    chargers: Vec<Spanned<String>>,
    #[serde(default, rename = "match")]
    patterns: Vec<String>,
    #[serde(default)]
    rollback: String,
    rollback_takes: Option<Span>,
    rehearsed: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaveSection {
    date: Spanned<String>,
    #[serde(default)]
    groups: Vec<Spanned<String>>,
    #[serde(default)]
    window: String,
    point_of_no_return: Option<Spanned<String>>,
    #[serde(default)]
    sign_off: String,
    #[serde(default)]
    decision: String,
    #[serde(default)]
    deputy: String,
    #[serde(default)]
    rollback: String,
    #[serde(default)]
    communications: Vec<String>,
}

impl Checker<'_> {
    pub(super) fn estate(
        &self,
        section: EstateSection,
        groups: Groups,
        waves: Waves,
    ) -> Result<Estate, CliError> {
        let file = |file: Option<Spanned<PathBuf>>| file.map(|it| self.existing(&it)).transpose();
        let mut estate = Estate {
            chargers: file(section.chargers)?,
            gate: file(section.gate)?,
            groups: self.groups(groups)?,
            waves: Vec::new(),
        };
        let mut waves: Vec<_> = waves.into_iter().collect();
        waves.sort_by_key(|(name, _)| name.span().start);
        for (name, wave) in waves {
            self.assign(&name, &wave.groups, &mut estate.groups)?;
            estate.waves.push(self.wave(name.into_inner(), wave)?);
        }
        Ok(estate)
    }

    fn groups(&self, groups: Groups) -> Result<Vec<Named>, CliError> {
        let mut sections: Vec<_> = groups.into_iter().collect();
        // Patterns are tried in the order of the file.
        sections.sort_by_key(|(name, _)| name.span().start);
        let mut homes: BTreeMap<String, String> = BTreeMap::new();
        let mut groups = Vec::new();
        for (name, section) in sections {
            fleet::named(name.get_ref()).map_err(|why| self.misplaced(&name, why, "this name"))?;
            for charger in &section.chargers {
                let home = homes.insert(charger.get_ref().clone(), name.get_ref().clone());
                if let Some(home) = home {
                    let why = format!(
                        "charger {:?} is in group {home:?} already",
                        charger.get_ref()
                    );
                    return Err(self.misplaced(charger, why, "once more"));
                }
                if homes.len() > MOST_NAMES {
                    let why = format!("groups name more than {MOST_NAMES} chargers");
                    return Err(self.misplaced(charger, why, "one too many"));
                }
            }
            groups.push(self.group(name.into_inner(), section)?);
        }
        Ok(groups)
    }

    fn group(&self, name: String, section: GroupSection) -> Result<Named, CliError> {
        let rehearsed = section.rehearsed.map(|date| self.date(&date)).transpose()?;
        let chargers = section.chargers.into_iter().map(Spanned::into_inner);
        Ok(Named {
            group: Group {
                name,
                wave: String::new(),
                patterns: section.patterns,
                rollback: section.rollback,
                rollback_s: section.rollback_takes.map(|span| span.0.as_secs()),
                rehearsed: rehearsed.unwrap_or_default(),
            },
            chargers: chargers.collect(),
        })
    }

    /// Puts groups into a wave. Groups that only the list of chargers names get their table here.
    fn assign(
        &self,
        wave: &Spanned<String>,
        moving: &[Spanned<String>],
        groups: &mut Vec<Named>,
    ) -> Result<(), CliError> {
        for name in moving {
            let known = (groups.iter()).position(|known| known.group.name == *name.get_ref());
            let place = known.unwrap_or(groups.len());
            if known.is_none() {
                fleet::named(name.get_ref())
                    .map_err(|why| self.misplaced(name, why, "this name"))?;
                let mut new = Named::default();
                new.group.name.clone_from(name.get_ref());
                groups.push(new);
            }
            let group = &mut groups[place].group;
            if !group.wave.is_empty() {
                let why = format!("group {:?} is in wave {:?} already", group.name, group.wave);
                return Err(self.misplaced(name, why, "once more"));
            }
            group.wave.clone_from(wave.get_ref());
        }
        Ok(())
    }

    fn wave(&self, name: String, section: WaveSection) -> Result<Wave, CliError> {
        let last = section.point_of_no_return.map(|at| {
            let time = at.get_ref().parse::<DateTime<Utc>>();
            time.map(|time| time.timestamp_micros()).map_err(|_| {
                let why = format!("{:?} is no time", at.get_ref());
                self.misplaced(&at, why, "write for example 2027-01-31T04:30:00+01:00")
            })
        });
        Ok(Wave {
            name,
            date: self.date(&section.date)?,
            window: section.window,
            point_of_no_return: last.transpose()?,
            sign_off: section.sign_off,
            decision: section.decision,
            deputy: section.deputy,
            rollback: section.rollback,
            communications: section.communications,
        })
    }

    fn date(&self, date: &Spanned<String>) -> Result<String, CliError> {
        let parsed = date.get_ref().parse::<NaiveDate>();
        parsed.map(|date| date.to_string()).map_err(|_| {
            let why = format!("{:?} is no day", date.get_ref());
            self.misplaced(date, why, "write for example 2027-01-31")
        })
    }

    fn misplaced<T>(&self, at: &Spanned<T>, why: String, label: &str) -> CliError {
        let help = "`evenkeel init --print` shows groups and waves; many chargers belong into the file that \
                    `estate.chargers` names";
        self.error("CFG-060", at, why, label, help)
    }
}
