//! How verbs are told of a backend that chargers are played to.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::config::units::parse_duration;
use super::error::{CliError, Exit};
use crate::live::Backend;
use crate::live::backend::PLACEHOLDER;
use crate::live::secret::Secret;
use crate::live::tls::TlsError;
use crate::replay::play::Target;
use crate::shadow::credentials::{Credentials, Login};

/// As whom a charger is played, and how long answers may take.
#[derive(Debug, Clone, Args)]
pub struct TargetArgs {
    /// The charger's identity at the target, if not the recorded one.
    #[arg(long, value_name = "ID")]
    identity: Option<String>,
    /// The subprotocol that is offered, if not the recorded one.
    #[arg(long, value_name = "NAME")]
    subprotocol: Option<String>,
    /// User for HTTP Basic; `{charger}` stands for the identity.
    #[arg(long, value_name = "USER", default_value = PLACEHOLDER)]
    user: String,
    /// A private file with the password for HTTP Basic.
    #[arg(long, value_name = "FILE", conflicts_with = "password_env")]
    password_file: Option<PathBuf>,
    /// The environment variable with the password for HTTP Basic.
    #[arg(long, value_name = "NAME")]
    password_env: Option<String>,
    /// Certificates (PEM) that a wss:// target is trusted by, instead of the system's.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// How long an answer may take.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration)]
    answer_timeout: Duration,
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a duration such as 250ms or 30s".to_owned())
}

impl TargetArgs {
    /// The target behind `url`.
    pub fn target(&self, url: &str) -> Result<Target, CliError> {
        let mut backend = Backend::parse(url).map_err(|error| {
            CliError::new(Exit::Usage, "RPL-001", error.to_string())
                .help("a target is ws://HOST[:PORT]/PATH or wss://...; the charger's identity goes to its end")
        })?;
        backend.ca_file.clone_from(&self.ca);
        let all = self.password()?.map(|password| Login {
            user: self.user.clone(),
            password,
        });
        Ok(Target {
            credentials: Credentials {
                all,
                ..Credentials::default()
            },
            identity: self.identity.clone(),
            subprotocol: self.subprotocol.clone(),
            patience: self.answer_timeout,
            ..Target::new(backend)
        })
    }

    /// The charger's identity, if it must be this one.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Certificates that a target is trusted by.
    pub fn ca(&self) -> Option<&std::path::Path> {
        self.ca.as_deref()
    }

    fn password(&self) -> Result<Option<Secret>, CliError> {
        let secret = match (&self.password_file, &self.password_env) {
            (Some(file), _) => Secret::from_file(file),
            (None, Some(name)) => Secret::from_env(name),
            (None, None) => return Ok(None),
        };
        secret.map(Some).map_err(|error| {
            CliError::new(Exit::Usage, "RPL-002", error.to_string())
                .help("a file with a password is read only if nobody else may read it: chmod 600")
        })
    }
}

/// Certificates or keys for a target cannot be used.
pub(super) fn no_tls(error: &TlsError) -> CliError {
    CliError::new(Exit::Usage, "RPL-003", super::chain(error))
}
