//! Who may come in, and what proves who is who: TLS files and the list of chargers.

use std::path::PathBuf;

use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use toml::Spanned;

use super::file::Checker;
use super::{ClientAuth, TlsFiles};
use crate::cli::chain;
use crate::cli::error::CliError;
use crate::live::secret::{SecretError, check_private};
use crate::live::tls;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlsSection {
    cert: Spanned<PathBuf>,
    key: Spanned<PathBuf>,
    client_ca: Option<Spanned<PathBuf>>,
    client_auth: Option<Spanned<String>>,
}

impl Checker<'_> {
    /// The tap's own certificate, and what chargers must show.
    pub(super) fn tls(
        &self,
        section: Option<TlsSection>,
    ) -> Result<(Option<TlsFiles>, Option<ClientAuth>), CliError> {
        let Some(section) = section else {
            return Ok((None, None));
        };
        let files = self.pair(Some(&section.cert), Some(&section.key))?;
        let required = match &section.client_auth {
            None => true,
            Some(auth) => match auth.get_ref().as_str() {
                "require" => true,
                "request" => false,
                other => {
                    return Err(self.error(
                        "CFG-021",
                        auth,
                        format!("{other:?} says nothing about certificates of chargers"),
                        "`require` or `request`",
                        "`request` lets chargers without a certificate in, as long as some are still without",
                    ));
                }
            },
        };
        let client = match (&section.client_ca, &section.client_auth) {
            (Some(ca), _) => Some(ClientAuth {
                ca: self.certificates(ca)?,
                required,
            }),
            (None, None) => None,
            (None, Some(auth)) => {
                return Err(self.error(
                    "CFG-021",
                    auth,
                    "certificates of chargers are asked for, but no `client_ca` can vouch for them"
                        .to_owned(),
                    "needs `client_ca`",
                    "add client_ca = \"FILE\" with the CAs that sign the chargers' certificates",
                ));
            }
        };
        Ok((files, client))
    }

    /// A certificate and its key: both or neither.
    pub(super) fn pair(
        &self,
        cert: Option<&Spanned<PathBuf>>,
        key: Option<&Spanned<PathBuf>>,
    ) -> Result<Option<TlsFiles>, CliError> {
        match (cert, key) {
            (None, None) => Ok(None),
            (Some(cert), Some(key)) => Ok(Some(TlsFiles {
                cert: self.certificates(cert)?,
                key: self.key(key)?,
            })),
            (Some(one), None) | (None, Some(one)) => Err(self.error(
                "CFG-019",
                one,
                "a certificate and its key belong together".to_owned(),
                "the other one is missing",
                "name both `cert` and `key`",
            )),
        }
    }

    /// A PEM file with certificates.
    pub(super) fn certificates(&self, file: &Spanned<PathBuf>) -> Result<PathBuf, CliError> {
        let full = self.existing(file)?;
        tls::certificates(&full).map_err(|error| {
            self.error(
                "CFG-019",
                file,
                format!("no usable certificate: {}", chain(&error)),
                "not a PEM file with certificates",
                "it must hold -----BEGIN CERTIFICATE----- blocks; `openssl x509 -inform der -in FILE` converts",
            )
        })?;
        Ok(full)
    }

    fn key(&self, file: &Spanned<PathBuf>) -> Result<PathBuf, CliError> {
        let full = self.existing(file)?;
        self.private(&Spanned::new(file.span(), full.clone()))?;
        PrivateKeyDer::from_pem_file(&full).map_err(|error| {
            self.error(
                "CFG-019",
                file,
                format!("no usable private key in {}: {error}", full.display()),
                "not a PEM file with a private key",
                "it must hold one -----BEGIN PRIVATE KEY----- block, without a passphrase",
            )
        })?;
        Ok(full)
    }

    /// Complains about a file with a secret that others may read. One that is missing is told when it is read.
    pub(super) fn private(&self, file: &Spanned<PathBuf>) -> Result<(), CliError> {
        match check_private(file.get_ref()) {
            Err(error @ SecretError::Mode(..)) => Err(self.error(
                "CFG-018",
                file,
                error.to_string(),
                "holds a secret",
                &format!("chmod 600 {}", file.get_ref().display()),
            )),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The chargers that may come in, from the list, the file, or both.
    pub(super) fn allowed(
        &self,
        list: Option<Spanned<Vec<String>>>,
        file: Option<&Spanned<PathBuf>>,
    ) -> Result<Option<Vec<String>>, CliError> {
        if list.is_none() && file.is_none() {
            return Ok(None);
        }
        let mut allowed = list.map(Spanned::into_inner).unwrap_or_default();
        if let Some(file) = file {
            let full = self.existing(file)?;
            let text = std::fs::read_to_string(&full).map_err(|error| {
                self.error(
                    "CFG-017",
                    file,
                    format!("cannot read {}: {error}", full.display()),
                    "not readable as text",
                    "one identity a line, as the charger spells it in its URL; # begins a comment",
                )
            })?;
            let lines = text.lines().map(str::trim);
            allowed.extend(
                lines
                    .filter(|line| !line.is_empty() && !line.starts_with('#'))
                    .map(str::to_owned),
            );
        }
        allowed.sort_unstable();
        allowed.dedup();
        Ok(Some(allowed))
    }
}
