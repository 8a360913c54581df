//! What chargers offer when they begin TLS: who would be locked out of a backend, or of this tap, that asks for more.
//!
//! rustls shows the cipher suites of a `ClientHello` before it refuses any. It does not show the versions, so those are read
//! from the suites that came with them. A `ClientHello` without signature algorithms, as all before TLS 1.2 are, it refuses
//! unseen.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;

use rustls::{CipherSuite, PeerIncompatible, ServerConfig};
use serde::{Deserialize, Serialize};

/// How many addresses are remembered that somebody was warned about.
const MOST_WARNED: usize = 1024;

/// The newest version of TLS that a charger has cipher suites of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Newest {
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
    /// TLS 1.2.
    #[serde(rename = "1.2")]
    Tls12,
    /// Nothing that came with TLS 1.2: an older version, or 1.2 with the suites of those.
    #[serde(rename = "older")]
    Older,
}

/// What a charger's `ClientHello` offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The newest version.
    pub newest: Newest,
    /// It knows only RSA key exchange, which current servers refuse.
    pub only_rsa: bool,
}

impl Offer {
    /// Reads what the cipher suites say. Suites without a name (reserved ones, private ones) say nothing.
    pub fn of(suites: &[CipherSuite]) -> Self {
        let names = || {
            let named = suites.iter().filter_map(CipherSuite::as_str);
            named.filter(|name| !name.ends_with("_SCSV"))
        };
        let newest = if names().any(|name| name.starts_with("TLS13_")) {
            Newest::Tls13
        } else if names().any(is_of_1_2) {
            Newest::Tls12
        } else {
            Newest::Older
        };
        let only_rsa = names().next().is_some() && names().all(|name| name.starts_with("TLS_RSA_"));
        Self { newest, only_rsa }
    }

    /// What a charger offers whose `ClientHello` was refused unseen with this error; `None` if that says nothing of it.
    pub fn unseen(error: &io::Error) -> Option<Self> {
        let unsigned = PeerIncompatible::SignatureAlgorithmsExtensionRequired;
        let refused = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        (*refused == rustls::Error::PeerIncompatible(unsigned)).then_some(Self {
            newest: Newest::Older,
            only_rsa: false,
        })
    }

    /// Why a charger that offers this gets no connection from a server that shares no suite with it.
    pub const fn lockout(self) -> &'static str {
        if self.only_rsa {
            "locked out by TLS: the charger offers only RSA key exchange"
        } else if matches!(self.newest, Newest::Older) {
            "locked out by TLS: the charger offers nothing that came with TLS 1.2"
        } else {
            "locked out by TLS: no cipher suite in common"
        }
    }
}

/// Whether a suite came with TLS 1.2: authenticated encryption, or a longer hash than SHA-1.
fn is_of_1_2(name: &str) -> bool {
    ["_GCM_", "_CCM", "_CHACHA20_"]
        .iter()
        .any(|mode| name.contains(mode))
        || name.ends_with("_SHA256")
        || name.ends_with("_SHA384")
}

/// Whether a server of this configuration shares a cipher suite with the charger.
pub fn fits(suites: &[CipherSuite], config: &ServerConfig) -> bool {
    let ours = &config.crypto_provider().cipher_suites;
    ours.iter().any(|suite| suites.contains(&suite.suite()))
}

/// The addresses that somebody was warned about already. Before TLS is through a charger has no other name.
#[derive(Debug, Default)]
pub struct Warned(BTreeSet<IpAddr>);

impl Warned {
    /// Whether a warning about this address is still due; past the limit none is, the facts and counters go on.
    pub fn is_due(&mut self, address: IpAddr) -> bool {
        self.0.len() < MOST_WARNED && self.0.insert(address)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suites_tell_the_version_and_the_key_exchange() {
        use CipherSuite as S;
        let offer = |newest, only_rsa| Offer { newest, only_rsa };
        for (suites, expected) in [
            (
                vec![S::TLS13_AES_128_GCM_SHA256, S::TLS_RSA_WITH_AES_128_CBC_SHA],
                offer(Newest::Tls13, false),
            ),
            (
                vec![S::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256],
                offer(Newest::Tls12, false),
            ),
            (
                vec![
                    S::TLS_RSA_WITH_AES_128_CBC_SHA256,
                    S::TLS_EMPTY_RENEGOTIATION_INFO_SCSV,
                ],
                offer(Newest::Tls12, true),
            ),
            (
                vec![S::TLS_RSA_WITH_AES_128_CBC_SHA],
                offer(Newest::Older, true),
            ),
            (
                vec![
                    S::TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA,
                    S::TLS_RSA_WITH_AES_128_CBC_SHA,
                ],
                offer(Newest::Older, false),
            ),
            (vec![S::Unknown(0x0a0a)], offer(Newest::Older, false)),
        ] {
            assert_eq!(Offer::of(&suites), expected, "{suites:?}");
        }
    }

    #[test]
    fn an_address_is_warned_about_once_and_not_without_end() {
        let mut warned = Warned::default();
        let address = |n: u32| IpAddr::from(n.to_be_bytes());
        assert!(warned.is_due(address(1)));
        assert!(!warned.is_due(address(1)));
        let due = (2..5000).filter(|n| warned.is_due(address(*n))).count();
        assert_eq!(due, MOST_WARNED - 1);
    }
}
