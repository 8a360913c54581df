//! Logs in which a message is a record: JSON, JSON Lines or CSV.

use chrono_tz::Tz;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Format, Found, ImportError, Said, Way, clock};
use crate::facts::Dir;
use crate::ocpp::{Envelope, Version, json};

/// A record of any of the formats; each uses some of the members.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Record<'a> {
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    #[serde(borrow)]
    payload: Option<&'a RawValue>,
    #[serde(borrow)]
    error_details: Option<&'a RawValue>,
    /// A number in newer versions of CitrineOS, where `ocppConnectionName` is the charger.
    #[serde(borrow)]
    station_id: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    direction: Option<String>,
    raw: Option<String>,
    origin: Option<String>,
    protocol: Option<String>,
    ocpp_version: Option<String>,
    charge_point_id: Option<String>,
    ocpp_connection_name: Option<String>,
    message_type: Option<String>,
    message_id: Option<String>,
    action: Option<String>,
    error_code: Option<String>,
    error_description: Option<String>,
}

/// A `DebugKit` trace as one object.
#[derive(Deserialize)]
struct Trace<'a> {
    #[serde(default)]
    metadata: Option<Metadata>,
    #[serde(borrow)]
    events: &'a RawValue,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metadata {
    station_id: Option<String>,
    ocpp_version: Option<String>,
}

/// Reads every record.
pub(super) fn read(bytes: &[u8], format: Format, zone: Tz) -> Result<Vec<Found>, ImportError> {
    let broken = |why: String| ImportError::Broken { format, why };
    let is_json = matches!(bytes.trim_ascii_start().first(), Some(b'{' | b'['));
    if !is_json {
        return Ok(in_order(csv(bytes, zone)));
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return Ok(lines(bytes, zone));
    };
    if let Ok(trace) = serde_json::from_str::<Trace<'_>>(text) {
        let events = trace.events.get();
        let at = events.as_ptr() as usize - text.as_ptr() as usize;
        let mut found = array(text, at, zone).map_err(broken)?;
        let about = trace.metadata.unwrap_or_default();
        for entry in &mut found {
            entry.charger = entry.charger.take().or_else(|| about.station_id.clone());
            entry.version = entry
                .version
                .or_else(|| version(about.ocpp_version.as_deref()));
        }
        return Ok(found);
    }
    let start = json::skip_space(bytes, 0);
    let found = if bytes.get(start) == Some(&b'[') {
        array(text, start, zone).map_err(broken)?
    } else {
        lines(bytes, zone)
    };
    Ok(if format == Format::Citrineos {
        in_order(found)
    } else {
        found
    })
}

/// Rows of a database come in any order.
fn in_order(mut found: Vec<Found>) -> Vec<Found> {
    // What cannot be read stays beside its neighbour.
    let mut near = found.iter().find_map(|entry| entry.at);
    for entry in &mut found {
        match (entry.at, &entry.said) {
            (None, Said::Bad(_)) => entry.at = near,
            (at, _) => near = at.or(near),
        }
    }
    found.sort_by_key(|entry| (entry.at, entry.row));
    found
}

fn lines(bytes: &[u8], zone: Tz) -> Vec<Found> {
    bytes
        .split(|byte| *byte == b'\n')
        .zip(1..)
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(line, number)| match std::str::from_utf8(line) {
            Ok(line) => element(line.trim(), number, zone),
            Err(_) => bad(number, "not UTF-8".to_owned()),
        })
        .collect()
}

/// The elements of the array that begins at `at`.
fn array(text: &str, at: usize, zone: Tz) -> Result<Vec<Found>, String> {
    let elements = json::elements(text, at).map_err(|error| error.to_string())?;
    let (mut seen, mut line) = (0, 1);
    Ok(elements
        .into_iter()
        .map(|range| {
            line += text[seen..range.start].matches('\n').count() as u64;
            seen = range.start;
            element(&text[range], line, zone)
        })
        .collect())
}

fn bad(line: u64, why: String) -> Found {
    Found {
        line,
        said: Said::Bad(why),
        ..Found::default()
    }
}

/// A record, or a bare message.
fn element(text: &str, line: u64, zone: Tz) -> Found {
    if text.starts_with('[') {
        return Found {
            line,
            said: frame(text.to_owned(), Way::Untold),
            ..Found::default()
        };
    }
    match serde_json::from_str::<Record<'_>>(text) {
        Ok(record) => record.found(line, zone),
        Err(error) => bad(line, error.to_string()),
    }
}

fn frame(text: String, way: Way) -> Said {
    match Envelope::parse(&text) {
        Ok(_) => Said::Message(text, way),
        Err(why) => Said::Bad(why.to_string()),
    }
}

fn version(told: Option<&str>) -> Option<Version> {
    let told = told?;
    Version::from_subprotocol(told).or_else(|| Version::from_number(told.trim()))
}

/// A JSON value as text: a string without quotes, anything else as it stands, `null` as nothing.
fn plain(value: Option<&RawValue>) -> Option<String> {
    let text = value?.get();
    if text == "null" {
        return None;
    }
    Some(json::string_value(text).map_or_else(|| text.to_owned(), std::borrow::Cow::into_owned))
}

impl Record<'_> {
    fn found(&self, line: u64, zone: Tz) -> Found {
        let told = plain(self.timestamp);
        let at = told.as_deref().and_then(|text| clock::parse(text, zone));
        let said = match (self.text(), told.is_some() && at.is_none()) {
            (_, true) => Said::Bad("its time cannot be read".to_owned()),
            (Some(text), _) => frame(text, self.way()),
            (None, _) => Said::Bad("it holds no message".to_owned()),
        };
        let name = [&self.charge_point_id, &self.ocpp_connection_name];
        let name = name
            .into_iter()
            .flatten()
            .find(|name| !name.is_empty())
            .cloned();
        let versions = [&self.ocpp_version, &self.protocol];
        Found {
            line,
            at,
            charger: name.or_else(|| plain(self.station_id)),
            row: plain(self.id).and_then(|id| id.parse().ok()),
            version: versions
                .into_iter()
                .find_map(|told| version(told.as_deref())),
            said,
        }
    }

    /// The message: `raw` as it was sent, `message` as it was kept, else put together from its parts.
    fn text(&self) -> Option<String> {
        let raw = self.raw.as_ref().filter(|raw| !raw.trim().is_empty());
        raw.cloned()
            .or_else(|| plain(self.message))
            .or_else(|| self.parts())
    }

    fn parts(&self) -> Option<String> {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let id = quoted(self.message_id.as_deref()?);
        let payload = self.payload.map_or("{}", RawValue::get);
        match self.message_type.as_deref()? {
            "CALL" => Some(format!(
                "[2,{id},{},{payload}]",
                quoted(self.action.as_deref()?)
            )),
            "CALLRESULT" => Some(format!("[3,{id},{payload}]")),
            "CALLERROR" => Some(format!(
                "[4,{id},{},{},{}]",
                quoted(self.error_code.as_deref()?),
                quoted(self.error_description.as_deref().unwrap_or_default()),
                self.error_details.map_or("{}", RawValue::get)
            )),
            _ => None,
        }
    }

    fn way(&self) -> Way {
        let told = self.direction.as_deref().or(self.origin.as_deref());
        match told.map(str::to_ascii_lowercase).as_deref() {
            Some("cs_to_csms" | "cp-to-csms" | "cs") => Way::Known(Dir::FromCharger),
            Some("csms_to_cs" | "csms-to-cp" | "csms") => Way::Known(Dir::ToCharger),
            _ => Way::Untold,
        }
    }
}

/// Rows with a heading, as `psql --csv` or `COPY ... CSV HEADER` writes them.
fn csv(bytes: &[u8], zone: Tz) -> Vec<Found> {
    let first = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let delimiter = *[b';', b'\t']
        .iter()
        .find(|mark| first.contains(mark))
        .unwrap_or(&b',');
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .flexible(true)
        .from_reader(bytes);
    let Ok(heading) = reader.headers().cloned() else {
        return vec![bad(1, "the heading cannot be read".to_owned())];
    };
    let mut found = Vec::new();
    for row in reader.records() {
        let line = |position: Option<&::csv::Position>| position.map_or(0, ::csv::Position::line);
        found.push(match row {
            Ok(row) => cells(&heading, &row, line(row.position()), zone),
            Err(error) => bad(line(error.position()), error.to_string()),
        });
    }
    found
}

fn cells(heading: &::csv::StringRecord, row: &::csv::StringRecord, line: u64, zone: Tz) -> Found {
    let cell = |name: &str| {
        let place = heading
            .iter()
            .position(|it| it.eq_ignore_ascii_case(name))?;
        row.get(place).filter(|cell| !cell.is_empty())
    };
    let at = cell("timestamp").and_then(|text| clock::parse(text, zone));
    let way = match cell("origin") {
        Some("cs") => Way::Known(Dir::FromCharger),
        Some("csms") => Way::Known(Dir::ToCharger),
        _ => Way::Untold,
    };
    let said = match cell("raw").or_else(|| cell("message")) {
        _ if at.is_none() => Said::Bad("its time cannot be read".to_owned()),
        Some(text) => frame(text.to_owned(), way),
        None => Said::Bad("it holds no message".to_owned()),
    };
    Found {
        line,
        at,
        charger: cell("ocppConnectionName")
            .or_else(|| cell("stationId"))
            .map(str::to_owned),
        row: cell("id").and_then(|id| id.parse().ok()),
        version: version(cell("protocol")),
        said,
    }
}
