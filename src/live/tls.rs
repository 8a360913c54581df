//! TLS at either end of the tap. The provider is named explicitly, so nothing depends on a process-wide default.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName, pem};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::backend::Backend;
use super::secret::{SecretError, check_private};
use super::settings::{ClientAuth, TlsFiles};

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
    #[error("use {path}")]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// A file without a certificate in it.
    #[error("{path} holds no certificate")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A key that others may read.
    #[error(transparent)]
    Key(#[from] SecretError),
    /// The authorities for chargers' certificates can't be used.
    #[error("use the authorities of chargers' certificates")]
    Verifier(#[from] VerifierBuilderError),
    /// rustls can't be set up at all.
    #[error("set up tls")]
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
pub fn incoming(files: &TlsFiles, client: Option<&ClientAuth>) -> Result<TlsAcceptor, TlsError> {
    let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?;
    let builder = match client {
        None => builder.with_no_client_auth(),
        Some(client) => builder.with_client_cert_verifier(verifier(client)?),
    };
    let config = builder
        .with_single_cert(certificates(&files.certificates)?, key(files)?)
        .map_err(unfit(&files.certificates))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Prepares to dial a backend; `None` if it is a `ws` one.
pub fn outgoing(backend: &Backend) -> Result<Option<Outgoing>, TlsError> {
    if !backend.secure {
        return Ok(None);
    }
    let connector = dialling(backend.ca_file.as_deref(), backend.client.as_ref())?;
    let name = ServerName::try_from(backend.host.clone()).map_err(|source| TlsError::Name {
        host: backend.host.clone(),
        source,
    })?;
    Ok(Some(Outgoing { connector, name }))
}

/// What dials any server whose certificate `ca_file` (PEM) vouches for, or the system's roots without it.
pub fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, TlsError> {
    dialling(ca_file, None)
}

/// The same, showing a certificate of the tap's own where there is one.
fn dialling(ca_file: Option<&Path>, client: Option<&TlsFiles>) -> Result<TlsConnector, TlsError> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(ca_file)?);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some(files) => builder
            .with_client_auth_cert(certificates(&files.certificates)?, key(files)?)
            .map_err(unfit(&files.certificates))?,
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn verifier(client: &ClientAuth) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut authorities = RootCertStore::empty();
    add_roots(&mut authorities, &client.ca_file)?;
    let provider = Arc::new(ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider);
    let builder = if client.required {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    Ok(builder.build()?)
}

/// A private key, from a file that nobody else reads.
fn key(files: &TlsFiles) -> Result<PrivateKeyDer<'static>, TlsError> {
    check_private(&files.key)?;
    PrivateKeyDer::from_pem_file(&files.key).map_err(in_file(&files.key))
}

fn add_roots(roots: &mut RootCertStore, file: &Path) -> Result<(), TlsError> {
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(unfit(file))?;
    }
    Ok(())
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = ca_file {
        add_roots(&mut roots, file)?;
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

/// The certificates in a PEM file; at least one.
pub fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let all: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .map_err(in_file(path))?;
    if all.is_empty() {
        let path = path.to_owned();
        return Err(TlsError::Empty { path });
    }
    Ok(all)
}

fn in_file(path: &Path) -> impl FnOnce(pem::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::Pem { path, source }
}

fn unfit(path: &Path) -> impl FnOnce(rustls::Error) -> TlsError {
    let path = path.to_owned();
    move |source| TlsError::Unfit { path, source }
}
