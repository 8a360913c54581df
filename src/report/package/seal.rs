//! Who vouches for a report: Ed25519 keys as every tool writes them, and signatures that every tool checks.

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

/// What stands before the 32 bytes of a public Ed25519 key (RFC 8410, section 4).
const PREFIX: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The text holds no key of the kind that is wanted.
    #[error("no {0} key in PEM form: {1}")]
    Pem(&'static str, rustls::pki_types::pem::Error),
    /// It is a key of another kind.
    #[error("not an Ed25519 key: {0}")]
    Kind(String),
}

/// Signs manifests.
pub struct Signer(Ed25519KeyPair);

/// Knows a signer by its public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness(Vec<u8>);

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").finish_non_exhaustive()
    }
}

impl Signer {
    /// Of a private key in PEM form (PKCS #8), as `openssl genpkey -algorithm ed25519` writes it.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(text)
            .map_err(|error| KeyError::Pem("private", error))?;
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(der.secret_pkcs8_der())
            .map(Self)
            .map_err(|error| KeyError::Kind(error.to_string()))
    }

    /// The signature of these bytes.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.0.sign(bytes).as_ref().to_vec()
    }

    /// Who knows this signer.
    pub fn witness(&self) -> Witness {
        Witness(self.0.public_key().as_ref().to_vec())
    }

    #[cfg(test)]
    pub(super) fn made_up() -> Self {
        let random = ring::rand::SystemRandom::new();
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        Self(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }
}

impl Witness {
    /// Of a public key in PEM form, as `openssl pkey -pubout` writes it.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        let der = SubjectPublicKeyInfoDer::from_pem_slice(text)
            .map_err(|error| KeyError::Pem("public", error))?;
        match der.strip_prefix(&PREFIX) {
            Some(key) if key.len() == 32 => Ok(Self(key.to_vec())),
            _ => Err(KeyError::Kind("another algorithm".to_owned())),
        }
    }

    /// Whether the signature of these bytes is the signer's.
    pub fn confirms(&self, bytes: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(bytes, signature)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with `openssl genpkey -algorithm ed25519`, `openssl pkey -pubout`, for this test alone.
    const PRIVATE: &[u8] = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIKHqDPKoqSJtD7WklIKZu0MKXHZutkiOLrd8aw3gyVms\n-----END PRIVATE KEY-----\n";
    const PUBLIC: &[u8] = b"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAQZWjEYHw3fbruNhaucka2rUwr2zVLBEbkt7baaioSI8=\n-----END PUBLIC KEY-----\n";

    #[test]
    fn keys_of_other_tools_are_taken() {
        let signer = Signer::from_pem(PRIVATE).unwrap();
        let witness = Witness::from_pem(PUBLIC).unwrap();
        assert_eq!(signer.witness(), witness);
        let signature = signer.sign(b"words");
        assert!(witness.confirms(b"words", &signature) && !witness.confirms(b"word", &signature));
        assert!(Signer::from_pem(PUBLIC).is_err() && Witness::from_pem(PRIVATE).is_err());
    }
}
