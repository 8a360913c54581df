//! Readers of backend records as configured, with their secrets; and the hidden verb that runs them once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::DateTime;
use clap::Args;
use hyper::Uri;
use hyper::header::HeaderName;
use serde_json::json;

use super::config::{self, SecretRef, readers as configured};
use super::error::{CliError, Exit};
use crate::backends::http::{self, Limits};
use crate::backends::ocpi::client::Peer;
use crate::backends::ocpi::sink::Door;
use crate::backends::ocpi::{Party, TokenEncoding};
use crate::backends::{
    Access, ReadError, Report, Settings, Shelf, citrineos, files, run as read_once, steve,
};
use crate::clock::Micros;
use crate::facts::{Reader, Recorder, recorder};
use crate::judge::records::RecordKind;
use crate::live::secret::Secret;

/// How long the recorder may take to flush.
const FAREWELL: Duration = Duration::from_secs(30);

/// Reads the configured backends' sessions and CDRs once, into a recording that nobody else writes.
#[derive(Debug, Args)]
pub struct Options {
    /// Directory of the recording; made if need be.
    #[arg(value_name = "RECORDING")]
    recording: PathBuf,
    /// The configuration file.
    #[arg(long, value_name = "CONFIG", default_value = "evenkeel.toml")]
    config: PathBuf,
    /// Where the first pass begins, in the backend's time (RFC 3339). Later passes go on where the last one ended.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    since: Option<Micros>,
}

fn instant(text: &str) -> Result<Micros, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|at| at.timestamp_micros())
        .map_err(|error| format!("{error}; write for example 2026-03-01T00:00:00Z"))
}

/// Runs the verb: one JSON object per pass on stdout.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let config = config::load(&options.config)?;
    let readers = readers(&config.readers)?;
    let recorder = Recorder::open(&options.recording, recorder::Limits::default())?;
    let runtime = super::runtime()?;
    let all = all(&readers, &recorder, options);
    let is_whole = runtime.block_on(all)?;
    recorder.close(FAREWELL)?;
    Ok(if is_whole {
        Exit::Parity
    } else {
        Exit::Environment
    })
}

/// Runs every reader once; whether all reached their end.
async fn all(
    readers: &[Settings],
    recorder: &Recorder,
    options: &Options,
) -> Result<bool, CliError> {
    let mut is_whole = true;
    for settings in readers {
        if matches!(settings.access, Access::OcpiSink(_)) {
            continue;
        }
        let report = once(settings, recorder, options).await.map_err(|error| {
            CliError::new(
                Exit::Environment,
                "BACK-001",
                format!("{}: {error}", settings.name),
            )
        })?;
        for sweep in &report.sweeps {
            let line = json!({ "leg": settings.leg.word(), "sweep": sweep });
            super::say(&format!("{}\n", super::to_json(&line)?))?;
        }
        if let Some(broken) = report.broken() {
            eprintln!("{}: {}", settings.name, super::printable(broken));
            is_whole = false;
        }
    }
    Ok(is_whole)
}

async fn once(
    settings: &Settings,
    recorder: &Recorder,
    options: &Options,
) -> Result<Report, ReadError> {
    let facts = Reader::open(&options.recording)?;
    let (name, leg) = (&settings.name, settings.leg);
    let mut shelf = Shelf::open(recorder.clone(), name, leg, Some(&facts))?;
    read_once(settings, &mut shelf, options.since).await
}

/// Readers with their secrets; what is wrong with one is told, and does not keep the others from reading.
pub fn usable(configured: &[configured::Reader]) -> Vec<Settings> {
    let each = configured.iter().filter_map(|one| {
        let leg = one.leg.word();
        let told = |error: &CliError| {
            tracing::error!(reader = %one.name, leg, code = error.code, why = %error.message.escape_debug(),
                "a reader of backend records is left out");
        };
        reader(one).inspect_err(told).ok()
    });
    each.collect()
}

/// Readers with their secrets.
pub fn readers(configured: &[configured::Reader]) -> Result<Vec<Settings>, CliError> {
    configured.iter().map(reader).collect()
}

fn reader(configured: &configured::Reader) -> Result<Settings, CliError> {
    let limits = Limits {
        pace: configured.pace,
        ..Limits::default()
    };
    let access = match &configured.access {
        configured::Access::Ocpi(ocpi) => Access::Ocpi(Box::new(peer(ocpi, limits)?)),
        configured::Access::OcpiSink(sink) => Access::OcpiSink(Door {
            listen: sink.listen,
            public: sink.public.clone(),
            token: secret(&sink.token)?,
            encoding: encoding(sink.plain_token),
            party: party(&sink.party),
        }),
        configured::Access::Steve(steve) => Access::Steve(steve::Api {
            base: url(&steve.url)?,
            login: login(steve)?,
            ca: steve.ca.clone(),
            limits,
        }),
        configured::Access::Citrineos(db) => Access::Citrineos(database(db, limits)?),
        configured::Access::Files(export) => Access::Files(files::Export {
            files: export.files.clone(),
            map: column_map(&export.map)?,
            delimiter: export.delimiter,
        }),
    };
    Ok(Settings {
        name: configured.name.clone(),
        leg: configured.leg,
        every: configured.every,
        access,
    })
}

fn peer(ocpi: &configured::Ocpi, limits: Limits) -> Result<Peer, CliError> {
    let optional = |text: &Option<String>| text.as_deref().map(url).transpose();
    let mut wanted = Vec::new();
    for (kind, endpoint) in [
        (RecordKind::Session, &ocpi.sessions),
        (RecordKind::Cdr, &ocpi.cdrs),
    ] {
        if ocpi.versions.is_some() || endpoint.is_some() {
            wanted.push(kind);
        }
    }
    Ok(Peer {
        versions: optional(&ocpi.versions)?,
        sessions: optional(&ocpi.sessions)?,
        cdrs: optional(&ocpi.cdrs)?,
        wanted,
        token: secret(&ocpi.token)?,
        encoding: encoding(ocpi.plain_token),
        from: party(&ocpi.party),
        to: ocpi.peer.as_deref().map(party),
        ca: ocpi.ca.clone(),
        page: ocpi.page,
        overlap: ocpi.overlap,
        limits,
    })
}

fn login(steve: &configured::Steve) -> Result<steve::Login, CliError> {
    let secret = secret(&steve.secret)?;
    if let Some(user) = steve.user.clone() {
        return Ok(steve::Login::Basic {
            user,
            password: secret,
        });
    }
    let header = HeaderName::from_bytes(steve.key_header.as_bytes());
    let header = header.map_err(|_| {
        let name = &steve.key_header;
        CliError::new(Exit::Usage, "BACK-002", format!("{name:?} is no header"))
    })?;
    Ok(steve::Login::Key {
        header,
        key: secret,
    })
}

fn database(db: &configured::Citrineos, limits: Limits) -> Result<citrineos::Database, CliError> {
    Ok(citrineos::Database {
        host: db.host.clone(),
        port: db.port,
        name: db.database.clone(),
        schema: db.schema.clone(),
        user: db.user.clone(),
        password: db.password.as_ref().map(secret).transpose()?,
        tls: db.tls,
        ca: db.ca.clone(),
        page: 500,
        pace: limits.pace,
        patience: limits.patience,
        overlap: db.overlap,
    })
}

fn column_map(file: &Path) -> Result<crate::judge::records::ColumnMap, CliError> {
    files::column_map(file)
        .map_err(|error| CliError::new(Exit::Usage, "BACK-003", error.to_string()))
}

fn url(text: &str) -> Result<Uri, CliError> {
    http::parse(text).map_err(|error| CliError::new(Exit::Usage, "BACK-002", error.to_string()))
}

const fn encoding(is_plain: bool) -> TokenEncoding {
    if is_plain {
        TokenEncoding::Plain
    } else {
        TokenEncoding::Base64
    }
}

fn party(text: &str) -> Party {
    let (country, id) = text.split_once('-').unwrap_or((text, ""));
    Party {
        country: country.to_owned(),
        id: id.to_owned(),
    }
}

fn secret(reference: &SecretRef) -> Result<Secret, CliError> {
    let read = match reference {
        SecretRef::File(file) => Secret::from_file(file),
        SecretRef::HexFile(file) => Secret::from_hex_file(file),
        SecretRef::Env(name) => Secret::from_env(name),
    };
    read.map_err(|error| {
        CliError::new(Exit::Usage, "BACK-004", error.to_string())
            .help("readers of backend records log in with credentials of their own")
    })
}
