//! What an operator knows about chargers before they have told it: an export of the legacy's, as a file.
//!
//! The form, JSON: `{"chargers": {"CP1": {"taken": "2026-11-01T09:00:00Z", "configuration": {...}, "reports": {...}}}}`.
//! `configuration` is a 1.6 `GetConfiguration.conf`, as an object or as text that holds one (`SteVe` keeps it so in
//! `charge_box.ocpp_configuration`). `reports` has under `FullInventory`, `ConfigurationInventory` or `SummaryInventory` a
//! list of `NotifyReport` requests, or a list of the elements of their `reportData`. `taken` says when that was so.

use std::collections::BTreeMap;
use std::ops::Range;

use chrono::{DateTime, SecondsFormat};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::device::BASES;
use crate::clock::Micros;
use crate::ocpp::json::string_value;

/// How many variables are put into one report when the file holds no messages.
const PAGE: usize = 50;

/// What a file says about one charger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// When it was so, µs since the Unix epoch.
    pub at: Micros,
    /// A 1.6 `GetConfiguration.conf` that lists all keys.
    pub configuration: Option<String>,
    /// `NotifyReport` requests by report base, in order.
    pub inventories: BTreeMap<&'static str, Vec<Value>>,
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ImportError {
    /// Bytes of the file.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File<'a> {
    #[serde(borrow)]
    chargers: BTreeMap<String, &'a RawValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry<'a> {
    #[serde(borrow)]
    taken: Option<&'a RawValue>,
    #[serde(borrow)]
    configuration: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reports: BTreeMap<String, &'a RawValue>,
}

const FORM: &str = "the form is {\"chargers\": {\"CP1\": {\"taken\": ..., \"configuration\": {...}, \"reports\": {\"FullInventory\": [...]}}}}";

/// Reads a file. `written`: when what it says was so, where it does not say itself.
pub fn parse(source: &str, written: Micros) -> Result<BTreeMap<String, Import>, ImportError> {
    let reading = Reading { source };
    let file: File<'_> = reading.json(source, FORM)?;
    file.chargers
        .into_iter()
        .map(|(charger, entry)| Ok((charger, reading.entry(entry, written)?)))
        .collect()
}

/// Knows the file, so that every complaint can point into it.
struct Reading<'a> {
    source: &'a str,
}

impl<'a> Reading<'a> {
    fn entry(&self, entry: &'a RawValue, written: Micros) -> Result<Import, ImportError> {
        let entry: Entry<'a> = self.json(entry.get(), FORM)?;
        let at = entry
            .taken
            .map_or(Ok(written), |taken| self.instant(taken))?;
        let configuration = entry.configuration.map(|listing| self.listing(listing));
        let mut inventories = BTreeMap::new();
        for (base, list) in entry.reports {
            let Some(known) = BASES.into_iter().find(|known| *known == base) else {
                let message = format!("{base:?} is no report base");
                let help =
                    "report bases are FullInventory, ConfigurationInventory and SummaryInventory";
                return Err(self.error(list.get(), message, help));
            };
            inventories.insert(known, self.report(list, at)?);
        }
        Ok(Import {
            at,
            configuration: configuration.transpose()?,
            inventories,
        })
    }

    fn instant(&self, literal: &'a RawValue) -> Result<Micros, ImportError> {
        let text = string_value(literal.get());
        let instant = text.and_then(|text| DateTime::parse_from_rfc3339(&text).ok());
        instant
            .map(|instant| instant.timestamp_micros())
            .ok_or_else(|| {
                let message = "`taken` is no instant".to_owned();
                self.error(
                    literal.get(),
                    message,
                    "write it as RFC 3339: \"2026-11-01T09:00:00Z\"",
                )
            })
    }

    /// A `GetConfiguration.conf`, or a string that holds one.
    fn listing(&self, literal: &'a RawValue) -> Result<String, ImportError> {
        let help = "expected a GetConfiguration.conf: {\"configurationKey\": [{\"key\": ..., \"readonly\": ..., \"value\": ...}]}";
        let no_listing = || {
            self.error(
                literal.get(),
                "no list of configuration keys".to_owned(),
                help,
            )
        };
        let text = if literal.get().starts_with('"') {
            string_value(literal.get())
                .ok_or_else(no_listing)?
                .into_owned()
        } else {
            literal.get().to_owned()
        };
        let listing: Value = serde_json::from_str(&text).map_err(|_| no_listing())?;
        let keys = listing["configurationKey"]
            .as_array()
            .ok_or_else(no_listing)?;
        if keys.is_empty() || keys.iter().any(|key| !key["key"].is_string()) {
            return Err(no_listing());
        }
        Ok(text)
    }

    /// `NotifyReport` requests, or the variables of one inventory.
    fn report(&self, literal: &'a RawValue, at: Micros) -> Result<Vec<Value>, ImportError> {
        let help = "expected a list of whole NotifyReport requests, or a list of their reportData elements";
        let list: Vec<Value> = self.json(literal.get(), help)?;
        let error = |message: &str| Err(self.error(literal.get(), message.to_owned(), help));
        let is_variable = |element: &Value| {
            element["component"]["name"].is_string() && element["variable"]["name"].is_string()
        };
        if !list.is_empty() && list.iter().all(is_variable) {
            return Ok(paged("reportData", &list, &instant_text(at)));
        }
        let places = list.iter().map(|page| page["seqNo"].as_u64());
        if list.is_empty() || !places.eq((0..).map(Some).take(list.len())) {
            return error("messages whose `seqNo` does not count from 0");
        }
        let more = list
            .iter()
            .map(|page| page["tbc"].as_bool().unwrap_or(false));
        if !more.eq((1..=list.len()).map(|number| number < list.len())) {
            return error("messages whose `tbc` does not end with the last");
        }
        let whole = |page: &Value| {
            page["generatedAt"].is_string()
                && page["reportData"]
                    .as_array()
                    .is_none_or(|data| data.iter().all(is_variable))
        };
        if !list.iter().all(whole) {
            return error(
                "a message without `generatedAt`, or with an element that is no variable",
            );
        }
        Ok(list)
    }

    fn json<T: Deserialize<'a>>(
        &self,
        part: &'a str,
        help: &'static str,
    ) -> Result<T, ImportError> {
        serde_json::from_str(part).map_err(|error| {
            let line = part
                .split_inclusive('\n')
                .take(error.line().saturating_sub(1));
            let inside = line.map(str::len).sum::<usize>() + error.column().saturating_sub(1);
            let at = self.place(part).start + inside.min(part.len());
            let mut message = error.to_string();
            message.truncate(message.rfind(" at line ").unwrap_or(message.len()));
            ImportError {
                at: at..at,
                message,
                help,
            }
        })
    }

    fn error(&self, part: &str, message: String, help: &'static str) -> ImportError {
        let at = self.place(part);
        ImportError { at, message, help }
    }

    /// Where a part of the file lies in it.
    fn place(&self, part: &str) -> Range<usize> {
        let start = part
            .as_ptr()
            .addr()
            .saturating_sub(self.source.as_ptr().addr());
        start..start + part.len()
    }
}

/// An instant as OCPP writes it.
fn instant_text(at: Micros) -> String {
    DateTime::from_timestamp_micros(at)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A series of reports that holds these elements under `member`; who sends them fills the request id in.
pub fn paged(member: &str, entries: &[Value], generated_at: &str) -> Vec<Value> {
    let last = entries.len().div_ceil(PAGE).saturating_sub(1);
    entries
        .chunks(PAGE)
        .enumerate()
        .map(|(number, entries)| {
            json!({"requestId": 0, "generatedAt": generated_at, "seqNo": number,
                "tbc": number < last, member: entries})
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const VARIABLE: &str =
        r#"{"component":{"name":"A"},"variable":{"name":"B"},"variableAttribute":[{"value":"1"}]}"#;

    #[test]
    fn both_forms_of_both_versions_are_read() {
        let listing = r#"{"configurationKey":[{"key":"Foo","readonly":true,"value":"1"}]}"#;
        let escaped = listing.replace('"', "\\\"");
        let source = format!(
            r#"{{"chargers":{{
                "CP1":{{"taken":"2026-11-01T09:00:00+01:00","configuration":{listing}}},
                "CP2":{{"configuration":"{escaped}","reports":{{"FullInventory":[{VARIABLE}]}}}},
                "CP3":{{"reports":{{"SummaryInventory":[
                    {{"requestId":9,"seqNo":0,"tbc":true,"generatedAt":"x","reportData":[{VARIABLE}]}},
                    {{"requestId":9,"seqNo":1,"generatedAt":"x"}}]}}}}}}}}"#
        );
        let read = parse(&source, 7).unwrap();
        assert_eq!(read["CP1"].at, 1_793_520_000_000_000);
        assert_eq!(read["CP1"].configuration.as_deref(), Some(listing));
        assert_eq!(
            (read["CP2"].at, &read["CP2"].configuration),
            (7, &read["CP1"].configuration)
        );
        let pages = &read["CP2"].inventories["FullInventory"];
        assert_eq!((pages.len(), &pages[0]["tbc"]), (1, &json!(false)));
        assert_eq!(read["CP3"].inventories["SummaryInventory"].len(), 2);
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        for (source, at, word) in [
            ("{\n \"charger\": 1}", "charger", "unknown field"),
            ("{\"chargers\":{\"A\":{\n\"x\":1}}}", "x\"", "unknown field"),
            (
                r#"{"chargers":{"A":{"taken":"yesterday"}}}"#,
                "\"yesterday",
                "instant",
            ),
            (
                r#"{"chargers":{"A":{"configuration":{"a":1}}}}"#,
                "{\"a\"",
                "configuration keys",
            ),
            (
                r#"{"chargers":{"A":{"reports":{"Half":[]}}}}"#,
                "[]",
                "report base",
            ),
            (
                r#"{"chargers":{"A":{"reports":{"FullInventory":[{"seqNo":1}]}}}}"#,
                "[{\"seqNo",
                "seqNo",
            ),
            (
                r#"{"chargers":{"A":{"reports":{"FullInventory":[{"seqNo":0,"tbc":true}]}}}}"#,
                "[{\"seqNo",
                "tbc",
            ),
            (
                r#"{"chargers":{"A":{"reports":{"FullInventory":[{"seqNo":0}]}}}}"#,
                "[{\"seqNo",
                "generatedAt",
            ),
        ] {
            let error = parse(source, 0).unwrap_err();
            assert!(error.message.contains(word), "{error:?}");
            let expected = source.find(at).unwrap();
            assert!(
                error.at.start.abs_diff(expected) <= at.len() + 2,
                "{error:?} {source}"
            );
            assert!(!error.help.is_empty());
        }
    }
}
