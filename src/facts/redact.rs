//! Keeps secrets out of the recording: passwords that a backend sets or a charger reports, and log-ins in URLs.
//!
//! A secret is overwritten where it stands, byte for byte, so that lengths, offsets and everything around it stay as sent.
//! Its end becomes a fingerprint under a key that dies with the process: equal secrets stay equal and different ones
//! different, but nobody can test guesses. The fact's note says `"redacted": true`.

use std::hash::{BuildHasher as _, RandomState};
use std::ops::Range;

use memchr::{memchr, memmem};
use serde_json::{Map, Value};

use super::{Fact, Kind};
use crate::ocpp::json::{self, Member, Step, SyntaxError};
use words::mentions_secret;

mod words;

/// Members that hold the value of a named setting: 1.6 keys, 2.x variables, their reports and events.
const CARRIERS: [&str; 3] = ["value", "attributeValue", "actualValue"];

/// Stars in front of a fingerprint, so that nobody takes it for the secret.
const STARS: usize = 3;

/// Digits of a fingerprint.
const DIGITS: usize = 16;

/// Overwrites secrets. One per recorder: its fingerprints compare with each other only.
#[derive(Debug, Default)]
pub struct Redactor {
    key: RandomState,
}

impl Redactor {
    /// Overwrites the secrets in a fact's body. A body that names one but can't be read is emptied.
    pub fn redact(&self, fact: &mut Fact) {
        if !is_message(fact.kind) {
            return;
        }
        let mut found = logins(&fact.body);
        if mentions_secret(&fact.body) || memmem::find(&fact.body, br"\u").is_some() {
            match fact.text().map(secrets) {
                Some(Ok(more)) => found.extend(more),
                _ if mentions_secret(&fact.body) => {
                    fact.body.clear();
                    return say_so(fact);
                }
                _ => {}
            }
        }
        if found.is_empty() {
            return;
        }
        for range in found {
            self.overwrite(&mut fact.body[range]);
        }
        say_so(fact);
    }

    /// Overwrites a string literal, a number or plain bytes. Other literals and containers are no secrets.
    fn overwrite(&self, value: &mut [u8]) {
        let fingerprint = self.key.hash_one(&*value);
        match value {
            [b'"', inner @ .., b'"'] => stars(inner, fingerprint),
            [b'"' | b'{' | b'[' | b't' | b'f' | b'n', ..] => {}
            [b'-' | b'0'..=b'9', ..] if value.iter().copied().all(is_of_number) => {
                let digits = value.iter_mut().filter(|byte| byte.is_ascii_digit());
                for (digit, place) in digits.zip((0..DIGITS).cycle()) {
                    *digit = b'1' + (nibble(fingerprint, place) % 9);
                }
            }
            plain => stars(plain, fingerprint),
        }
    }
}

fn is_message(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Message
            | Kind::Opaque
            | Kind::ShadowSent
            | Kind::ShadowReceived
            | Kind::ShadowAnswered
    )
}

fn is_of_number(byte: u8) -> bool {
    matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')
}

fn stars(secret: &mut [u8], fingerprint: u64) {
    let tail = secret.len().saturating_sub(STARS).min(DIGITS);
    let head = secret.len() - tail;
    secret[..head].fill(b'*');
    for (place, byte) in secret[head..].iter_mut().enumerate() {
        *byte = b"0123456789abcdef"[usize::from(nibble(fingerprint, place))];
    }
}

fn nibble(fingerprint: u64, place: usize) -> u8 {
    (fingerprint >> (4 * (place % DIGITS)) & 0xf) as u8
}

fn say_so(fact: &mut Fact) {
    let mut note = match fact.note_json() {
        Value::Object(note) => note,
        _ => Map::new(),
    };
    note.insert("redacted".to_owned(), Value::Bool(true));
    fact.note = Value::Object(note).to_string();
}

fn is_secret(name: &str) -> bool {
    mentions_secret(name.as_bytes())
}

/// Where secret values lie in JSON text.
fn secrets(text: &str) -> Result<Vec<Range<usize>>, SyntaxError> {
    let mut found = Vec::new();
    json::walk_objects(text, |members| {
        let names_secret = members.iter().any(|member| names_secret(text, member));
        let is_vpn = ["server", "user", "key"]
            .iter()
            .all(|wanted| members.iter().any(|(name, _)| name == wanted));
        for (name, at) in members {
            let literal = &text[at.clone()];
            let carries = names_secret && CARRIERS.contains(&name.as_ref());
            // Vendors wrap their own JSON into the string of a `DataTransfer`.
            let wraps = name == "data" && literal.starts_with('"') && is_secret(literal);
            if is_secret(name) || carries || wraps || (is_vpn && name == "key") {
                found.push(at.clone());
            } else if names_secret && name == "variableAttribute" {
                let values = json::locate(literal, &[Step::Each, Step::Key("value")]);
                let values = values.into_iter().flatten();
                found.extend(values.map(|value| at.start + value.start..at.start + value.end));
            }
        }
    })?;
    Ok(found)
}

/// Whether a member says that its object is about a secret: `"key": "AuthorizationKey"` in 1.6,
/// `"variable": {"name": "BasicAuthPassword"}` in 2.x.
fn names_secret(text: &str, (name, at): &Member<'_>) -> bool {
    let literal = &text[at.clone()];
    match name.as_ref() {
        "key" | "name" => json::string_value(literal).is_some_and(|value| is_secret(&value)),
        "variable" => {
            let names = json::locate(literal, &[Step::Key("name")]);
            names.into_iter().flatten().any(|name| {
                json::string_value(&literal[name]).is_some_and(|value| is_secret(&value))
            })
        }
        _ => false,
    }
}

/// Where `user:password` lies in URLs (`ftp://user:password@host/...`), also in JSON that escapes its slashes.
fn logins(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    // Slashes are far rarer than colons.
    while let Some(slash) = memchr(b'/', &bytes[at..]).map(|found| at + found) {
        at = slash + 1;
        let before = &bytes[..slash];
        let scheme = before.strip_suffix(br"\").unwrap_or(before);
        let Some(len) = behind_slashes(&bytes[scheme.len()..]) else {
            continue;
        };
        if !scheme.ends_with(b":") {
            continue;
        }
        let start = scheme.len() + len;
        let ends = |byte: &u8| {
            matches!(
                byte,
                b'/' | b'?' | b'#' | b'"' | b'\\' | b'<' | b'>' | 0..=b' '
            )
        };
        let len = bytes[start..].iter().position(ends);
        let authority = &bytes[start..len.map_or(bytes.len(), |len| start + len)];
        if let Some(login) = authority.iter().rposition(|&byte| byte == b'@') {
            found.push(start..start + login);
        }
        at = start;
    }
    found
}

/// The length of `//` or `\/\/` at the start.
fn behind_slashes(bytes: &[u8]) -> Option<usize> {
    [&br"//"[..], br"\/\/"]
        .into_iter()
        .find(|slashes| bytes.starts_with(slashes))
        .map(<[u8]>::len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redacted(kind: Kind, body: impl Into<Vec<u8>>) -> Fact {
        let mut fact = Fact::new(kind, 0).body(body);
        Redactor::default().redact(&mut fact);
        fact
    }

    /// What becomes of a message that holds the canary.
    #[track_caller]
    fn assert_masked(text: &str) {
        assert!(text.contains("CANARY"), "{text}");
        for kind in [Kind::Message, Kind::ShadowReceived, Kind::ShadowAnswered] {
            let fact = redacted(kind, text);
            let masked = fact.text().unwrap();
            assert!(!masked.contains("CANARY"), "{masked}");
            assert_eq!(masked.len(), text.len());
            assert_eq!(fact.note, r#"{"redacted":true}"#);
            serde_json::from_str::<serde::de::IgnoredAny>(masked).unwrap();
        }
    }

    #[test]
    fn secrets_of_every_version_are_overwritten_in_place() {
        for text in [
            r#"[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"CANARY4711canary"}]"#,
            r#"[2,"1","ChangeConfiguration",{"value":"CANARY\"x","key":"authorizationKEY"}]"#,
            r#"[2,"1","ChangeConfiguration",{"key":"\u0041uthorizationKey","value":"CANARY"}]"#,
            r#"[3,"1",{"configurationKey":[{"key":"WifiPassword","readonly":false,"value":"CANARY"},{"key":"A","value":"b"}]}]"#,
            r#"[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"CANARY","component":{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"}}]}]"#,
            r#"[3,"1",{"getVariableResult":[{"attributeValue":"CANARY","variable":{"name":"BasicAuthPassword"}}]}]"#,
            r#"[2,"1","NotifyReport",{"reportData":[{"variable":{"name":"BasicAuthPassword"},"variableAttribute":[{"type":"Actual","value":"CANARY"}]}]}]"#,
            r#"[2,"1","SetNetworkProfile",{"connectionData":{"apn":{"apnPassword":"CANARY","simPin":1234}}}]"#,
            r#"[2,"1","SetNetworkProfile",{"connectionData":{"vpn":{"server":"s","user":"u","password":"p","key":"CANARY"}}}]"#,
            r#"[2,"1","GetDiagnostics",{"location":"ftp://me:CANARY@host/up"}]"#,
            r#"[2,"1","GetLog",{"log":{"remoteLocation":"https:\/\/me:CANARY@host\/up"}}]"#,
            r#"[2,"1","DataTransfer",{"vendorId":"v","data":"{\"password\":\"CANARY\"}"}]"#,
        ] {
            assert_masked(text);
        }
        let text = r#"[2,"1","X",{ "value" : "0123456789abcdefghij","key":"AuthorizationKey"}]"#;
        let fact = redacted(Kind::Message, text);
        let (before, after) = text.split_once("0123456789abcdefghij").unwrap();
        let masked = fact.text().unwrap().strip_prefix(before).unwrap();
        let masked = masked.strip_suffix(after).unwrap();
        assert!(masked.starts_with("****") && masked.len() == 20, "{masked}");
    }

    #[test]
    fn what_is_no_secret_stays_as_it_was() {
        for text in [
            r#"[2,"1","ChangeConfiguration",{"key":"HeartbeatInterval","value":"300"}]"#,
            r#"[2,"1","GetConfiguration",{"key":["AuthorizationKey"]}]"#,
            r#"[2,"1","UpdateFirmware",{"location":"https://host/fw?mail=a@b"}]"#,
            r#"[2,"1","DataTransfer",{"data":"\u00e4"}]"#,
            "not JSON",
        ] {
            let fact = redacted(Kind::Message, text);
            assert_eq!((fact.text(), fact.note.as_str()), (Some(text), ""));
        }
        let rules = "path = \"/password\" # [not a message";
        let fact = redacted(Kind::RulesLoaded, rules);
        assert_eq!(fact.text(), Some(rules));
    }

    #[test]
    fn equal_secrets_stay_equal_and_others_do_not() {
        let redactor = Redactor::default();
        let masked = |secret: &str| {
            let text = format!(r#"[2,"1","X",{{"key":"AuthorizationKey","value":{secret}}}]"#);
            let mut fact = Fact::new(Kind::Message, 0).body(text);
            redactor.redact(&mut fact);
            fact.body
        };
        assert_eq!(
            masked("\"0123456789abcdef\""),
            masked("\"0123456789abcdef\"")
        );
        assert_ne!(
            masked("\"0123456789abcdef\""),
            masked("\"0123456789abcdee\"")
        );
        assert_ne!(masked("12345678"), masked("12345679"));
        let other = redacted(
            Kind::Message,
            r#"[2,"1","X",{"key":"AuthorizationKey","value":"0123456789abcdef"}]"#,
        );
        assert_ne!(masked("\"0123456789abcdef\""), other.body, "keys differ");
    }

    #[test]
    fn what_names_a_secret_and_cannot_be_read_is_not_kept() {
        let cut = r#"[2,"1","SetVariables",{"setVariableData":[{"variable":{"name":"BasicAuthPassword"},"attributeValue":"CAN"#;
        let mut fact = Fact::new(Kind::Opaque, 0)
            .body(cut)
            .note(&serde_json::json!({"why": "cut"}));
        Redactor::default().redact(&mut fact);
        assert!(fact.body.is_empty());
        assert_eq!(fact.note, r#"{"redacted":true,"why":"cut"}"#);
        let fact = redacted(Kind::Opaque, &b"\xff ftp://u:CANARY@h"[..]);
        assert!(!fact.body.windows(6).any(|bytes| bytes == b"CANARY"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..60), text in ".{0,40}") {
            redacted(Kind::Opaque, body);
            let json = serde_json::json!([2, "1", "X", {"password": text, "u": format!("a://{text}@b")}]);
            let before = json.to_string();
            let after = redacted(Kind::Message, before.clone());
            prop_assert_eq!(after.body.len(), before.len());
            prop_assert!(serde_json::from_slice::<serde::de::IgnoredAny>(&after.body).is_ok());
        }
    }
}
