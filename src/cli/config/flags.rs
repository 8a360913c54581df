//! What `evenkeel tap` can be told without a file. Flags win over the file.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::{Backend, Config, Estate, Keepalive, Limits, Recorded, Sessions, Shadow, load};
use crate::cli::error::{CliError, Exit};
use crate::facts::Leg;
use crate::live;

/// A configuration file, or just the four things that a tap cannot do without.
#[derive(Debug, Clone, Default, Args)]
pub struct Flags {
    /// The configuration file.
    #[arg(value_name = "CONFIG")]
    pub config: Option<PathBuf>,
    /// Where chargers connect.
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Vec<SocketAddr>,
    /// WebSocket URL of the legacy CSMS.
    #[arg(long, value_name = "URL")]
    pub legacy: Option<String>,
    /// WebSocket URL of the candidate CSMS.
    #[arg(long, value_name = "URL")]
    pub candidate: Option<String>,
    /// What the candidate's build is called: findings tell which builds show them.
    #[arg(long, value_name = "BUILD")]
    pub candidate_build: Option<String>,
    /// Directory of the recording.
    #[arg(long, value_name = "DIR")]
    pub recording: Option<PathBuf>,
    /// The path in front of the identity in chargers' URLs.
    #[arg(long, value_name = "PATH")]
    pub base_path: Option<String>,
    /// Where metrics and health are served.
    #[arg(long, value_name = "ADDRESS")]
    pub health: Option<SocketAddr>,
}

impl Flags {
    /// The configuration they make.
    pub fn resolve(&self) -> Result<Config, CliError> {
        let mut config = match &self.config {
            Some(file) => load(file)?,
            None => self.alone()?,
        };
        if !self.listen.is_empty() {
            config.listen.clone_from(&self.listen);
        }
        if let Some(url) = &self.legacy {
            config.legacy.url = checked("--legacy", url)?;
        }
        if let Some(url) = &self.candidate {
            config.candidate.url = checked("--candidate", url)?;
        }
        if self.candidate_build.is_some() {
            config.candidate.build.clone_from(&self.candidate_build);
        }
        if let Some(recording) = &self.recording {
            config.recording.clone_from(recording);
        }
        if let Some(base) = &self.base_path {
            base.trim_end_matches('/').clone_into(&mut config.base_path);
        }
        if self.health.is_some() {
            config.health = self.health;
        }
        Ok(config)
    }

    fn alone(&self) -> Result<Config, CliError> {
        let missing: Vec<&str> = [
            ("--listen", self.listen.is_empty()),
            ("--legacy", self.legacy.is_none()),
            ("--candidate", self.candidate.is_none()),
            ("--recording", self.recording.is_none()),
        ]
        .into_iter()
        .filter_map(|(flag, missing)| missing.then_some(flag))
        .collect();
        if !missing.is_empty() {
            return Err(CliError::new(
                Exit::Usage,
                "CFG-011",
                format!("neither a configuration file nor {}", missing.join(", ")),
            )
            .help(
                "evenkeel tap evenkeel.toml, or all of --listen --legacy --candidate --recording",
            ));
        }
        Ok(Config {
            listen: Vec::new(),
            recording: PathBuf::new(),
            base_path: String::new(),
            authority: Leg::Legacy,
            tls: None,
            client_auth: None,
            allow: None,
            legacy: Backend::at(""),
            candidate: Backend::at(""),
            shadow: Shadow::default(),
            recorded: Recorded::default(),
            limits: Limits::default(),
            keepalive: Keepalive::default(),
            health: None,
            rules: Vec::new(),
            sessions: Sessions::default(),
            readers: Vec::new(),
            estate: Estate::default(),
        })
    }
}

fn checked(flag: &str, url: &str) -> Result<String, CliError> {
    live::Backend::parse(url)
        .map(|_| url.to_owned())
        .map_err(|error| {
            // The error repeats the URL unless it holds a password.
            CliError::new(Exit::Usage, "CFG-007", format!("{flag}: {error}"))
                .help("write for example ws://csms.internal:8080/ocpp; the charger's identity is appended")
        })
}
