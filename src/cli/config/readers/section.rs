//! Readers of backend records as they stand in the file, and what can be wrong with them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::{Access, Citrineos, Files, Ocpi, OcpiSink, Reader, Steve};
use crate::cli::config::SecretRef;
use crate::cli::config::units::Span;
use crate::facts::Leg;

/// The section `backends`.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(in crate::cli::config) struct BackendsSection {
    #[serde(default)]
    legacy: Vec<Section>,
    #[serde(default)]
    candidate: Vec<Section>,
}

/// What is wrong with a reader: where it is named, and a sentence fragment.
pub(in crate::cli::config) struct Mistake {
    pub(in crate::cli::config) at: Spanned<String>,
    pub(in crate::cli::config) why: String,
}

impl BackendsSection {
    /// The readers that the section describes; paths are relative to `folder`.
    pub(in crate::cli::config) fn resolve(self, folder: &Path) -> Result<Vec<Reader>, Mistake> {
        let mut readers: Vec<Reader> = Vec::new();
        for (leg, sections) in [(Leg::Legacy, self.legacy), (Leg::Candidate, self.candidate)] {
            for (place, section) in (1..).zip(sections) {
                let at = section.reader.clone();
                let reader = match section.resolve(leg, place, folder) {
                    Ok(reader) => reader,
                    Err(why) => return Err(Mistake { at, why }),
                };
                let is_twin = |other: &Reader| other.leg == leg && other.name == reader.name;
                if readers.iter().any(is_twin) {
                    let why = format!("two readers are called {:?}", reader.name);
                    return Err(Mistake { at, why });
                }
                readers.push(reader);
            }
        }
        Ok(readers)
    }
}

/// One reader as it stands in the file: which keys it takes depends on `reader`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    reader: Spanned<String>,
    name: Option<String>,
    every: Option<Span>,
    pace: Option<Span>,
    overlap: Option<Span>,
    url: Option<String>,
    sessions: Option<String>,
    cdrs: Option<String>,
    token: Option<SecretRef>,
    token_encoding: Option<String>,
    party: Option<String>,
    peer: Option<String>,
    ca: Option<PathBuf>,
    page: Option<u32>,
    listen: Option<String>,
    public: Option<String>,
    user: Option<String>,
    password: Option<SecretRef>,
    key: Option<SecretRef>,
    key_header: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    database: Option<String>,
    schema: Option<String>,
    tls: Option<bool>,
    files: Option<Vec<PathBuf>>,
    map: Option<PathBuf>,
    delimiter: Option<char>,
}

/// Keys that every reader takes.
const COMMON: [&str; 3] = ["name", "every", "pace"];

impl Section {
    /// The reader that the section describes. `place` names it among its leg's; an error is a sentence fragment.
    fn resolve(self, leg: Leg, place: usize, folder: &Path) -> Result<Reader, String> {
        let kind = self.reader.get_ref().clone();
        self.refuse_foreign(&kind)?;
        let span = |span: Option<Span>, default: Duration| span.map_or(default, |span| span.0);
        let every = span(self.every, Duration::from_mins(1));
        let least_pause = span(self.pace, Duration::from_millis(500));
        let name = self
            .name
            .clone()
            .unwrap_or_else(|| format!("{kind}-{place}"));
        let access = match kind.as_str() {
            "ocpi" => Access::Ocpi(self.ocpi(folder)?),
            "ocpi-sink" => Access::OcpiSink(self.ocpi_sink(folder)?),
            "steve" => Access::Steve(self.steve(folder)?),
            "citrineos" => Access::Citrineos(self.citrineos(folder)?),
            "files" => Access::Files(self.files(folder)?),
            other => {
                return Err(format!(
                    "no reader {other:?}: write \"ocpi\", \"ocpi-sink\", \"steve\", \"citrineos\" or \"files\""
                ));
            }
        };
        Ok(Reader {
            name,
            leg,
            every,
            pace: least_pause,
            access,
        })
    }

    /// Keys that are set.
    fn set(&self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("name", self.name.is_some()),
            ("every", self.every.is_some()),
            ("pace", self.pace.is_some()),
            ("overlap", self.overlap.is_some()),
            ("url", self.url.is_some()),
            ("sessions", self.sessions.is_some()),
            ("cdrs", self.cdrs.is_some()),
            ("token", self.token.is_some()),
            ("token_encoding", self.token_encoding.is_some()),
            ("party", self.party.is_some()),
            ("peer", self.peer.is_some()),
            ("ca", self.ca.is_some()),
            ("page", self.page.is_some()),
            ("listen", self.listen.is_some()),
            ("public", self.public.is_some()),
            ("user", self.user.is_some()),
            ("password", self.password.is_some()),
            ("key", self.key.is_some()),
            ("key_header", self.key_header.is_some()),
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("database", self.database.is_some()),
            ("schema", self.schema.is_some()),
            ("tls", self.tls.is_some()),
            ("files", self.files.is_some()),
            ("map", self.map.is_some()),
            ("delimiter", self.delimiter.is_some()),
        ];
        all.into_iter()
            .filter_map(|(key, is_set)| is_set.then_some(key))
    }

    fn refuse_foreign(&self, kind: &str) -> Result<(), String> {
        let own: &[&str] = match kind {
            "ocpi" => &[
                "url",
                "sessions",
                "cdrs",
                "token",
                "token_encoding",
                "party",
                "peer",
                "ca",
                "page",
                "overlap",
            ],
            "ocpi-sink" => &["listen", "public", "token", "token_encoding", "party"],
            "steve" => &["url", "user", "password", "key", "key_header", "ca"],
            "citrineos" => &[
                "host", "port", "database", "schema", "user", "password", "tls", "ca", "overlap",
            ],
            "files" => &["files", "map", "delimiter"],
            _ => return Ok(()),
        };
        let foreign = self
            .set()
            .find(|key| !COMMON.contains(key) && !own.contains(key));
        foreign.map_or(Ok(()), |key| {
            Err(format!("a {kind} reader takes no `{key}`"))
        })
    }

    fn ocpi(self, folder: &Path) -> Result<Ocpi, String> {
        if self.url.is_none() && self.sessions.is_none() && self.cdrs.is_none() {
            return Err(needs("url", "the peer's versions endpoint"));
        }
        for url in [&self.url, &self.sessions, &self.cdrs]
            .into_iter()
            .flatten()
        {
            check_url(url)?;
        }
        Ok(Ocpi {
            plain_token: is_plain(self.token_encoding.as_deref())?,
            token: secret("token", self.token.as_ref(), folder)?,
            party: party(
                self.party
                    .ok_or_else(|| needs("party", "this eMSP, as \"NL-EVK\""))?,
            )?,
            peer: self.peer.map(party).transpose()?,
            versions: self.url,
            sessions: self.sessions,
            cdrs: self.cdrs,
            ca: self.ca.map(|ca| folder.join(ca)),
            page: self.page,
            overlap: self.overlap.map_or(Duration::from_mins(10), |span| span.0),
        })
    }

    fn ocpi_sink(self, folder: &Path) -> Result<OcpiSink, String> {
        let listen = self.listen.as_deref().and_then(|text| text.parse().ok());
        if let Some(public) = &self.public {
            check_url(public)?;
        }
        Ok(OcpiSink {
            listen: listen.ok_or_else(|| needs("listen", "an IP address and a port"))?,
            plain_token: is_plain(self.token_encoding.as_deref())?,
            token: secret("token", self.token.as_ref(), folder)?,
            party: party(
                self.party
                    .ok_or_else(|| needs("party", "this eMSP, as \"NL-EVK\""))?,
            )?,
            public: self.public,
        })
    }

    fn steve(self, folder: &Path) -> Result<Steve, String> {
        let (name, login) = match (&self.user, &self.password, &self.key) {
            (Some(_), Some(password), None) => ("password", password),
            (None, None, Some(key)) => ("key", key),
            _ => return Err("a steve reader needs `user` and `password`, or `key`".to_owned()),
        };
        let secret = secret(name, Some(login), folder)?;
        let url = self
            .url
            .ok_or_else(|| needs("url", "\"https://host/steve\""))?;
        check_url(&url)?;
        Ok(Steve {
            url,
            user: self.user,
            secret,
            key_header: self
                .key_header
                .unwrap_or_else(|| "STEVE-API-KEY".to_owned()),
            ca: self.ca.map(|ca| folder.join(ca)),
        })
    }

    fn citrineos(self, folder: &Path) -> Result<Citrineos, String> {
        let password = self.password.as_ref();
        let password = password.map(|_| secret("password", password, folder));
        Ok(Citrineos {
            password: password.transpose()?,
            host: self
                .host
                .ok_or_else(|| needs("host", "the database server"))?,
            port: self.port.unwrap_or(5432),
            database: self.database.unwrap_or_else(|| "citrine".to_owned()),
            schema: self.schema.unwrap_or_else(|| "public".to_owned()),
            user: self
                .user
                .ok_or_else(|| needs("user", "a role that may only read"))?,
            tls: self.tls.unwrap_or(true),
            ca: self.ca.map(|ca| folder.join(ca)),
            overlap: self.overlap.map_or(Duration::from_mins(10), |span| span.0),
        })
    }

    fn files(self, folder: &Path) -> Result<Files, String> {
        let files = self.files.unwrap_or_default();
        if files.is_empty() {
            return Err(needs("files", "a list of files"));
        }
        let delimiter = self.delimiter.unwrap_or(',');
        Ok(Files {
            files: files.into_iter().map(|file| folder.join(file)).collect(),
            map: folder.join(self.map.ok_or_else(|| needs("map", "a column map"))?),
            delimiter: u8::try_from(delimiter)
                .map_err(|_| "`delimiter` must be an ASCII character".to_owned())?,
        })
    }
}

fn secret(key: &str, secret: Option<&SecretRef>, folder: &Path) -> Result<SecretRef, String> {
    match secret {
        Some(SecretRef::File(file)) => Ok(SecretRef::File(folder.join(file))),
        Some(SecretRef::HexFile(file)) => Ok(SecretRef::HexFile(folder.join(file))),
        Some(env @ SecretRef::Env(_)) => Ok(env.clone()),
        None => Err(needs(key, "{ file = \"...\" } or { env = \"...\" }")),
    }
}

fn needs(key: &str, what: &str) -> String {
    format!("the reader needs `{key}`: {what}")
}

fn is_plain(encoding: Option<&str>) -> Result<bool, String> {
    match encoding {
        None | Some("base64") => Ok(false),
        Some("plain") => Ok(true),
        Some(other) => Err(format!(
            "no token encoding {other:?}: write \"base64\" or \"plain\""
        )),
    }
}

fn party(text: String) -> Result<String, String> {
    let is_party = text
        .split_once('-')
        .is_some_and(|(country, id)| country.len() == 2 && (1..=3).contains(&id.len()));
    if is_party {
        return Ok(text);
    }
    Err(format!(
        "{text:?} is no party: write country and party as \"NL-EVK\""
    ))
}

fn check_url(url: &str) -> Result<(), String> {
    // The message never repeats a URL that may hold a password.
    crate::backends::http::parse(url)
        .map(|_| ())
        .map_err(|_| "a URL must be http or https, with a host and without a password".to_owned())
}
