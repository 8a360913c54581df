//! The digest of a ledger: a hash chain over its rows.
//!
//! Each link is the SHA-256 of the link before it and the next row's canonical serialisation, so the digest depends on
//! every row and their order, not on the pieces in which they were written.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::row::Row;

/// Most rows are shorter, in bytes.
const LONG: usize = 512;

/// The last link of the chain; all zeros before the first row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Adds a row.
    pub fn absorb(&mut self, row: &Row) {
        let mut hash = Sha256::new_with_prefix(self.0);
        // Plain structs of strings and numbers always serialise; nothing else can be in a row.
        let mut canonical = Vec::with_capacity(LONG);
        let written = serde_json::to_writer(&mut canonical, row);
        debug_assert!(written.is_ok(), "a row that does not serialise");
        hash.update(&canonical);
        self.0 = hash.finalize().into();
    }

    /// 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        use fmt::Write as _;
        self.0
            .iter()
            .fold(String::with_capacity(64), |mut hex, byte| {
                let _infallible = write!(hex, "{byte:02x}");
                hex
            })
    }

    /// The reverse of [`Digest::hex`].
    pub fn from_hex(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}
