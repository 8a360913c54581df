//! `evenkeel check`: reads a configuration and says what is wrong with it, before a charger does.

mod faces;

use std::path::{Path, PathBuf};

use clap::Args;

use super::config::show::{Origin, settings};
use super::config::{self, Config};
use super::error::{CliError, Exit};
use super::{shadow_plane, tap};
use crate::clock::Clock;
use crate::live::certificate::Certificate;
use crate::live::tls;

/// Days before its end from which on a certificate is warned about.
const EXPIRES_SOON: i64 = 30;

/// Checks a configuration file.
#[derive(Debug, Args)]
pub struct Options {
    /// The configuration file.
    #[arg(value_name = "CONFIG", default_value = "evenkeel.toml")]
    config: PathBuf,
    /// Print every value and where it came from.
    #[arg(long)]
    show: bool,
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let config = config::load(&options.config)?;
    let rules = super::rules::of_config(&config)?;
    try_out(&config)?;
    super::models::load(config.shadow.models.as_deref())?;
    let estate = super::fleet::load(&config.estate)?;
    super::fleet::gate(&config.estate)?;
    let unread = match super::backends::readers(&config.readers) {
        // The tap may run as another user, in another environment.
        Err(error) if error.code == "BACK-004" => Some(error.message),
        readers => readers.map(|_| None)?,
    };
    if options.show {
        show(options, &config)?;
    }
    let expiring = expiring(&config);
    let unused = super::rules::warnings(&rules);
    let faces = faces::warnings(&config, &estate)?;
    let more = expiring
        .into_iter()
        .chain(unread)
        .chain(unused)
        .chain(faces);
    for warning in warnings(&config).into_iter().chain(more) {
        eprintln!("warning: {warning}");
    }
    super::say(&format!("{} is fine\n", options.config.display()))?;
    eprintln!("next: evenkeel tap {}", options.config.display());
    Ok(Exit::Parity)
}

/// Sets up what is otherwise set up when the tap starts, and throws it away.
fn try_out(config: &Config) -> Result<(), CliError> {
    let settings = tap::live_settings(config)?;
    if let Some(files) = &settings.tls {
        tls::incoming(files, settings.client_auth.as_ref())
            .map_err(|error| tap::cannot_run(&error.into()))?;
    }
    tls::outgoing(settings.authority_backend()).map_err(|error| tap::cannot_run(&error.into()))?;
    let shadowed = config.shadowed();
    let backend = tap::backend(config.authority.other().word(), shadowed)?;
    tls::outgoing(&backend).map_err(|error| shadow_plane::no_tls(&error))?;
    shadow_plane::credentials(shadowed)?;
    Ok(())
}

/// Certificates that soon hold no more, or hold no more already.
fn expiring(config: &Config) -> Vec<String> {
    let own = config.tls.iter().map(|files| &files.cert);
    let authorities = config.client_auth.iter().map(|client| &client.ca);
    let backends = [&config.legacy, &config.candidate];
    let theirs = backends.iter().flat_map(|backend| {
        let shown = backend.client.iter().map(|files| &files.cert);
        backend.ca.iter().chain(shown)
    });
    let now = Clock::system().now() / 1_000_000;
    own.chain(authorities)
        .chain(theirs)
        .filter_map(|file| expires(file, now))
        .collect()
}

/// What to say about the certificate in `file` that ends first, if it ends soon; `now` is in seconds.
fn expires(file: &Path, now: i64) -> Option<String> {
    const DAY: i64 = 86_400;
    let certificates = tls::certificates(file).ok()?;
    let read = certificates.iter().filter_map(|der| Certificate::read(der));
    let first = read.min_by_key(|certificate| certificate.not_after)?;
    let left = first.not_after - now;
    let (file, subject) = (file.display(), first.subject.escape_debug());
    if left <= 0 {
        Some(format!("{file}: the certificate of {subject} has expired"))
    } else if left < EXPIRES_SOON * DAY {
        let days = left / DAY;
        Some(format!(
            "{file}: the certificate of {subject} expires in {days} days"
        ))
    } else {
        None
    }
}

fn show(options: &Options, config: &Config) -> Result<(), CliError> {
    let source = std::fs::read_to_string(&options.config).map_err(|error| {
        CliError::new(
            Exit::Usage,
            "CFG-001",
            format!("cannot read {}: {error}", options.config.display()),
        )
    })?;
    for (key, value, origin) in settings(config, &source) {
        let origin = match origin {
            Origin::Line(line) => format!("{} line {line}", options.config.display()),
            Origin::Default => "default".to_owned(),
        };
        super::say(&format!("{key:<24} {value:<40} {origin}\n"))?;
    }
    Ok(())
}

/// What works, but may surprise a cutover engineer.
fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.tls.is_some() {
        warnings.push(
            "the tap ends TLS itself: chargers that know only RSA key exchange, or nothing newer than TLS 1.1, cannot connect; \
             behind your present TLS terminator they still can"
                .to_owned(),
        );
    }
    if config
        .listen
        .iter()
        .any(|address| address.ip().is_unspecified())
        && config.tls.is_none()
    {
        warnings.push("the tap listens without TLS on every address of this machine".to_owned());
    }
    if config
        .health
        .is_some_and(|address| !address.ip().is_loopback())
    {
        warnings.push(
            "metrics and health are served beyond loopback, without authentication".to_owned(),
        );
    }
    if !config.shadow.simulate.is_empty() {
        warnings.push(format!(
            "SIMULATION: the shadow backend is told that chargers obeyed {}; what follows from it is not compared and counts \
             for nothing",
            config.shadow.simulate.join(", ")
        ));
    }
    if config.legacy.url == config.candidate.url {
        warnings.push(
            "legacy and candidate are the same URL: chargers will be connected twice".to_owned(),
        );
    }
    warnings
}
