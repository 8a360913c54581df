//! `sessions.places`: where the backends' words for a place lie on the wire, as CSV or TOML.

use std::path::Path;

use serde::Deserialize;
use toml::Spanned;

use super::config::Sessions;
use super::error::{CliError, Exit};
use crate::clock::Micros;
use crate::facts::Leg;
use crate::judge::{Place, Places, Settings};

/// A line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// `legacy`, `candidate` or `both`.
    backend: String,
    /// The EVSE's or the location's identifier at that backend.
    place: String,
    /// The charger's identity.
    charger: String,
    /// The connector, as the charger counts.
    connector: Option<String>,
    /// IANA name, for tariffs that change with the hour.
    time_zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Toml {
    #[serde(default)]
    place: Vec<Spanned<Line>>,
}

/// What the operator says about sessions, its file read.
pub(super) fn load(sessions: &Sessions) -> Result<Settings, CliError> {
    let micros = |span: std::time::Duration| span.as_micros() as Micros;
    Ok(Settings {
        places: match &sessions.places {
            Some(file) => read(file)?,
            None => Places::default(),
        },
        session_slo: micros(sessions.session_slo),
        cdr_slo: micros(sessions.cdr_slo),
        quiet: micros(sessions.quiet),
    })
}

fn read(file: &Path) -> Result<Places, CliError> {
    let text = std::fs::read_to_string(file).map_err(|error| wrong(file, None, &error))?;
    let is_toml = file.extension().is_some_and(|ending| ending == "toml");
    let lines = if is_toml {
        toml_lines(file, &text)?
    } else {
        csv_lines(file, &text)?
    };
    let mut places = Places::default();
    for (number, line) in lines {
        add(&mut places, line).map_err(|why| wrong(file, Some(number), &why))?;
    }
    Ok(places)
}

fn csv_lines(file: &Path, text: &str) -> Result<Vec<(u64, Line)>, CliError> {
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut lines = Vec::new();
    let headers = reader.headers().cloned();
    let headers = headers.map_err(|error| wrong(file, Some(1), &error))?;
    for record in reader.records() {
        let number = |at: Option<&csv::Position>| at.map(csv::Position::line);
        let record = record.map_err(|error| wrong(file, number(error.position()), &error))?;
        let at = number(record.position());
        let line = record.deserialize(Some(&headers));
        lines.push((
            at.unwrap_or_default(),
            line.map_err(|error| wrong(file, at, &said(&error)))?,
        ));
    }
    Ok(lines)
}

/// What is wrong with a record, without its place, which is said already.
fn said(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::Deserialize { err, .. } => err.to_string(),
        _ => error.to_string(),
    }
}

fn toml_lines(file: &Path, text: &str) -> Result<Vec<(u64, Line)>, CliError> {
    let number = |at: usize| text[..at.min(text.len())].matches('\n').count() as u64 + 1;
    let read: Toml = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| number(span.start));
        wrong(file, line, &error.message())
    })?;
    let lines = read.place.into_iter();
    Ok(lines
        .map(|line| (number(line.span().start), line.into_inner()))
        .collect())
}

/// Adds a line; an error is a sentence fragment.
fn add(places: &mut Places, line: Line) -> Result<(), String> {
    let legs =
        match line.backend.as_str() {
            "both" => vec![Leg::Legacy, Leg::Candidate],
            word => vec![Leg::from_word(word).ok_or_else(|| {
                format!("{word:?} is no backend: write legacy, candidate or both")
            })?],
        };
    if line.place.is_empty() || line.charger.is_empty() {
        return Err("`place` and `charger` must not be empty".to_owned());
    }
    let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
    let zone = filled(line.time_zone).map(|name| {
        let zone = name.parse();
        zone.map_err(|_| format!("no time zone {name:?}: write for example Europe/Berlin"))
    });
    let place = Place {
        charger: line.charger,
        connector: filled(line.connector),
        zone: zone.transpose()?,
    };
    for leg in legs {
        let name = (leg, line.place.clone());
        if places.by_evse.insert(name, place.clone()).is_some() {
            let (place, leg) = (&line.place, leg.word());
            return Err(format!("{place:?} of {leg} is there twice"));
        }
    }
    Ok(())
}

fn wrong(file: &Path, line: Option<u64>, why: &dyn std::fmt::Display) -> CliError {
    let at = line.map_or_else(String::new, |line| format!(" line {line}"));
    CliError::new(
        Exit::Usage,
        "CFG-050",
        format!("{}{at}: {why}", file.display()),
    )
    .help("`evenkeel explain CFG-050` says the form")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_as(name: &str, text: &str) -> Result<Places, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(name);
        std::fs::write(&file, text).unwrap();
        read(&file).map_err(|error| error.render())
    }

    #[test]
    fn both_forms_say_the_same() {
        let csv = "backend,place,charger,connector,time_zone\n# ours\nboth, E1 ,CP1,2,Europe/Berlin\nlegacy,L2,CP2,,\n";
        let toml = "[[place]]\nbackend = \"both\"\nplace = \"E1\"\ncharger = \"CP1\"\nconnector = \"2\"\n\
                    time_zone = \"Europe/Berlin\"\n[[place]]\nbackend = \"legacy\"\nplace = \"L2\"\ncharger = \"CP2\"\n";
        let places = read_as("places.csv", csv).unwrap();
        assert_eq!(places, read_as("places.toml", toml).unwrap());
        assert_eq!(places.by_evse.len(), 3);
        let lies = &places.by_evse[&(Leg::Candidate, "E1".to_owned())];
        assert_eq!(lies.connector.as_deref(), Some("2"));
        let other = &places.by_evse[&(Leg::Legacy, "L2".to_owned())];
        assert_eq!((other.connector.as_ref(), other.zone), (None, None));
    }

    #[test]
    fn every_mistake_has_its_file_and_line() {
        let head = "backend,place,charger,connector,time_zone\n";
        for (name, text, line) in [
            (
                "p.csv",
                format!("{head}both,E1,CP1,1,\nours,E2,CP1,1,\n"),
                3,
            ),
            ("p.csv", format!("{head}both,E1,CP1,1,Mars\n"), 2),
            ("p.csv", format!("{head}both,E1,,1,\n"), 2),
            (
                "p.csv",
                format!("{head}both,E1,CP1,1,\nlegacy,E1,CP2,1,\n"),
                3,
            ),
            ("p.csv", format!("{head}both,E1\n"), 2),
            ("p.csv", "backend,place\nboth,E1\n".to_owned(), 2),
            ("p.toml", "[[place]]\nbackend = \"both\"\n".to_owned(), 1),
            (
                "p.toml",
                "\n[[place]]\nbackend = \"x\"\nplace = \"E\"\ncharger = \"C\"\n".to_owned(),
                2,
            ),
        ] {
            let error = read_as(name, &text).unwrap_err();
            assert!(error.contains("CFG-050"), "{error}");
            assert!(error.contains(&format!("{name} line {line}")), "{error}");
        }
    }
}
