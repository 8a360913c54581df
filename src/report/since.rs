//! An earlier report, as far as a later one is held against it.

use serde::{Deserialize, Serialize};

use super::model::SCHEMA;
use super::package::{self, PackageError};
use crate::ledger::row::{State, Subject};
use crate::ocpp::Severity;

/// The file in the archive that holds a report as data.
const DATA: &str = "report.json";

/// Why an archive is no earlier report.
#[derive(Debug, thiserror::Error)]
pub enum SinceError {
    /// It is not as it was written.
    #[error("{0}")]
    Altered(String),
    /// It cannot be unpacked.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// It is an archive of something else.
    #[error("it holds no {DATA}")]
    NoReport,
    /// Its data cannot be read.
    #[error("{DATA} cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A later version of the form, or another one.
    #[error("its schema is {0:?}, not {SCHEMA:?}")]
    Schema(String),
}

/// What is remembered of an earlier report.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Earlier {
    /// Its id.
    pub id: String,
    /// The key of its pseudonyms: names may be taken from it by who has the same.
    pub key: String,
    /// The group that it was about.
    pub group: Option<String>,
    /// When its last fact was, RFC 3339.
    pub to: String,
    /// Builds of the candidate that it was about.
    pub builds: Vec<String>,
    /// Its findings.
    pub findings: Vec<Past>,
}

/// A finding of an earlier report, or of one that this was held against.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// `F-` and eight characters.
    pub id: String,
    /// How bad it was.
    pub severity: Severity,
    /// A sentence.
    pub title: String,
    /// Where.
    pub place: String,
    /// What it is a difference of.
    pub subject: Subject,
    /// The action; empty for handshakes.
    pub action: String,
    /// How often, and out of how many.
    pub exposure: Share,
    /// Models that it was seen on.
    pub models: Vec<String>,
    /// Why it did not count; none if it did, or was undecided.
    pub settled: Option<Settled>,
}

/// Why a finding of an earlier report did not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settled {
    /// People had accepted it.
    Accepted,
    /// It was said to be fixed.
    Fixed,
    /// It had not been seen where an earlier report still had it.
    Gone,
}

/// How often something was seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// So often.
    pub count: u64,
    /// Out of so many.
    pub of: u64,
    /// The largest share that this is still likely to be a sample of.
    pub bound: Option<f64>,
}

#[derive(Deserialize)]
struct Form {
    schema: String,
}

#[derive(Deserialize)]
struct Data {
    id: String,
    head: HeadData,
    findings: Vec<CardData>,
    settled: SettledData,
    since: Option<SinceData>,
}

#[derive(Deserialize)]
struct HeadData {
    to: String,
    group: Option<String>,
    candidate_builds: Vec<String>,
    pseudonyms: KeyData,
}

#[derive(Deserialize)]
struct KeyData {
    key: String,
}

#[derive(Deserialize)]
struct CardData {
    id: String,
    severity: Severity,
    title: String,
    place: String,
    subject: Subject,
    action: String,
    exposure: Share,
    models: Vec<String>,
    /// Only of findings that are no longer open.
    #[serde(default)]
    settled: Option<Settled>,
}

#[derive(Deserialize)]
struct SettledData {
    findings: Vec<AcceptedData>,
}

#[derive(Deserialize)]
struct AcceptedData {
    id: String,
    severity: Severity,
    title: String,
    place: String,
    subject: Subject,
    action: String,
    state: State,
}

#[derive(Deserialize)]
struct SinceData {
    past: Vec<CardData>,
}

impl Earlier {
    /// Reads the archive of a report, once nothing in it was altered.
    pub fn read(archive: &[u8]) -> Result<Self, SinceError> {
        if let Some(why) = package::check(archive, None).broken.into_iter().next() {
            return Err(SinceError::Altered(why));
        }
        let files = package::unpack(archive)?;
        let data = files.into_iter().find(|file| file.name == DATA);
        let data = data.ok_or(SinceError::NoReport)?;
        let form: Form = serde_json::from_slice(&data.bytes)?;
        if form.schema != SCHEMA {
            return Err(SinceError::Schema(form.schema));
        }
        let data: Data = serde_json::from_slice(&data.bytes)?;
        Ok(Self::from(data))
    }

    /// Its finding with this id.
    pub fn finding(&self, id: &str) -> Option<&Past> {
        self.findings.iter().find(|past| past.id == id)
    }
}

impl Settled {
    /// What people said of a finding that does not count.
    pub const fn of(state: State) -> Self {
        match state {
            State::Fixed => Self::Fixed,
            _ => Self::Accepted,
        }
    }

    /// How it was, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Accepted => "it was accepted",
            Self::Fixed => "it was called fixed",
            Self::Gone => "it was gone",
        }
    }
}

impl From<Data> for Earlier {
    /// What that report had from the one before it is remembered too: what was not exercised then is not forgotten.
    fn from(data: Data) -> Self {
        let past = data.since.into_iter().flat_map(|since| since.past);
        let settled = data.settled.findings.into_iter().map(Past::from);
        let mut findings: Vec<Past> = (data.findings.into_iter().map(Past::from))
            .chain(settled)
            .collect();
        for past in past.map(Past::from) {
            if findings.iter().all(|known| known.id != past.id) {
                findings.push(past);
            }
        }
        Self {
            id: data.id,
            key: data.head.pseudonyms.key,
            group: data.head.group,
            to: data.head.to,
            builds: data.head.candidate_builds,
            findings,
        }
    }
}

impl From<CardData> for Past {
    fn from(card: CardData) -> Self {
        Self {
            id: card.id,
            severity: card.severity,
            title: card.title,
            place: card.place,
            subject: card.subject,
            action: card.action,
            exposure: card.exposure,
            models: card.models,
            settled: card.settled,
        }
    }
}

impl From<AcceptedData> for Past {
    fn from(accepted: AcceptedData) -> Self {
        Self {
            id: accepted.id,
            severity: accepted.severity,
            title: accepted.title,
            place: accepted.place,
            subject: accepted.subject,
            action: accepted.action,
            exposure: Share::default(),
            models: Vec::new(),
            settled: Some(Settled::of(accepted.state)),
        }
    }
}
