//! Pulls sessions and CDRs as an eMSP.
//!
//! Pages shift while records change: what is seen twice counts once, and where fewer records came than the peer says
//! there are, the pages are read again.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat};
use hyper::Uri;
use hyper::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{Envelope, OcpiError, Party, TokenEncoding};
use crate::backends::ReadError;
use crate::backends::http::{self, Client, HttpError, Limits};
use crate::backends::shelf::{Found, Shelf};
use crate::clock::{Clock, Micros};
use crate::judge::records::{self, Form, RecordKind};
use crate::live::secret::Secret;

/// Versions that are read, best first. 2.3.0 is read too, but tells prices in another way.
const VERSIONS: [&str; 3] = ["2.2.1", "2.3.0", "2.2"];

/// Times that pages are read in one pass until as many records came as there are.
const ROUNDS: u32 = 3;

/// Pages of one pass at most; a peer with more has no end.
const MOST_PAGES: u64 = 100_000;

/// A CPO to pull from.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where its versions are listed.
    pub versions: Option<Uri>,
    /// Where its sessions are, if not where the versions say.
    pub sessions: Option<Uri>,
    /// Where its CDRs are, if not where the versions say.
    pub cdrs: Option<Uri>,
    /// Whether to read sessions and CDRs.
    pub wanted: Vec<RecordKind>,
    /// The token that the peer has given to this eMSP.
    pub token: Secret,
    /// How it is written.
    pub encoding: TokenEncoding,
    /// Who asks.
    pub from: Party,
    /// Who is asked; absent when the peer has one party only and wants none named.
    pub to: Option<Party>,
    /// Certificates to trust (PEM).
    pub ca: Option<PathBuf>,
    /// Records asked for per page; the peer may give fewer.
    pub page: Option<u32>,
    /// How far before the last pass's end the next begins.
    pub overlap: Duration,
    /// How hard it is asked.
    pub limits: Limits,
}

impl Peer {
    /// What is read of it.
    pub fn kinds(&self) -> Vec<RecordKind> {
        self.wanted.clone()
    }
}

#[derive(Deserialize)]
struct Version {
    version: String,
    url: String,
}

#[derive(Deserialize)]
struct Details {
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    identifier: String,
    role: Option<String>,
    url: String,
}

/// One pass: everything of one kind that changed after `from`.
pub async fn read(
    peer: &Peer,
    kind: RecordKind,
    from: Option<Micros>,
    books: &mut Shelf,
) -> Result<(), ReadError> {
    let mut asking = Asking {
        peer,
        client: Client::new(peer.limits, peer.ca.as_deref(), books.tally())?,
        asked: 0,
    };
    let endpoint = asking.endpoint(kind).await?;
    let overlap = peer.overlap.as_micros() as Micros;
    let first = first_page(&endpoint, kind, from.map(|from| from - overlap), peer.page)?;
    let mut before = None;
    for _ in 0..ROUNDS {
        let told = asking.pages(&first, kind, books).await?;
        let seen = books.seen();
        // Another look that shows nothing new: the peer counts differently.
        if told.is_none_or(|told| seen >= told) || before == Some(seen) {
            break;
        }
        before = Some(seen);
    }
    Ok(())
}

/// The URL of the first page.
fn first_page(
    endpoint: &Uri,
    kind: RecordKind,
    from: Option<Micros>,
    page: Option<u32>,
) -> Result<Uri, HttpError> {
    // `date_from` is required for sessions.
    let from = from.or((kind == RecordKind::Session).then_some(0));
    let from = from.and_then(|from| DateTime::from_timestamp_micros(from.max(0)));
    let from = from.map(|from| from.to_rfc3339_opts(SecondsFormat::Secs, true));
    let mut query = vec!["offset=0".to_owned()];
    query.extend(from.map(|from| format!("date_from={from}")));
    query.extend(page.map(|limit| format!("limit={limit}")));
    with_query(endpoint, &query.join("&"))
}

fn with_query(url: &Uri, query: &str) -> Result<Uri, HttpError> {
    let join = if url.query().is_some() { '&' } else { '?' };
    http::parse(&format!("{url}{join}{query}"))
}

/// The URL of the page that begins at `offset`.
fn at_offset(page: &Uri, offset: u64) -> Result<Uri, HttpError> {
    let text = page.to_string();
    let (path, query) = text.split_once('?').unwrap_or((&text, ""));
    let rest = query
        .split('&')
        .filter(|part| !part.is_empty() && !part.starts_with("offset="));
    let query: Vec<&str> = rest.collect();
    http::parse(&format!("{path}?offset={offset}&{}", query.join("&")))
}

/// A pass under way.
struct Asking<'a> {
    peer: &'a Peer,
    client: Client,
    asked: u64,
}

impl Asking<'_> {
    async fn endpoint(&mut self, kind: RecordKind) -> Result<Uri, ReadError> {
        let (module, configured) = match kind {
            RecordKind::Session => ("sessions", &self.peer.sessions),
            RecordKind::Cdr => ("cdrs", &self.peer.cdrs),
        };
        if let Some(url) = configured {
            return Ok(url.clone());
        }
        let Some(versions) = &self.peer.versions else {
            let url = "the configuration".to_owned();
            return Err(OcpiError::NoEndpoint { url, module }.into());
        };
        let listed: Vec<Version> = self.ask(versions).await?;
        let best = VERSIONS
            .iter()
            .find_map(|wanted| listed.iter().find(|listed| listed.version == *wanted));
        let url = http::plain(versions);
        let best = best.ok_or(OcpiError::NoVersion { url })?;
        let details_url = self.trusted(&best.url)?;
        let details: Details = self.ask(&details_url).await?;
        let offers = |endpoint: &&Endpoint| {
            let is_sender = endpoint.role.as_deref().is_none_or(|role| role == "SENDER");
            endpoint.identifier == module && is_sender
        };
        let url = http::plain(&details_url);
        let endpoint = details.endpoints.iter().find(offers);
        let endpoint = endpoint.ok_or(OcpiError::NoEndpoint { url, module })?;
        self.trusted(&endpoint.url)
    }

    /// A URL that the peer told, if the token may go there: to the host that was configured, and not in the clear where
    /// that one is https.
    fn trusted(&self, url: &str) -> Result<Uri, ReadError> {
        let url = http::parse(url)?;
        let home = self.peer.versions.as_ref();
        let is_home = home.is_some_and(|home| {
            let same_host =
                home.host().map(str::to_ascii_lowercase) == url.host().map(str::to_ascii_lowercase);
            same_host && (home.scheme() == url.scheme() || url.scheme_str() == Some("https"))
        });
        if is_home {
            return Ok(url);
        }
        let endpoint = http::plain(&url);
        Err(OcpiError::OtherHost { endpoint }.into())
    }

    async fn ask<T: for<'de> Deserialize<'de>>(&mut self, url: &Uri) -> Result<T, ReadError> {
        let headers = self.headers(false)?;
        let answer = self.client.get(url, &headers).await?;
        let name = http::plain(url);
        let envelope = Envelope::read(&name, &answer.body)?;
        Ok(envelope.data(&name)?)
    }

    /// Reads all pages; returns how many records there are, if the peer says so.
    async fn pages(
        &mut self,
        first: &Uri,
        kind: RecordKind,
        books: &mut Shelf,
    ) -> Result<Option<u64>, ReadError> {
        let mut url = first.clone();
        let (mut page, mut offset, mut told) = (0, 0, None);
        let mut been = HashSet::new();
        loop {
            page += 1;
            if page > MOST_PAGES || !been.insert(url.to_string()) {
                let url = http::plain(&url);
                return Err(OcpiError::Endless { url }.into());
            }
            let headers = self.headers(true)?;
            let answer = self.client.get(&url, &headers).await?;
            let count = self.keep(&url, &answer.body, kind, page, books).await?;
            offset += count;
            let total = number(&answer.headers, "x-total-count");
            told = total.or(told);
            note_told(books, told);
            match next(&answer.headers) {
                Some(link) => {
                    let link = resolved(&url, &link)?;
                    // Elsewhere the token does not go: the same page is asked for here.
                    url = if http::same_origin(&link, &url) {
                        link
                    } else {
                        at_offset(&url, offset)?
                    };
                }
                // Some peers count but never link.
                None if count > 0 && total.is_some_and(|total| offset < total) => {
                    url = at_offset(&url, offset)?;
                }
                None => return Ok(told),
            }
        }
    }

    /// Records one page; returns how many records are on it.
    async fn keep(
        &self,
        url: &Uri,
        body: &[u8],
        kind: RecordKind,
        page: u64,
        books: &mut Shelf,
    ) -> Result<u64, ReadError> {
        let name = http::plain(url);
        let envelope = Envelope::read(&name, body)?;
        let list: Vec<&RawValue> = envelope.data(&name)?;
        for (row, raw) in (1..).zip(&list) {
            let read: Option<Value> = serde_json::from_str(raw.get()).ok();
            let key = read.and_then(|value| records::key(Form::Ocpi, &value));
            let Some(key) = key else {
                let why = format!("record {row} on page {page} has no id");
                return Err(OcpiError::NotOcpi { url: name, why }.into());
            };
            let found = Found {
                form: Form::Ocpi,
                kind,
                id: &key.id,
                body: raw.get().as_bytes(),
                updated: key.updated,
                url: &name,
                page,
                row,
                columns: None,
            };
            books.put(&found).await?;
        }
        Ok(list.len() as u64)
    }

    /// Headers of a request. Routing headers belong to functional modules only.
    fn headers(&mut self, routed: bool) -> Result<HeaderMap, OcpiError> {
        self.asked += 1;
        let mut headers = HeaderMap::new();
        let token = self.peer.encoding.header(&self.peer.token);
        let token = http::secret(token.expose()).ok_or(OcpiError::Token)?;
        headers.insert(AUTHORIZATION, token);
        let stamp = format!("evenkeel-{:x}-{}", Clock::system().now(), self.asked);
        let mut set = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        set("x-request-id", &stamp);
        set("x-correlation-id", &stamp);
        if routed {
            set("ocpi-from-country-code", &self.peer.from.country);
            set("ocpi-from-party-id", &self.peer.from.id);
            if let Some(to) = &self.peer.to {
                set("ocpi-to-country-code", &to.country);
                set("ocpi-to-party-id", &to.id);
            }
        }
        Ok(headers)
    }
}

fn note_told(books: &mut Shelf, told: Option<u64>) {
    if let Some(told) = told {
        books.told(told);
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// The link to the next page: `<URL>; rel="next"`, perhaps among others. An empty one is the end.
fn next(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all("link").into_iter();
    let mut links = links.filter_map(|value| value.to_str().ok());
    links.find_map(|links| {
        links.split(',').find_map(|link| {
            let (url, rest) = link.trim().strip_prefix('<')?.split_once('>')?;
            let is_next = rest.split(';').any(|parameter| {
                let parameter = parameter.replace(['"', ' '], "");
                parameter.eq_ignore_ascii_case("rel=next")
            });
            (is_next && !url.is_empty()).then(|| url.to_owned())
        })
    })
}

/// A link as an absolute URL.
fn resolved(page: &Uri, link: &str) -> Result<Uri, HttpError> {
    match (link.starts_with('/'), page.scheme_str(), page.authority()) {
        (true, Some(scheme), Some(authority)) => {
            http::parse(&format!("{scheme}://{authority}{link}"))
        }
        _ => http::parse(link),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_read_as_peers_write_them() {
        let link = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("link", HeaderValue::from_str(text).unwrap());
            next(&headers)
        };
        let url = Some("https://a/b?offset=2".to_owned());
        assert_eq!(link("<https://a/b?offset=2>; rel=\"next\""), url);
        assert_eq!(link("<https://a/b?offset=2>;rel=next"), url);
        assert_eq!(
            link("<https://a>; rel=\"prev\", <https://a/b?offset=2>; rel=\"next\""),
            url
        );
        assert_eq!(link("<>; rel=\"next\""), None);
        assert_eq!(link(""), None);
    }

    #[test]
    fn an_offset_takes_the_place_of_another() {
        let page = http::parse("https://a/b?offset=0&date_from=x&limit=2").unwrap();
        let next = at_offset(&page, 2).unwrap();
        assert_eq!(next.to_string(), "https://a/b?offset=2&date_from=x&limit=2");
        let bare = at_offset(&http::parse("https://a/b").unwrap(), 5).unwrap();
        assert_eq!(bare.query(), Some("offset=5&"));
    }
}
