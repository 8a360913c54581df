//! What a certificate says about itself: as much of X.509 as an operator asks about.
//!
//! Trust is rustls's business. This only reads what it has accepted, or what the operator configured.

use chrono::NaiveDateTime;

/// Longest subject that is told, in characters.
const MAX_SUBJECT: usize = 256;

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OBJECT: u8 = 0x06;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// Attributes of a name that are told, by the last byte of their object identifier 2.5.4.x.
const ATTRIBUTES: [(u8, &str); 7] = [
    (3, "CN"),
    (5, "serialNumber"),
    (6, "C"),
    (7, "L"),
    (8, "ST"),
    (10, "O"),
    (11, "OU"),
];

/// The object identifier of an RSA key, 1.2.840.113549.1.1.1.
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// A certificate's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it names, such as `CN=CP1, O=Operator`; public, unlike its key.
    pub subject: String,
    /// Until when it holds, seconds since 1970 UTC.
    pub not_after: i64,
    /// Whether its key is an RSA key.
    pub is_rsa: bool,
}

impl Certificate {
    /// Reads a DER certificate; `None` if it is none.
    pub fn read(der: &[u8]) -> Option<Self> {
        let (certificate, _) = expect(der, SEQUENCE)?;
        let (mut body, _) = expect(certificate, SEQUENCE)?;
        if let Some((VERSION, _, rest)) = element(body) {
            body = rest;
        }
        // Serial number, signature algorithm and issuer come first.
        for _ in 0..3 {
            body = element(body)?.2;
        }
        let (validity, body) = expect(body, SEQUENCE)?;
        let (_, _, not_after) = element(validity)?;
        let (subject, body) = expect(body, SEQUENCE)?;
        let (key, _) = expect(body, SEQUENCE)?;
        let (algorithm, _) = expect(key, SEQUENCE)?;
        Some(Self {
            subject: name(subject)?,
            not_after: instant(not_after)?,
            is_rsa: expect(algorithm, OBJECT)?.0 == RSA,
        })
    }
}

/// The first element: its tag, its content, and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, first], rest) = bytes.split_first_chunk()?;
    let (len, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if digits.len() > 4 {
            return None;
        }
        let len = digits
            .iter()
            .fold(0, |len, &digit| len << 8 | usize::from(digit));
        (len, rest)
    };
    let (content, rest) = rest.split_at_checked(len)?;
    Some((tag, content, rest))
}

/// The content of the first element, which must have this tag, and what follows it.
fn expect(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(bytes)?;
    (found == tag).then_some((content, rest))
}

fn name(mut sets: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    while !sets.is_empty() {
        let (mut set, rest) = expect(sets, SET)?;
        sets = rest;
        while !set.is_empty() {
            let (pair, rest) = expect(set, SEQUENCE)?;
            set = rest;
            let (object, value) = expect(pair, OBJECT)?;
            let (_, value, _) = element(value)?;
            let known = ATTRIBUTES
                .iter()
                .find(|(last, _)| object == [0x55, 4, *last]);
            if let Some((_, attribute)) = known {
                parts.push(format!("{attribute}={}", String::from_utf8_lossy(value)));
            }
        }
    }
    Some(parts.join(", ").chars().take(MAX_SUBJECT).collect())
}

fn instant(time: &[u8]) -> Option<i64> {
    let (tag, digits, _) = element(time)?;
    let digits = std::str::from_utf8(digits).ok()?;
    let full = match tag {
        GENERALIZED_TIME => digits.to_owned(),
        // Years of two digits are those from 1950 to 2049.
        UTC_TIME if digits.as_bytes().first()? >= &b'5' => format!("19{digits}"),
        UTC_TIME => format!("20{digits}"),
        _ => return None,
    };
    let time = NaiveDateTime::parse_from_str(&full, "%Y%m%d%H%M%SZ").ok()?;
    Some(time.and_utc().timestamp())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn der() -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["cp".to_owned()]).unwrap();
        let names = &mut params.distinguished_name;
        names.remove(DnType::CommonName);
        names.push(DnType::CommonName, "CP\u{e4}1");
        names.push(DnType::OrganizationName, "Operator");
        params.not_after = date_time_ymd(2051, 2, 3);
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_is_read() {
        let read = Certificate::read(&der()).unwrap();
        assert_eq!(read.subject, "CN=CP\u{e4}1, O=Operator");
        assert_eq!(read.not_after, 2_558_995_200);
        assert!(!read.is_rsa);
        assert_eq!(instant(b"\x17\x0d491231235959Z"), Some(2_524_607_999));
        assert_eq!(instant(b"\x17\x0d500101000000Z"), Some(-631_152_000));
    }

    #[test]
    fn a_broken_certificate_is_none() {
        let der = der();
        // Cut anywhere the outermost element is not whole.
        for cut in 0..der.len() {
            assert_eq!(Certificate::read(&der[..cut]), None);
        }
        let mut spoiled = der.clone();
        for at in 0..der.len() {
            spoiled[at] ^= 0xff;
            drop(Certificate::read(&spoiled));
            spoiled[at] = der[at];
        }
    }
}
