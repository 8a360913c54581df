//! The operator's list of chargers, as CSV, and what becomes of it together with the groups that are configured.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::ledger::row::{Criticality, EVERYBODY, Estate, Group, Listed, UNGROUPED, Wave};

/// What is wrong with the list, and in which line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Mistake {
    /// The line, from 1.
    pub line: u64,
    /// What is wrong, as a sentence fragment.
    pub why: String,
}

/// A group as configured: what the recording keeps, and the chargers that are named there.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, Deserialize)]
pub struct Named {
    /// The group.
    pub group: Group,
    /// Its chargers by name.
    pub chargers: Vec<String>,
}

/// A charger that is said to be in two groups.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("charger {charger:?} is in group {0:?} and in group {1:?}", groups[0], groups[1])]
pub struct Torn {
    /// The charger.
    pub charger: String,
    /// Its groups.
    pub groups: [String; 2],
}

/// A line of the list. Only `charger` must be there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    charger: String,
    #[serde(default)]
    group: String,
    #[serde(default)]
    site: String,
    #[serde(default)]
    criticality: String,
    #[serde(default)]
    customer: String,
    /// With semicolons between them.
    #[serde(default)]
    depends: String,
}

/// Reads the list: CSV with a head, commas, and `#` before remarks.
pub fn read(text: &str) -> Result<Vec<Listed>, Mistake> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let headers = reader
        .headers()
        .cloned()
        .map_err(|error| mistake(&error, (text, 1)))?;
    let mut known = BTreeSet::new();
    let mut listed = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| mistake(&error, (text, 1)))?;
        let line = written(text, record.position().map_or(1, csv::Position::line));
        let row: Line = record
            .deserialize(Some(&headers))
            .map_err(|error| mistake(&error, (text, line)))?;
        let row = row.listed().map_err(|why| Mistake { line, why })?;
        if !known.insert(row.charger.clone()) {
            let why = format!("charger {:?} is there twice", row.charger);
            return Err(Mistake { line, why });
        }
        listed.push(row);
    }
    Ok(listed)
}

/// The line of a record: its reader counts the empty lines and remarks before it as a part of it.
fn written(text: &str, from: u64) -> u64 {
    let before = usize::try_from(from)
        .unwrap_or(usize::MAX)
        .saturating_sub(1);
    let skipped = text.lines().skip(before).take_while(|line| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#')
    });
    from + skipped.count() as u64
}

fn mistake(error: &csv::Error, (text, line): (&str, u64)) -> Mistake {
    let line = match error.kind() {
        csv::ErrorKind::Deserialize { .. } => line,
        _ => error.position().map_or(line, |at| written(text, at.line())),
    };
    let why = match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => format!("{len} columns where the head has {expected_len}"),
        csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
        _ => error.to_string(),
    };
    Mistake { line, why }
}

impl Line {
    fn listed(self) -> Result<Listed, String> {
        if self.charger.is_empty() {
            return Err("`charger` must not be empty".to_owned());
        }
        named(&self.group)?;
        let criticality = match self.criticality.as_str() {
            "" => None,
            word => Some(Criticality::from_word(word).ok_or_else(|| {
                format!("{word:?} is no criticality: write low, medium, high or critical")
            })?),
        };
        let depends = self.depends.split(';').map(str::trim);
        Ok(Listed {
            charger: self.charger,
            group: self.group,
            site: self.site,
            criticality,
            customer: self.customer,
            depends: depends
                .filter(|it| !it.is_empty())
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// Refuses names of groups that mean something else, as a sentence fragment.
pub fn named(group: &str) -> Result<(), String> {
    if [EVERYBODY, UNGROUPED].contains(&group) {
        return Err(format!(
            "{group:?} is no name for a group: it stands for chargers without one"
        ));
    }
    if group.chars().any(char::is_control) {
        return Err("the name of a group holds control characters".to_owned());
    }
    Ok(())
}

/// What the recording keeps of the configured groups, the waves and the list. A group that only the list names is one
/// without a rollback path and a wave.
pub fn assemble(named: &[Named], waves: &[Wave], listed: Vec<Listed>) -> Result<Estate, Torn> {
    let mut chargers: BTreeMap<String, Listed> = listed
        .into_iter()
        .map(|listed| (listed.charger.clone(), listed))
        .collect();
    for Named {
        group,
        chargers: own,
    } in named
    {
        for charger in own {
            let listed = chargers.entry(charger.clone()).or_insert_with(|| Listed {
                charger: charger.clone(),
                ..Listed::default()
            });
            if !listed.group.is_empty() && listed.group != group.name {
                return Err(Torn {
                    charger: charger.clone(),
                    groups: [listed.group.clone(), group.name.clone()],
                });
            }
            listed.group.clone_from(&group.name);
        }
    }
    let mut groups: Vec<Group> = named.iter().map(|named| named.group.clone()).collect();
    let configured: BTreeSet<String> = groups.iter().map(|group| group.name.clone()).collect();
    let mentioned: BTreeSet<&String> = chargers.values().map(|listed| &listed.group).collect();
    let only_listed = mentioned
        .into_iter()
        .filter(|name| !name.is_empty() && !configured.contains(*name));
    groups.extend(only_listed.map(|name| Group {
        name: name.clone(),
        ..Group::default()
    }));
    Ok(Estate {
        groups,
        waves: waves.to_vec(),
        chargers: chargers.into_values().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_what_is_known_of_each_charger() {
        let text = "charger,group,site,criticality,customer,depends\n# depot\nBUS-1, depot ,Noord,critical,GVB,roaming; payment\nX,,,,,\n";
        let listed = read(text).unwrap();
        assert_eq!(listed[0].group, "depot");
        assert_eq!(listed[0].criticality, Some(Criticality::Critical));
        assert_eq!(listed[0].depends, ["roaming", "payment"]);
        assert_eq!(
            listed[1],
            Listed {
                charger: "X".to_owned(),
                ..Listed::default()
            }
        );
        assert_eq!(read("charger\nA\nB\n").unwrap().len(), 2);
    }

    #[test]
    fn every_mistake_has_its_line() {
        for (text, line, says) in [
            ("group\nx\n", 2, "charger"),
            ("charger,colour\nA,red\n", 2, "colour"),
            ("charger,group\nA,x\nA,y\n", 3, "twice"),
            ("charger,group\nA,x\n\n# more\n,y\n", 5, "empty"),
            ("charger,criticality\nA,vital\n", 2, "low, medium, high"),
            ("charger,group\nA\n", 2, "1 columns"),
            ("charger,group\nA,all\n", 2, "no name"),
        ] {
            let mistake = read(text).unwrap_err();
            assert_eq!(mistake.line, line, "{mistake}");
            assert!(mistake.why.contains(says), "{mistake}");
        }
    }

    #[test]
    fn groups_come_from_both_places_and_a_charger_has_one() {
        let listed = |charger: &str, group: &str| Listed {
            charger: charger.to_owned(),
            group: group.to_owned(),
            site: "S".to_owned(),
            ..Listed::default()
        };
        let north = Named {
            group: Group {
                name: "north".to_owned(),
                ..Group::default()
            },
            chargers: vec!["A".to_owned(), "B".to_owned()],
        };
        let list = vec![listed("B", ""), listed("C", "south")];
        let estate = assemble(std::slice::from_ref(&north), &[], list).unwrap();
        let groups: Vec<_> = estate
            .groups
            .iter()
            .map(|group| group.name.as_str())
            .collect();
        assert_eq!(groups, ["north", "south"]);
        let chargers: Vec<_> = (estate.chargers.iter())
            .map(|it| (it.charger.as_str(), it.group.as_str(), it.site.as_str()))
            .collect();
        assert_eq!(
            chargers,
            [("A", "north", ""), ("B", "north", "S"), ("C", "south", "S")]
        );
        let torn = assemble(&[north], &[], vec![listed("A", "south")]).unwrap_err();
        assert_eq!(
            torn.to_string(),
            "charger \"A\" is in group \"south\" and in group \"north\""
        );
    }
}
