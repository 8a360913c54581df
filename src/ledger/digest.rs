//! The digest of a ledger: a hash chain over its rows.
//!
//! Each link is the SHA-256 of the link before it and the next row's canonical serialisation, so the digest depends on
//! every row and their order, not on the pieces in which they were written.

use std::fmt;

use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::row::{Exchange, Row};

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
        let written = match row {
            Row::Exchange(row) => write_exchange(row, &mut canonical),
            row => serde_json::to_writer(&mut canonical, row),
        };
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

/// The canonical serialisation of the rows that come by the thousand, byte for byte. Written out: the general way looks
/// for characters to escape in each member's name, and at each character of what hardly ever has any.
fn write_exchange(row: &Exchange, out: &mut Vec<u8>) -> serde_json::Result<()> {
    put(out, r#"{"Exchange":{"id":"#, &row.id)?;
    put(out, r#","at":"#, &row.at)?;
    put_text(out, r#","charger":"#, &row.charger)?;
    put(out, r#","conn":"#, &row.conn)?;
    put_text(out, r#","version":"#, &row.version)?;
    put_text(out, r#","action":"#, &row.action)?;
    put_text(out, r#","authority":"#, &row.authority)?;
    put(out, r#","outcome":"#, &row.outcome)?;
    let blame = (&row.reason, &row.root, &row.severity, row.rules.as_slice());
    if let (None, None, None, []) = blame {
        let nothing = br#","reason":null,"root":null,"severity":null,"rules":[]"#;
        out.extend_from_slice(nothing);
    } else {
        put(out, r#","reason":"#, &row.reason)?;
        put(out, r#","root":"#, &row.root)?;
        put(out, r#","severity":"#, &row.severity)?;
        put(out, r#","rules":"#, &row.rules)?;
    }
    put(out, r#","answer":"#, &row.answer)?;
    put(out, r#","sent":"#, &row.sent)?;
    put(out, r#","shadow":"#, &row.shadow)?;
    put(out, r#","authority_us":"#, &row.authority_us)?;
    put(out, r#","shadow_us":"#, &row.shadow_us)?;
    put(out, r#","queue_us":"#, &row.queue_us)?;
    out.extend_from_slice(b"}}");
    Ok(())
}

fn put(out: &mut Vec<u8>, name: &str, value: &impl Serialize) -> serde_json::Result<()> {
    out.extend_from_slice(name.as_bytes());
    serde_json::to_writer(out, value)
}

/// The same of a text, most of which have nothing to escape.
fn put_text(out: &mut Vec<u8>, name: &str, text: &str) -> serde_json::Result<()> {
    let is_plain = |byte: u8| byte >= b' ' && byte != b'"' && byte != b'\\';
    if !text.bytes().all(is_plain) {
        return put(out, name, &text);
    }
    out.extend_from_slice(name.as_bytes());
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
    Ok(())
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::row::{Outcome, Reason};
    use crate::ocpp::Severity;

    #[test]
    fn an_exchange_is_written_as_any_other_row() {
        let bare = Exchange {
            id: 1,
            at: -5,
            charger: "CP \"1\" \u{e9}\n".to_owned(),
            conn: u64::MAX,
            version: "1.6".into(),
            action: String::new(),
            authority: "legacy".into(),
            outcome: Outcome::NotComparable,
            reason: None,
            root: None,
            severity: None,
            rules: Vec::new(),
            answer: 0,
            sent: 0,
            shadow: 0,
            authority_us: None,
            shadow_us: None,
            queue_us: None,
        };
        let full = Exchange {
            reason: Some(Reason::BothFailed),
            root: Some("F-12345678".to_owned()),
            severity: Some(Severity::S2),
            rules: vec!["one".to_owned(), "t\\wo".to_owned()],
            authority_us: Some(-7),
            shadow_us: Some(8),
            queue_us: Some(i64::MIN),
            ..bare.clone()
        };
        for row in [bare, full] {
            let mut written = Vec::new();
            write_exchange(&row, &mut written).unwrap();
            let general = serde_json::to_string(&Row::Exchange(row)).unwrap();
            assert_eq!(String::from_utf8(written).unwrap(), general);
        }
    }
}
