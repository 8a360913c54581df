//! `evenkeel check`: reads a configuration and says what is wrong with it, before a charger does.

use std::path::PathBuf;

use clap::Args;

use super::config::show::{Origin, settings};
use super::config::{self, Config};
use super::error::{CliError, Exit};

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
    super::rules::load(&config.rules)?;
    if options.show {
        show(options, &config)?;
    }
    for warning in warnings(&config) {
        eprintln!("warning: {warning}");
    }
    super::say(&format!("{} is fine\n", options.config.display()))?;
    eprintln!("next: evenkeel tap {}", options.config.display());
    Ok(Exit::Parity)
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
