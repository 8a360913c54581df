//! Certificates at both ends of the tap: what chargers show it, and what it shows backends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use evenkeel::facts::Leg;
use evenkeel::live::settings::{ClientAuth, TlsFiles};
use evenkeel::live::tls::{TlsError, incoming, outgoing};
use evenkeel::live::{Backend, Settings};
use evenkeel::shadow::dial::{Caller, DialError, Dialed, Dialler};
use evenkeel::shadow::settings::ShadowSettings;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;

#[path = "live_path/rig.rs"]
mod rig;

use rig::*;

/// An authority, its certificate in a file, and certificates signed by it.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self {
            folder,
            issuer: Issuer::new(params, key),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn sign(&self, name: &str) -> TlsFiles {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params
            .distinguished_name
            .push(DnType::OrganizationName, "Operator");
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let at = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        let files = TlsFiles {
            certificates: at("pem"),
            key: at("key"),
        };
        std::fs::write(&files.certificates, certificate.pem()).unwrap();
        write_private(&files.key, &key.serialize_pem());
        files
    }

    fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(&self.file())).unwrap();
        roots
    }
}

fn certificate(file: &Path) -> CertificateDer<'static> {
    CertificateDer::from_pem_file(file).unwrap()
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

type Charger = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;

/// A charger that trusts `roots` and shows `files`.
fn charger(rig: &Rig, roots: RootCertStore, files: Option<&TlsFiles>) -> Charger {
    let builder = rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match files {
        None => builder.with_no_client_auth(),
        Some(files) => builder
            .with_client_auth_cert(
                vec![certificate(&files.certificates)],
                PrivateKeyDer::from_pem_file(&files.key).unwrap(),
            )
            .unwrap(),
    };
    let name = ServerName::try_from("localhost").unwrap();
    let session = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    rustls::StreamOwned::new(session, rig.charger())
}

/// A backend that asks for a certificate signed by `ca`.
fn asking_backend(ca: &Authority, files: &TlsFiles) -> Arc<rustls::ServerConfig> {
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(ca.roots()), provider()).build();
    let config = rustls::ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.unwrap())
        .with_single_cert(
            vec![certificate(&files.certificates)],
            PrivateKeyDer::from_pem_file(&files.key).unwrap(),
        )
        .unwrap();
    Arc::new(config)
}

/// The charger asks and is accepted.
fn accepted(charger: &mut Charger, rig: &Rig) {
    charger.write_all(request("CP1").as_bytes()).unwrap();
    let mut authority = rig.authority();
    read_head(&mut authority);
    authority.write_all(ANSWER.as_bytes()).unwrap();
    let mut answer = vec![0; ANSWER.len()];
    charger.read_exact(&mut answer).unwrap();
}

fn turned_away(charger: &mut Charger) {
    // With TLS 1.3 the charger is through before the tap has looked at its certificate, or missed one.
    let said = charger.write_all(request("CP1").as_bytes());
    assert!(said.is_err() || charger.read(&mut [0]).is_err());
}

#[test]
fn a_charger_must_show_a_certificate_where_one_is_required() {
    let (ours, theirs, strangers) = (Authority::new(), Authority::new(), Authority::new());
    for required in [true, false] {
        let client = ClientAuth {
            ca_file: theirs.file(),
            required,
        };
        let files = ours.sign("tap");
        let (rig, mut shadow) = Rig::start(move |settings| {
            settings.tls = Some(files);
            settings.client_auth = Some(client);
        });
        turned_away(&mut charger(
            &rig,
            ours.roots(),
            Some(&strangers.sign("CP1")),
        ));
        let mut bare = charger(&rig, ours.roots(), None);
        if required {
            turned_away(&mut bare);
        } else {
            accepted(&mut bare, &rig);
            assert_eq!(shadow.opened().1.certificate, None);
        }
        let mut good = charger(&rig, ours.roots(), Some(&theirs.sign("CP1")));
        accepted(&mut good, &rig);
        let subject = shadow.opened().1.certificate.unwrap();
        assert!(
            subject.contains("CN=CP1") && subject.contains("O=Operator"),
            "{subject}"
        );
    }
}

#[test]
fn the_tap_shows_its_own_certificate_to_an_authority_that_asks() {
    let (theirs, cas) = (Authority::new(), Authority::new());
    let (server, shown) = (theirs.sign("backend"), cas.sign("tap"));
    let config = asking_backend(&cas, &server);
    let (ca_file, client) = (theirs.file(), shown.clone());
    let (rig, _shadow) = Rig::start(move |settings: &mut Settings| {
        settings.legacy.secure = true;
        "localhost".clone_into(&mut settings.legacy.host);
        settings.legacy.ca_file = Some(ca_file);
        settings.legacy.client = Some(client);
    });
    let mut charger = rig.charger();
    charger.write_all(request("CP1").as_bytes()).unwrap();
    let session = rustls::ServerConnection::new(config).unwrap();
    let mut authority = rustls::StreamOwned::new(session, rig.authority());
    authority.read_exact(&mut [0; 9]).unwrap();
    let seen = authority.conn.peer_certificates().unwrap();
    assert_eq!(seen[0], certificate(&shown.certificates));
}

#[test]
fn a_leg_shows_its_own_certificate_and_is_told_by_tls_when_it_has_none() {
    let (theirs, cas) = (Authority::new(), Authority::new());
    let acceptor = tokio_rustls::TlsAcceptor::from(asking_backend(&cas, &theirs.sign("backend")));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for client in [Some(cas.sign("tap")), None] {
        let shows = client.is_some();
        let outcome: Result<Dialed, DialError> = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let mut backend = Backend::parse(&format!("wss://localhost:{port}")).unwrap();
            backend.ca_file = Some(theirs.file());
            backend.client = client;
            let settings = ShadowSettings::new(Leg::Candidate, backend);
            let dialler = Dialler::new(Rc::new(settings)).unwrap();
            let answering = async {
                let (tcp, _) = listener.accept().await.unwrap();
                let tls = acceptor.accept(tcp).await.ok()?;
                tokio_tungstenite::accept_async(tls).await.ok()
            };
            let caller = Caller {
                charger: "CP1",
                login: None,
            };
            let dialling =
                async { tokio::join!(dialler.dial(caller, None), Box::pin(answering)).0 };
            tokio::time::timeout(PATIENCE, dialling).await.unwrap()
        });
        match outcome {
            Ok(_) => assert!(shows),
            Err(error) => {
                assert!(!shows, "{error}");
                assert_eq!(error.why(), "tls");
                assert_eq!(error.note()["tls"], "alert CertificateRequired");
            }
        }
    }
}

#[test]
fn files_that_cannot_be_used_are_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let ca = Authority::new();
    let (one, other) = (ca.sign("one"), ca.sign("other"));
    let mixed = TlsFiles {
        certificates: one.certificates.clone(),
        key: other.key.clone(),
    };
    assert!(matches!(
        incoming(&mixed, None),
        Err(TlsError::Unfit { .. })
    ));
    let bare = TlsFiles {
        certificates: one.key.clone(),
        key: one.key.clone(),
    };
    assert!(matches!(incoming(&bare, None), Err(TlsError::Empty { path }) if path == one.key));
    incoming(&one, None).unwrap();
    let mut backend = Backend::parse("wss://localhost").unwrap();
    backend.ca_file = Some(ca.file());
    backend.client = Some(one.clone());
    outgoing(&backend).unwrap().unwrap();
    std::fs::set_permissions(&one.key, std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(matches!(incoming(&one, None), Err(TlsError::Key(_))));
    assert!(matches!(outgoing(&backend), Err(TlsError::Key(_))));
}
