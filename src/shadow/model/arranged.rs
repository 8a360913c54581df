//! What the authority has arranged with a charger, and the charger may name by itself later: reservations, remote starts,
//! and jobs that report back.

use crate::clock::Micros;
use crate::ocpp::identifiers::{Class, Part, Role, sites};
use crate::ocpp::json;
use crate::ocpp::relation::Identifier;
use crate::ocpp::{Envelope, Version, instant};
use crate::shadow::translate::mints;

use super::evidence::Source;
use super::{status, text};

/// How many are remembered.
const MOST: usize = 64;

const MINUTE: Micros = 60 * 1_000_000;

/// How long after a remote start its driver may plug in: as long as any charger waits.
const STARTED: Micros = 10 * MINUTE;

/// How long a report of what a charger knows may take.
const REPORTED: Micros = 10 * MINUTE;

/// How long an upload, a download or anything else may take that says how it stands.
const DONE: Micros = 24 * 60 * MINUTE;

/// Status words of jobs that go on.
const GOES_ON: [&str; 12] = [
    "AcceptedCanceled",
    "DownloadPaused",
    "DownloadScheduled",
    "Downloaded",
    "Downloading",
    "InstallRebooting",
    "InstallScheduled",
    "Installing",
    "InstallVerified",
    "Published",
    "SignatureVerified",
    "Uploading",
];

/// What one charger has been told and is not over.
#[derive(Debug, Default)]
pub struct Arranged {
    open: Vec<One>,
}

#[derive(Debug)]
struct One {
    class: Class,
    /// What the authority called it, as JSON text without quotes.
    name: Box<str>,
    until: Micros,
    /// The charger has said the last of it. It may say that again as long as it says nothing else.
    is_said: bool,
    source: Source,
}

impl Arranged {
    /// Learns from a command and the charger's answer. Says whether something is different now.
    pub fn answered(
        &mut self,
        version: Version,
        action: &str,
        (request, answer): (&str, &str),
        source: Source,
    ) -> bool {
        if !status(answer).is_some_and(|status| status.starts_with("Accepted")) {
            return false;
        }
        if action == "CancelReservation" {
            let named = super::member_text(request, &[json::Step::Key("reservationId")]);
            let name = named.map(Identifier::read);
            let before = self.open.len();
            self.open.retain(|one| {
                one.class != Class::ReservationId
                    || name.as_ref().is_none_or(|name| name.text() != &*one.name)
            });
            return self.open.len() != before;
        }
        let minted = mints(version, action, Part::Request, request).into_iter();
        let mut news = false;
        for (class, literal) in minted.filter(|(class, _)| class.comes_back_alone()) {
            let name: Box<str> = Identifier::read(&literal).text().into();
            self.open
                .retain(|one| one.class != class || one.name != name);
            if self.open.len() == MOST {
                self.open.remove(0);
            }
            self.open.push(One {
                class,
                name,
                until: until(class, request, source.evidence.at),
                is_said: false,
                source,
            });
            news = true;
        }
        news
    }

    /// The charger says something at `at`. Says whether something is over now.
    pub fn said(&mut self, version: Version, call: &Envelope<'_>, at: Micros) -> bool {
        if self.open.is_empty() {
            return false;
        }
        let echoes = sites(version, &call.action, Part::Request);
        let echoes = echoes.filter(|site| site.role == Role::Echo);
        let named: Vec<_> = echoes
            .filter_map(|site| Some((site.class, json::first(call.payload, site.path)?)))
            .map(|(class, literal)| (class, Identifier::read(literal)))
            .collect();
        let before = self.open.len();
        self.open.retain_mut(|one| {
            let is_named = named
                .iter()
                .any(|(class, name)| *class == one.class && name.text() == &*one.name);
            if is_named && !goes_on(one.class, call.payload) {
                one.is_said = true;
            }
            (is_named || !one.is_said) && at <= one.until
        });
        self.open.len() != before
    }

    /// What the charger may still name at `now`, as its authority called it.
    pub fn names(&self, now: Micros) -> impl Iterator<Item = (Class, &str)> {
        let open = self.open.iter().filter(move |one| now <= one.until);
        open.map(|one| (one.class, &*one.name))
    }

    /// The facts that teach what is known.
    pub fn facts(&self) -> impl Iterator<Item = u64> {
        self.open.iter().flat_map(|one| one.source.facts)
    }
}

/// How long something may be named that was arranged at `at`.
fn until(class: Class, request: &str, at: Micros) -> Micros {
    match class {
        Class::ReservationId => {
            let ends = text(request, "expiryDate").or_else(|| text(request, "expiryDateTime"));
            // The charger's clock may be a little off.
            let ends = ends.and_then(instant::rfc3339);
            ends.map_or(at + DONE, |ends| ends + MINUTE)
        }
        Class::RemoteStartId => at + STARTED,
        Class::LogRequestId
        | Class::FirmwareRequestId
        | Class::PublishRequestId
        | Class::SwapRequestId => at + DONE,
        _ => at + REPORTED,
    }
}

/// Whether more follows a message that names a job.
fn goes_on(class: Class, payload: &str) -> bool {
    let is_part = super::member_text(payload, &[json::Step::Key("tbc")]) == Some("true");
    class.is_job() && (is_part || status(payload).is_some_and(|status| GOES_ON.contains(&status)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Micros = 1_795_000_000_000_000;

    fn call(text: &str) -> Envelope<'_> {
        Envelope::parse(text).unwrap()
    }

    fn accepted(arranged: &mut Arranged, version: Version, action: &str, request: &str) {
        let source = Source::learned(NOW, [3, 4]);
        let answer = r#"{"status":"Accepted"}"#;
        assert!(arranged.answered(version, action, (request, answer), source));
    }

    fn names(arranged: &Arranged, now: Micros) -> Vec<(Class, String)> {
        let names = arranged.names(now);
        names
            .map(|(class, name)| (class, name.to_owned()))
            .collect()
    }

    #[test]
    fn a_reservation_is_over_once_it_is_used_cancelled_or_past() {
        let mut arranged = Arranged::default();
        let reserve = |id: i64| {
            format!(
                r#"{{"connectorId":1,"reservationId":{id},"expiryDate":"2026-11-18T12:00:00Z"}}"#
            )
        };
        let source = Source::learned(NOW, [1, 2]);
        let refused = (reserve(4).clone(), r#"{"status":"Occupied"}"#);
        let news = arranged.answered(Version::V16, "ReserveNow", (&refused.0, refused.1), source);
        assert!(!news);
        for id in [5, 6, 7] {
            accepted(&mut arranged, Version::V16, "ReserveNow", &reserve(id));
        }
        assert_eq!(arranged.facts().count(), 6);
        let cancelled = r#"{"reservationId":6}"#;
        accepted(&mut arranged, Version::V16, "CancelReservation", cancelled);
        let start = call(r#"[2,"a","StartTransaction",{"connectorId":1,"reservationId":5}]"#);
        assert!(
            !arranged.said(Version::V16, &start, NOW),
            "it may say so again"
        );
        assert!(!arranged.said(Version::V16, &start, NOW));
        assert_eq!(names(&arranged, NOW).len(), 2);
        let beat = call(r#"[2,"b","Heartbeat",{}]"#);
        assert!(arranged.said(Version::V16, &beat, NOW));
        assert_eq!(
            names(&arranged, NOW),
            [(Class::ReservationId, "7".to_owned())]
        );
        let ends = instant::rfc3339("2026-11-18T12:00:00Z").unwrap();
        assert_eq!(names(&arranged, ends + 2 * MINUTE), []);
        assert!(arranged.said(Version::V16, &beat, ends + 2 * MINUTE));
    }

    #[test]
    fn a_job_is_over_with_its_last_report() {
        let mut arranged = Arranged::default();
        let version = Version::V201;
        accepted(
            &mut arranged,
            version,
            "GetBaseReport",
            r#"{"requestId":8}"#,
        );
        accepted(&mut arranged, version, "GetLog", r#"{"requestId":9}"#);
        accepted(
            &mut arranged,
            version,
            "RequestStartTransaction",
            r#"{"remoteStartId":11}"#,
        );
        let said = |arranged: &mut Arranged, text: &str| arranged.said(version, &call(text), NOW);
        let page = r#"[2,"a","NotifyReport",{"requestId":8,"tbc":true}]"#;
        let last = r#"[2,"b","NotifyReport",{"requestId":8,"tbc":false}]"#;
        let uploads = r#"[2,"c","LogStatusNotification",{"requestId":9,"status":"Uploading"}]"#;
        let uploaded = r#"[2,"d","LogStatusNotification",{"requestId":9,"status":"Uploaded"}]"#;
        let started = r#"[2,"e","TransactionEvent",{"transactionInfo":{"remoteStartId":11}}]"#;
        for goes_on in [page, last] {
            assert!(!said(&mut arranged, goes_on));
        }
        assert!(said(&mut arranged, uploads), "the report is over");
        assert!(!said(&mut arranged, uploaded));
        assert!(said(&mut arranged, started), "the upload is over");
        assert_eq!(
            names(&arranged, NOW),
            [(Class::RemoteStartId, "11".to_owned())]
        );
        assert!(said(&mut arranged, page));
        assert_eq!(names(&arranged, NOW), []);
    }
}
