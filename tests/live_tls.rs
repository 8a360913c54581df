//! The live path with TLS at both ends.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use evenkeel::live::Settings;
use evenkeel::live::metrics::Count;
use evenkeel::live::offer::Newest;
use evenkeel::live::settings::TlsFiles;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};

#[path = "live_path/rig.rs"]
mod rig;

use rig::*;

type Charger = rustls::StreamOwned<rustls::ClientConnection, TcpStream>;
type Authority = rustls::StreamOwned<rustls::ServerConnection, TcpStream>;

/// A charger and its authority, both with TLS, with the handshake behind them.
fn line(change: fn(&mut Settings)) -> (Charger, Authority, Rig, Shadow) {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (certificates, key) = (
        folder.path().join("cert.pem"),
        folder.path().join("key.pem"),
    );
    std::fs::write(&certificates, certified.cert.pem()).unwrap();
    write_private(&key, &certified.signing_key.serialize_pem());
    let files = TlsFiles { certificates, key };
    let (server, client) = tls_pair(&files);

    let (rig, shadow) = Rig::start(move |settings| {
        settings.legacy.secure = true;
        "localhost".clone_into(&mut settings.legacy.host);
        settings.legacy.ca_file = Some(files.certificates.clone());
        settings.tls = Some(files);
        change(settings);
    });
    let name = ServerName::try_from("localhost").unwrap();
    let session = rustls::ClientConnection::new(client, name).unwrap();
    let mut charger = rustls::StreamOwned::new(session, rig.charger());
    charger.write_all(request("CP1").as_bytes()).unwrap();
    let session = rustls::ServerConnection::new(server).unwrap();
    let mut authority = rustls::StreamOwned::new(session, rig.authority());
    let mut head = vec![
        0;
        request("CP1").len() - "tap".len()
            + rig.host().replace("127.0.0.1", "localhost").len()
    ];
    authority.read_exact(&mut head).unwrap();
    authority.write_all(ANSWER.as_bytes()).unwrap();
    let mut answer = vec![0; ANSWER.len()];
    charger.read_exact(&mut answer).unwrap();
    assert_eq!(answer, ANSWER.as_bytes());
    (charger, authority, rig, shadow)
}

#[test]
fn a_stalled_authority_is_not_gone() {
    let (mut charger, mut authority, _rig, _shadow) =
        line(|settings| settings.user_timeout = Duration::from_secs(1));
    let sent = frame(0x82, &vec![7; 8 * 1024 * 1024], true);
    let sending = {
        let sent = sent.clone();
        std::thread::spawn(move || {
            charger.write_all(&sent).unwrap();
            charger.flush().unwrap();
            charger
        })
    };
    // The authority reads nothing for several user timeouts; only a reset would end this wait early.
    let watched = socket2::SockRef::from(&authority.sock);
    let mut polled = [rustix::event::PollFd::new(
        &authority.sock,
        rustix::event::PollFlags::HUP,
    )];
    let pause = rustix::event::Timespec {
        tv_sec: 4,
        tv_nsec: 0,
    };
    assert_eq!(rustix::event::poll(&mut polled, Some(&pause)).unwrap(), 0);
    assert!(watched.take_error().unwrap().is_none());
    let mut received = vec![0; sent.len()];
    authority.read_exact(&mut received).unwrap();
    assert!(received == sent);
    drop(sending.join().unwrap());
}

#[test]
fn wss_on_both_sides_carries_the_same_bytes() {
    let (mut charger, mut authority, _rig, mut shadow) = line(|_| {});
    let sent = frame(0x82, &vec![9; 1024 * 1024], true);
    let mut received = vec![0; sent.len()];
    let sending = {
        let sent = sent.clone();
        std::thread::spawn(move || {
            charger.write_all(&sent).unwrap();
            charger.flush().unwrap();
            charger
        })
    };
    authority.read_exact(&mut received).unwrap();
    assert!(received == sent);
    let mut charger = sending.join().unwrap();
    charger.conn.send_close_notify();
    charger.flush().unwrap();
    charger.sock.shutdown(Shutdown::Write).unwrap();
    assert_eq!(
        authority.read(&mut [0]).unwrap(),
        0,
        "an orderly end stays one"
    );
    drop(authority);
    let (_, closed) = shadow.until_closed();
    assert_eq!(
        (closed.by.as_str(), closed.how.as_str()),
        ("charger", "fin")
    );
    assert!(closed.flows[0].is_contained());
}

/// A `ClientHello` as an old charger sends it: these cipher suites and extensions.
fn old_hello(suites: &[u16], extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend([7; 32]);
    body.push(0);
    body.extend(u16::try_from(2 * suites.len()).unwrap().to_be_bytes());
    body.extend(suites.iter().flat_map(|suite| suite.to_be_bytes()));
    body.extend([1, 0]);
    if !extensions.is_empty() {
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
    }
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let mut message = vec![1, length[1], length[2], length[3]];
    message.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
    record.extend(message);
    record
}

#[test]
fn what_chargers_offer_is_told_and_whom_that_locks_out() {
    let (_charger, _authority, rig, mut shadow) = line(|_| {});
    let (_, opened) = shadow.opened();
    let offered = opened.tls.unwrap();
    assert_eq!((offered.newest, offered.only_rsa), (Newest::Tls13, false));
    // RSA with SHA-256 is all that it signs with.
    let signatures = [0, 13, 0, 4, 0, 2, 4, 1];
    // AES in CBC mode: with RSA alone, with an ephemeral key, too, or before signatures could be agreed on.
    for (suites, extensions, why) in [
        (
            &[0x002f, 0x0035][..],
            &signatures[..],
            "only RSA key exchange",
        ),
        (
            &[0xc027, 0x002f][..],
            &signatures[..],
            "no cipher suite in common",
        ),
        (&[0xc013, 0x002f][..], &[][..], "came with TLS 1.2"),
    ] {
        let mut old = rig.charger();
        old.write_all(&old_hello(suites, extensions)).unwrap();
        let mut alert = Vec::new();
        old.read_to_end(&mut alert).unwrap();
        assert_eq!(alert.first(), Some(&21), "an alert");
        let refused = shadow.refused();
        assert!(refused.why.contains(why), "{refused:?}");
        assert_eq!((refused.charger.as_str(), refused.status), ("", None));
    }
    let offers = &rig.metrics.offers;
    let counts = [
        &offers.tls13,
        &offers.tls12,
        &offers.older,
        &offers.only_rsa,
        &offers.locked_out,
    ];
    assert_eq!(counts.map(Count::get), [1, 1, 2, 1, 3]);
}

fn tls_pair(files: &TlsFiles) -> (Arc<rustls::ServerConfig>, Arc<rustls::ClientConfig>) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_file(&files.certificates).unwrap();
    let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.clone()],
            PrivateKeyDer::from_pem_file(&files.key).unwrap(),
        )
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}
