//! The sections `[legacy]` and `[candidate]`.

use std::path::PathBuf;

use serde::Deserialize;
use toml::Spanned;

use super::file::Checker;
use super::{Backend, SecretRef};
use crate::cli::error::{CliError, Exit};
use crate::live;
use crate::live::backend::PLACEHOLDER;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackendSection {
    url: Spanned<String>,
    build: Option<String>,
    ca: Option<Spanned<PathBuf>>,
    cert: Option<Spanned<PathBuf>>,
    key: Option<Spanned<PathBuf>>,
    #[serde(default)]
    allow_local: bool,
    user: Option<String>,
    password: Option<Spanned<SecretRef>>,
    credentials: Option<Spanned<PathBuf>>,
    #[serde(default)]
    pass_credentials: bool,
}

impl Checker<'_> {
    /// A backend whose files exist and are private where they must be.
    pub(super) fn backend(&self, section: BackendSection) -> Result<Backend, CliError> {
        let url = section.url.get_ref();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        if host.contains('@') {
            // Without the line itself: it holds the password.
            return Err(CliError::new(
                Exit::Usage,
                "CFG-008",
                format!(
                    "a URL may not hold a password: {} line {}",
                    self.path.display(),
                    self.source[..section.url.span().start]
                        .matches('\n')
                        .count()
                        + 1
                ),
            )
            .help(
                "remove what stands before the @; use `user` and `password = { file = \"...\" }`",
            ));
        }
        if !matches!(scheme, "ws" | "wss") || host.is_empty() {
            return Err(self.error(
                "CFG-007",
                &section.url,
                format!("{url:?} is not a WebSocket URL"),
                "expected ws:// or wss:// and a host",
                "write for example \"ws://csms.internal:8080/ocpp\"; the charger's identity is appended",
            ));
        }
        if let Err(error) = live::Backend::parse(url) {
            return Err(self.error(
                "CFG-007",
                &section.url,
                error.to_string(),
                "not a usable URL",
                "write for example \"wss://csms.example/ocpp\"",
            ));
        }
        Ok(Backend {
            url: url.clone(),
            build: section.build,
            ca: section.ca.map(|ca| self.certificates(&ca)).transpose()?,
            client: self.pair(section.cert.as_ref(), section.key.as_ref())?,
            allow_local: section.allow_local,
            user: section.user.unwrap_or_else(|| PLACEHOLDER.to_owned()),
            password: section
                .password
                .map(|secret| self.secret(secret))
                .transpose()?,
            credentials: section
                .credentials
                .map(|file| {
                    let full = self.existing(&file)?;
                    self.private(&Spanned::new(file.span(), full.clone()))?;
                    Ok::<_, CliError>(full)
                })
                .transpose()?,
            pass_credentials: section.pass_credentials,
        })
    }

    /// The authority gets what chargers send, so its URL may only put a path in front of it.
    pub(super) fn plain(&self, section: &BackendSection) -> Result<(), CliError> {
        match live::Backend::parse(section.url.get_ref()) {
            Ok(backend) if !backend.is_plain() => Err(self.error(
                "CFG-016",
                &section.url,
                "the authority's URL holds more than a path in front of the identity".to_owned(),
                "nothing may stand behind the identity, and no query",
                "what the authority gets is what the charger sent; only the shadow's URL can be a template",
            )),
            // What is wrong with it is told with the section itself.
            Ok(_) | Err(_) => Ok(()),
        }
    }

    fn secret(&self, secret: Spanned<SecretRef>) -> Result<SecretRef, CliError> {
        let span = secret.span();
        let private = |file: PathBuf| {
            let file = self.beside(file);
            self.private(&Spanned::new(span.clone(), file.clone()))?;
            Ok::<_, CliError>(file)
        };
        Ok(match secret.into_inner() {
            SecretRef::File(file) => SecretRef::File(private(file)?),
            SecretRef::HexFile(file) => SecretRef::HexFile(private(file)?),
            env @ SecretRef::Env(_) => env,
        })
    }
}
