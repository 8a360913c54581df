//! Passwords and keys in memory: never shown, overwritten when dropped, and read only from files that are private.

use std::fmt;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Bytes that never show in logs and are overwritten when dropped. Not text: passwords need not be UTF-8.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// Why a secret could not be read. Never says what was read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file could not be read.
    #[error("read secret file {0}: {1}")]
    File(PathBuf, std::io::Error),
    /// Others than the file's owner may read or write it.
    #[error("secret file {0} has mode {1:03o}: others may read or write it")]
    Mode(PathBuf, u32),
    /// The variable is not set.
    #[error("environment variable {0} is not set")]
    Variable(String),
    /// Not an even number of hex digits.
    #[error("secret file {0} does not hold an even number of hex digits")]
    Hex(PathBuf),
}

/// Fails if others than the file's owner may read or write it.
pub fn check_private(path: &Path) -> Result<(), SecretError> {
    let meta =
        std::fs::metadata(path).map_err(|error| SecretError::File(path.to_owned(), error))?;
    let mode = meta.permissions().mode() & 0o777;
    if mode & 0o066 == 0 {
        Ok(())
    } else {
        Err(SecretError::Mode(path.to_owned(), mode))
    }
}

impl Secret {
    /// A secret from bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes that hex digits stand for; `None` if they are no such digits, or none at all.
    pub fn from_hex(digits: &[u8]) -> Option<Self> {
        let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
        let bytes: Option<Vec<u8>> = digits
            .chunks(2)
            .map(|pair| match *pair {
                [high, low] => Some(digit(high)? << 4 | digit(low)?),
                _ => None,
            })
            .collect();
        bytes.filter(|bytes| !bytes.is_empty()).map(Self)
    }

    /// A private file's content without its last line break.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        check_private(path)?;
        let mut bytes =
            std::fs::read(path).map_err(|error| SecretError::File(path.to_owned(), error))?;
        while matches!(bytes.last(), Some(b'\n' | b'\r')) {
            bytes.pop();
        }
        Ok(Self(bytes))
    }

    /// The bytes that the hex digits in a private file stand for: how OCPP 1.6 writes an `AuthorizationKey`.
    pub fn from_hex_file(path: &Path) -> Result<Self, SecretError> {
        Self::from_hex(Self::from_file(path)?.expose())
            .ok_or_else(|| SecretError::Hex(path.to_owned()))
    }

    /// An environment variable's content.
    pub fn from_env(name: &str) -> Result<Self, SecretError> {
        use std::os::unix::ffi::OsStringExt;
        std::env::var_os(name)
            .map(|value| Self(value.into_vec()))
            .ok_or_else(|| SecretError::Variable(name.to_owned()))
    }

    /// The bytes, for the wire only.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.fill(0);
        // Keeps the compiler from dropping the overwrite as a dead store.
        std::hint::black_box(&self.0);
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_an_even_number_of_digits() {
        let bytes = |digits: &[u8]| Secret::from_hex(digits).map(|secret| secret.expose().to_vec());
        assert_eq!(bytes(b"00fFa9"), Some(vec![0, 255, 0xa9]));
        for wrong in [&b""[..], b"0", b"0g", b"0x12", b"00 ff"] {
            assert_eq!(bytes(wrong), None);
        }
    }

    #[test]
    fn only_private_files_hold_secrets() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"x\xff\r\n").unwrap();
        for (mode, private) in [
            (0o600, true),
            (0o400, true),
            (0o700, true),
            (0o640, false),
            (0o604, false),
            (0o620, false),
        ] {
            std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(mode)).unwrap();
            match Secret::from_file(file.path()) {
                Ok(secret) => assert!(private && secret.expose() == b"x\xff", "{mode:o}"),
                Err(error) => assert!(
                    !private && matches!(error, SecretError::Mode(_, told) if told == mode),
                    "{mode:o}: {error}"
                ),
            }
        }
    }
}
