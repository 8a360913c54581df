//! Which certificates a charger has, as far as it told its authority.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::evidence::{Evidence, Source};
use super::{status, text};
use crate::ocpp::Version;

/// How many certificates of one type, and how many installations, are remembered.
const MOST: usize = 64;

/// The types of each version.
const TYPES_16: &[&str] = &[
    "CentralSystemRootCertificate",
    "ManufacturerRootCertificate",
];
const TYPES_201: &[&str] = &[
    "CSMSRootCertificate",
    "MORootCertificate",
    "ManufacturerRootCertificate",
    "V2GCertificateChain",
    "V2GRootCertificate",
];
const TYPES_21: &[&str] = &[
    "CSMSRootCertificate",
    "MORootCertificate",
    "ManufacturerRootCertificate",
    "OEMRootCertificate",
    "V2GCertificateChain",
    "V2GRootCertificate",
];

/// What a charger told about its certificates.
#[derive(Debug, Default)]
pub struct Certificates {
    /// By type: the elements of the answer that are about it.
    listed: BTreeMap<&'static str, (Source, Vec<Value>)>,
    /// Installed by the authority: type and fingerprint.
    installed: BTreeMap<(Box<str>, [u8; 32]), Source>,
}

const fn types(version: Version) -> &'static [&'static str] {
    match version {
        Version::V16 => TYPES_16,
        Version::V201 => TYPES_201,
        Version::V21 => TYPES_21,
    }
}

impl Certificates {
    /// Learns from a `GetInstalledCertificateIds` and its answer. Says whether something is different now.
    pub fn read(&mut self, version: Version, request: &str, answer: &str, source: Source) -> bool {
        let answer: Value = serde_json::from_str(answer).unwrap_or(Value::Null);
        if !matches!(answer["status"].as_str(), Some("Accepted" | "NotFound")) {
            return false;
        }
        let member = match version {
            Version::V16 => "certificateHashData",
            Version::V201 | Version::V21 => "certificateHashDataChain",
        };
        let found = answer[member]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let mut differs = false;
        for kind in asked_types(version, request) {
            let of_kind = |entry: &&Value| {
                version == Version::V16 || entry["certificateType"].as_str() == Some(kind)
            };
            let entries: Vec<Value> = found.iter().filter(of_kind).take(MOST).cloned().collect();
            let plain = |entries: &[Value]| json!(entries).to_string();
            let known = self.listed.get(kind).map(|(_, known)| plain(known));
            differs |= known != Some(plain(&entries));
            self.listed.insert(kind, (source, entries));
        }
        differs
    }

    /// Learns from an accepted `InstallCertificate`. Says whether something is different now.
    pub fn installed(&mut self, request: &str, answer: &str, source: Source) -> bool {
        let Some((kind, print)) =
            fingerprint(request).filter(|_| status(answer) == Some("Accepted"))
        else {
            return false;
        };
        // The listing lacks it now, and its hashes are not computed here.
        self.listed.remove(kind.as_ref());
        if self.installed.len() < MOST {
            self.installed.insert((kind, print), source);
        }
        true
    }

    /// Learns from an accepted `DeleteCertificate`. Says whether something is different now.
    pub fn deleted(&mut self, request: &str, answer: &str) -> bool {
        let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
        if status(answer) != Some("Accepted") {
            return false;
        }
        for (_, entries) in self.listed.values_mut() {
            entries.retain(|entry| !is_same(entry, &request["certificateHashData"]));
        }
        // Which of them it was is not known.
        self.installed.clear();
        true
    }

    /// The answer to a `GetInstalledCertificateIds`, if every type that it asks for was listed.
    pub fn answer(&self, version: Version, request: &str) -> Option<(String, Evidence)> {
        let (mut found, mut evidence) = (Vec::new(), Vec::new());
        for kind in asked_types(version, request) {
            let (source, entries) = self.listed.get(kind)?;
            evidence.push(source.evidence);
            found.extend(entries.iter().cloned());
        }
        let mut answer = Map::new();
        let status = if found.is_empty() {
            "NotFound"
        } else {
            "Accepted"
        };
        answer.insert("status".to_owned(), status.into());
        if !found.is_empty() {
            let member = match version {
                Version::V16 => "certificateHashData",
                Version::V201 | Version::V21 => "certificateHashDataChain",
            };
            answer.insert(member.to_owned(), found.into());
        }
        Some((Value::Object(answer).to_string(), Evidence::all(evidence)?))
    }

    /// Whether the authority installed this very certificate, and when.
    pub fn has(&self, request: &str) -> Option<Evidence> {
        let known = self.installed.get(&fingerprint(request)?)?;
        Some(known.evidence)
    }

    /// What a charger that deletes nothing says to a `DeleteCertificate`: `NotFound` when the certificate is in no
    /// complete listing, `Failed` when it is.
    pub fn delete(&self, version: Version, request: &str) -> Option<(&'static str, Evidence)> {
        let request: Value = serde_json::from_str(request).ok()?;
        let hash = &request["certificateHashData"];
        for (source, entries) in self.listed.values() {
            if entries.iter().any(|entry| is_same(entry, hash)) {
                return Some(("Failed", source.evidence));
            }
        }
        let listed = types(version).iter().map(|kind| self.listed.get(kind));
        let listed: Option<Vec<_>> = listed.collect();
        let evidence = Evidence::all(listed?.into_iter().map(|(source, _)| source.evidence))?;
        Some(("NotFound", evidence))
    }

    /// The facts that teach what is known.
    pub fn facts(&self) -> impl Iterator<Item = u64> {
        let listed = self.listed.values().map(|(source, _)| source);
        listed
            .chain(self.installed.values())
            .flat_map(|source| source.facts)
    }
}

/// The types that a request asks for: all of the version's when it names none.
fn asked_types(version: Version, request: &str) -> Vec<&'static str> {
    let request: Value = serde_json::from_str(request).unwrap_or(Value::Null);
    let named = match &request["certificateType"] {
        Value::Array(named) => named.iter().filter_map(Value::as_str).collect(),
        Value::String(one) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let all = types(version).iter().copied();
    all.filter(|kind| named.is_empty() || named.contains(kind))
        .collect()
}

/// Type and content of a certificate that is to be installed; white space does not matter in PEM.
fn fingerprint(request: &str) -> Option<(Box<str>, [u8; 32])> {
    let kind = text(request, "certificateType")?;
    let request: Value = serde_json::from_str(request).ok()?;
    let mut digest = Sha256::new();
    for word in request["certificate"].as_str()?.split_ascii_whitespace() {
        digest.update(word);
    }
    Some((kind.into(), digest.finalize().into()))
}

/// Whether an element of a listing is about the certificate with this hash data. Hexadecimal digits know no case.
fn is_same(entry: &Value, hash: &Value) -> bool {
    let of = match &entry["certificateHashData"] {
        Value::Null => entry,
        inner => inner,
    };
    [
        "hashAlgorithm",
        "issuerNameHash",
        "issuerKeyHash",
        "serialNumber",
    ]
    .iter()
    .all(
        |member| match (of[*member].as_str(), hash[*member].as_str()) {
            (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
            _ => false,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = r#"{"hashAlgorithm":"SHA256","issuerNameHash":"AB","issuerKeyHash":"CD","serialNumber":"1f"}"#;

    fn source() -> Source {
        Source::learned(5, [1, 2])
    }

    #[test]
    fn listings_answer_for_their_types() {
        let mut certificates = Certificates::default();
        let ask = |kind: &str| format!(r#"{{"certificateType":"{kind}"}}"#);
        let answer = format!(r#"{{"status":"Accepted","certificateHashData":[{HASH}]}}"#);
        let central = ask("CentralSystemRootCertificate");
        assert!(certificates.read(Version::V16, &central, &answer, source()));
        assert!(!certificates.read(Version::V16, &central, &answer, source()));
        let (told, evidence) = certificates.answer(Version::V16, &central).unwrap();
        assert!(told.contains(r#""serialNumber":"1f""#));
        assert_eq!(evidence, Evidence::learned(5));
        let other = ask("ManufacturerRootCertificate");
        assert_eq!(certificates.answer(Version::V16, &other), None);

        let delete = format!(r#"{{"certificateHashData":{}}}"#, HASH.replace("1f", "2"));
        assert_eq!(certificates.delete(Version::V16, &delete), None);
        certificates.read(Version::V16, &other, r#"{"status":"NotFound"}"#, source());
        let status = |request: &str| certificates.delete(Version::V16, request).unwrap().0;
        assert_eq!(status(&delete), "NotFound");
        let delete = format!(r#"{{"certificateHashData":{}}}"#, HASH.replace("AB", "ab"));
        assert_eq!(status(&delete), "Failed");
    }

    #[test]
    fn a_request_without_types_asks_for_all() {
        let mut certificates = Certificates::default();
        let chain = format!(
            r#"{{"status":"Accepted","certificateHashDataChain":[{{"certificateType":"CSMSRootCertificate","certificateHashData":{HASH}}}]}}"#
        );
        certificates.read(Version::V201, "{}", &chain, source());
        let (all, _) = certificates.answer(Version::V201, "{}").unwrap();
        assert!(all.contains("certificateHashDataChain"));
        let none = r#"{"certificateType":["V2GRootCertificate"]}"#;
        let (none, _) = certificates.answer(Version::V201, none).unwrap();
        assert_eq!(none, r#"{"status":"NotFound"}"#);
        assert_eq!(
            certificates.answer(Version::V21, "{}"),
            None,
            "2.1 has a type more"
        );
    }

    #[test]
    fn what_the_authority_installed_is_there() {
        let mut certificates = Certificates::default();
        let install = r#"{"certificateType":"CSMSRootCertificate","certificate":"AB\nCD"}"#;
        assert!(certificates.installed(install, r#"{"status":"Accepted"}"#, source()));
        assert!(
            certificates
                .has(&install.replace("\\n", "\\r\\n"))
                .is_some()
        );
        assert!(certificates.has(&install.replace("CSMS", "V2G")).is_none());
        certificates.deleted(r#"{"certificateHashData":{}}"#, r#"{"status":"Accepted"}"#);
        assert!(certificates.has(install).is_none());
    }
}
