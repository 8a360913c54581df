//! TLS at either end of the tap. The provider is named explicitly, so nothing depends on a process-wide default.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, pem};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::settings::{Backend, TlsFiles};

/// Why TLS can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A PEM file that can't be read.
    #[error("read {path}")]
    Pem {
        /// The file.
        path: PathBuf,
        /// Why.
        source: pem::Error,
    },
    /// A certificate or key that rustls does not take.
    #[error("use the configured certificate or key")]
    Rustls(#[from] rustls::Error),
    /// A backend whose host can't be on a certificate.
    #[error("backend host {host:?} is no certificate name")]
    Name {
        /// The host.
        host: String,
        /// Why.
        source: InvalidDnsNameError,
    },
    /// No trusted root anywhere.
    #[error("no root certificate found on this system; name a ca file")]
    NoRoots,
}

/// What dials a `wss` backend.
#[derive(Clone)]
pub struct Outgoing {
    /// The connector.
    pub connector: TlsConnector,
    /// The name its certificate must carry.
    pub name: ServerName<'static>,
}

/// Prepares the tap's own certificate for `wss` chargers.
pub fn incoming(files: &TlsFiles) -> Result<TlsAcceptor, TlsError> {
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(in_file(&files.key))?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates(&files.certificates)?, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Prepares to dial a backend; `None` if it is a `ws` one.
pub fn outgoing(backend: &Backend) -> Result<Option<Outgoing>, TlsError> {
    if !backend.secure {
        return Ok(None);
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(backend.ca_file.as_deref())?)
        .with_no_client_auth();
    let name = ServerName::try_from(backend.host.clone()).map_err(|source| TlsError::Name {
        host: backend.host.clone(),
        source,
    })?;
    Ok(Some(Outgoing {
        connector: TlsConnector::from(Arc::new(config)),
        name,
    }))
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        for certificate in certificates(file)? {
            roots.add(certificate)?;
        }
    } else {
        let native = rustls_native_certs::load_native_certs();
        let (_, ignored) = roots.add_parsable_certificates(native.certs);
        if ignored > 0 || !native.errors.is_empty() {
            tracing::warn!(ignored, errors = ?native.errors, "some system root certificates are unusable");
        }
    }
    if roots.is_empty() {
        return Err(TlsError::NoRoots);
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(in_file(path))
}

fn in_file(path: &Path) -> impl FnOnce(pem::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::Pem { path, source }
}
