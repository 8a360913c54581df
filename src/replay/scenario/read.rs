//! A scenario file, read and checked.

mod expectations;
mod order;
mod step;

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::model::{Booked, Charger, Scenario};
use super::text::{Mistake, Placed, Section, json, listed};
use super::variables::{BUILT_IN, Name, is_name, uses};
use crate::ledger::filter::nearest;
use crate::ocpp::Version;

const KEYS: [&str; 9] = [
    "name",
    "proves",
    "version",
    "tags",
    "limit",
    "charger",
    "variables",
    "step",
    "session",
];

/// How long a scenario may take that does not say.
const LIMIT: Duration = Duration::from_mins(2);

/// The longest that one may take.
const LONGEST: Duration = Duration::from_hours(1);

impl Scenario {
    /// Reads a scenario; `text` is the whole file.
    pub fn read(text: &str) -> Result<Self, Mistake> {
        let table = DeTable::parse(text).map_err(|error| {
            let what = error.message().trim().to_owned();
            let help = "a scenario is TOML: https://toml.io";
            Mistake::new(error.span().unwrap_or_default(), what, "not TOML", help)
        })?;
        let file = Section::file(&table);
        file.only(&KEYS)?;
        let mut names = Names::default();
        let version = version(&file)?;
        let charger = charger(&file)?;
        let variables = variables(&file, &mut names)?;
        let steps = file.sections("step", "a step")?;
        if steps.is_empty() {
            let help = "write for example\n\n        [[step]]\n        call = \"BootNotification\"";
            return Err(Mistake::new(
                0..0,
                "the scenario has no step",
                "nothing happens",
                help,
            ));
        }
        let mut read = Vec::new();
        for (number, section) in (1..).zip(&steps) {
            read.push(step::step(section, number, version, &mut names)?);
        }
        order::check(&read)?;
        Ok(Self {
            name: (*file.needs("name", "A driver charges and leaves")?.get_ref()).to_owned(),
            proves: (*file
                .needs("proves", "Both backends accept the driver's card.")?
                .get_ref())
            .to_owned(),
            version,
            tags: (file.texts("tags")?.iter())
                .map(|tag| (*tag.get_ref()).to_owned())
                .collect(),
            limit: limit(&file)?,
            charger,
            variables,
            sessions: sessions(&file)?,
            steps: read,
        })
    }
}

fn version(file: &Section<'_>) -> Result<Version, Mistake> {
    let named = file.needs("version", "1.6")?;
    Version::from_number(named.get_ref()).ok_or_else(|| {
        Mistake::new(
            named.span(),
            format!("no version {:?}", named.get_ref()),
            "not a version of OCPP that is spoken here",
            "write \"1.6\", \"2.0.1\" or \"2.1\"",
        )
    })
}

fn limit(file: &Section<'_>) -> Result<Duration, Mistake> {
    let Some(limit) = file.span_of("limit")? else {
        return Ok(LIMIT);
    };
    bounded(&limit, LONGEST, "a scenario may take an hour")
}

/// A length of real time that is not too long.
fn bounded(time: &Spanned<Duration>, most: Duration, help: &str) -> Result<Duration, Mistake> {
    let is_fit = (Duration::from_millis(1)..=most).contains(time.get_ref());
    is_fit.then_some(*time.get_ref()).ok_or_else(|| {
        Mistake::new(
            time.span(),
            "nobody waits so long",
            "out of range",
            format!("{help} at most"),
        )
    })
}

fn charger(file: &Section<'_>) -> Result<Charger, Mistake> {
    const KEYS: [&str; 6] = [
        "identity",
        "vendor",
        "model",
        "serial",
        "firmware",
        "connectors",
    ];
    let mut charger = Charger {
        identity: None,
        vendor: "Tallow".to_owned(),
        model: "Kerb 11".to_owned(),
        serial: "SN-0001".to_owned(),
        firmware: "1.0.0".to_owned(),
        connectors: 1,
    };
    let Some(section) = file.section("charger", "the charger")? else {
        return Ok(charger);
    };
    section.only(&KEYS)?;
    charger.identity = section.plain("identity")?;
    let fields = [
        ("vendor", &mut charger.vendor),
        ("model", &mut charger.model),
        ("serial", &mut charger.serial),
        ("firmware", &mut charger.firmware),
    ];
    for (key, field) in fields {
        if let Some(text) = section.plain(key)? {
            *field = text;
        }
    }
    if let Some(connectors) = section.number("connectors")? {
        let fits = u32::try_from(connectors)
            .ok()
            .filter(|it| (1..=64).contains(it));
        charger.connectors = fits.ok_or_else(|| {
            let span = section.place_of("connectors").unwrap_or_default();
            let help = "a charger has 1 to 64 connectors";
            Mistake::new(span, "too many or too few connectors", "out of range", help)
        })?;
    }
    Ok(charger)
}

fn variables(file: &Section<'_>, names: &mut Names) -> Result<Vec<(String, Value)>, Mistake> {
    let Some(section) = file.section("variables", "the variables")? else {
        return Ok(Vec::new());
    };
    let mut variables = Vec::new();
    for (name, span, value) in section.entries() {
        if !is_name(name) || BUILT_IN.contains(&name) {
            let what = format!("a variable cannot be called `{name}`");
            let help = format!("letters, digits, - and _; {} are taken", listed(&BUILT_IN));
            return Err(Mistake::new(span, what, "no name", help));
        }
        variables.push((name.to_owned(), names.template(value)?));
    }
    // Only now: a variable is no part of another one, whatever their order.
    names
        .known
        .extend(variables.iter().map(|(name, _)| name.clone()));
    names.in_steps = true;
    Ok(variables)
}

fn sessions(file: &Section<'_>) -> Result<Vec<Booked>, Mistake> {
    let sections = file.sections("session", "a session")?;
    let read = sections.iter().map(|section| {
        section.only(&["energy_wh", "books"])?;
        let agrees = match section.text("books")? {
            None => true,
            Some(word) if *word.get_ref() == "agree" => true,
            Some(word) if *word.get_ref() == "any" => false,
            Some(word) => {
                let what = format!("books cannot be {:?}", word.get_ref());
                let help = "write \"agree\" or \"any\"";
                return Err(Mistake::new(word.span(), what, "unknown word", help));
            }
        };
        let energy = section.number("energy_wh")?;
        Ok(Booked {
            span: section.span(),
            energy_wh: energy.map(|wh| (wh, section.place_of("energy_wh").unwrap_or_default())),
            agrees,
        })
    });
    read.collect()
}

/// Variables that have a value by the step that is read.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: BTreeSet<String>,
    /// Steps are read; before, there are only variables.
    in_steps: bool,
}

impl Names {
    /// A value that may name variables, as JSON. Each name must mean something by now.
    pub(super) fn template(&self, value: &Placed<'_>) -> Result<Value, Mistake> {
        self.check(value)?;
        json(value)
    }

    fn check(&self, value: &Placed<'_>) -> Result<(), Mistake> {
        match value.get_ref() {
            DeValue::String(text) => self.check_text(text, &value.span()),
            DeValue::Array(values) => values.iter().try_for_each(|value| self.check(value)),
            DeValue::Table(table) => table.values().try_for_each(|value| self.check(value)),
            _ => Ok(()),
        }
    }

    fn check_text(&self, text: &str, span: &Range<usize>) -> Result<(), Mistake> {
        for found in uses(text) {
            // Behind the quotation mark; where there are escapes, the whole text is shown.
            let plain = span.len() == text.len() + 2;
            let at = |at: Range<usize>| span.start + 1 + at.start..span.start + 1 + at.end;
            let place = if plain {
                at(found.at.clone())
            } else {
                span.clone()
            };
            match found.name {
                Name::Now(_) | Name::Filler(_) => {}
                Name::Variable(name) if self.is_known(name) => {}
                Name::Variable(name) => {
                    let help = self.meant(name);
                    let what = format!("no variable `{name}`");
                    return Err(Mistake::new(place, what, "has no value here", help));
                }
                Name::Broken => {
                    let what = format!("{:?} cannot be read", &text[found.at]);
                    let help = "write ${name}, ${now}, ${now+1h} or ${filler:70000}";
                    return Err(Mistake::new(place, what, "not a name", help));
                }
            }
        }
        Ok(())
    }

    fn is_known(&self, name: &str) -> bool {
        match name {
            "uuid" => !self.in_steps,
            "filler" | "now" => false,
            name => BUILT_IN.contains(&name) || self.known.contains(name),
        }
    }

    fn meant(&self, name: &str) -> String {
        if name == "uuid" {
            return "each use would be another one: write  [variables]  and there  transaction = \"${uuid}\"".to_owned();
        }
        let known = self.known.iter().map(String::as_str).chain(BUILT_IN);
        match nearest(name, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "give it one under [variables], or let an earlier step capture it:  capture = {{ {name} = \"transactionId\" }}"
            ),
        }
    }

    /// From here on a name has a value.
    pub(super) fn learn(&mut self, name: &str) {
        self.known.insert(name.to_owned());
    }
}
