//! SteVe's REST API: transactions with register readings, no cost.
//!
//! It tells no time of change and filters by start, so a pass begins at the start of the oldest transaction that was open
//! in the pass before, a day earlier because the filter is in the server's own time zone, which it does not tell.

use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::DateTime;
use hyper::Uri;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use serde_json::value::RawValue;

use super::ReadError;
use super::http::{self, Client, HttpError, Limits};
use super::shelf::{Found, Shelf};
use crate::clock::{Clock, Micros};
use crate::judge::records::{self, Form, RecordKind};
use crate::live::secret::Secret;

const DAY: Micros = 86_400_000_000;

/// A SteVe to read.
#[derive(Debug, Clone)]
pub struct Api {
    /// Where it is, up to its context path: `https://steve.example/steve`.
    pub base: Uri,
    /// How to log in.
    pub login: Login,
    /// Certificates to trust (PEM).
    pub ca: Option<PathBuf>,
    /// How hard it is asked.
    pub limits: Limits,
}

/// How to log in.
#[derive(Debug, Clone)]
pub enum Login {
    /// HTTP Basic.
    Basic {
        /// User.
        user: String,
        /// Password.
        password: Secret,
    },
    /// A key in a header; `STEVE-API-KEY` unless the server was told otherwise.
    Key {
        /// The header.
        header: HeaderName,
        /// The key.
        key: Secret,
    },
}

impl Login {
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Key { header, key } => Some((header.clone(), http::secret(key.expose())?)),
            Self::Basic { user, password } => {
                let pair = [user.as_bytes(), b":", password.expose()].concat();
                let value = Secret::new(format!("Basic {}", STANDARD.encode(pair)));
                Some((AUTHORIZATION, http::secret(value.expose())?))
            }
        }
    }
}

/// What of a pass tells where the next one begins.
#[derive(Default)]
struct Extent {
    oldest_open: Option<Micros>,
    newest: Option<Micros>,
}

/// One pass: the open transactions, and all that began after `from`.
pub async fn read(api: &Api, from: Option<Micros>, shelf: &mut Shelf) -> Result<(), ReadError> {
    let mut client = Client::new(api.limits, api.ca.as_deref(), shelf.tally())?;
    let mut extent = Extent::default();
    let mut page = 0;
    for query in queries(from) {
        page += 1;
        let url = url(&api.base, &query)?;
        let answer = client.get(&url, &headers(api)?).await?;
        keep(&url, &answer.body, page, &mut extent, shelf).await?;
    }
    let next = [extent.oldest_open, extent.newest];
    if let Some(next) = next.into_iter().flatten().min() {
        shelf.next_from(next);
    }
    Ok(())
}

fn queries(from: Option<Micros>) -> Vec<String> {
    let Some(from) = from else {
        return vec!["type=ALL&periodType=ALL".to_owned()];
    };
    let day = |at: Micros| {
        let at = DateTime::from_timestamp_micros(at).unwrap_or_default();
        at.format("%Y-%m-%dT%H:%M").to_string()
    };
    let (from, to) = (day(from - DAY), day(Clock::system().now() + DAY));
    vec![
        "type=ACTIVE&periodType=ALL".to_owned(),
        format!("type=ALL&periodType=FROM_TO&from={from}&to={to}"),
    ]
}

fn url(base: &Uri, query: &str) -> Result<Uri, HttpError> {
    let base = base.to_string();
    let base = base.trim_end_matches('/');
    http::parse(&format!("{base}/api/v1/transactions?{query}"))
}

fn headers(api: &Api) -> Result<HeaderMap, ReadError> {
    let (name, value) = api.login.header().ok_or_else(|| ReadError::Answer {
        url: http::plain(&api.base),
        why: "the log-in holds characters that no header can carry".to_owned(),
    })?;
    let mut headers = HeaderMap::new();
    headers.insert(name, value);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    Ok(headers)
}

async fn keep(
    url: &Uri,
    body: &[u8],
    page: u64,
    extent: &mut Extent,
    shelf: &mut Shelf,
) -> Result<(), ReadError> {
    let name = http::plain(url);
    let broken = |why: String| ReadError::Answer {
        url: name.clone(),
        why,
    };
    let list: Vec<&RawValue> = serde_json::from_slice(body)
        .map_err(|error| broken(format!("not a list of transactions: {error}")))?;
    for (row, raw) in (1..).zip(list) {
        let read: Option<Value> = serde_json::from_str(raw.get()).ok();
        let key = read.and_then(|value| records::key(Form::Steve, &value));
        let key = key.ok_or_else(|| broken(format!("transaction {row} has no id")))?;
        extent.newest = extent.newest.max(key.start);
        if key.is_open {
            let open = extent.oldest_open.into_iter().chain(key.start);
            extent.oldest_open = open.min();
        }
        let found = Found {
            form: Form::Steve,
            kind: RecordKind::Session,
            id: &key.id,
            body: raw.get().as_bytes(),
            updated: None,
            url: &name,
            page,
            row,
            columns: None,
        };
        shelf.put(&found).await?;
    }
    Ok(())
}
