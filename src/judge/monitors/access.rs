//! What both backends decide on the same requests: who may charge, and which charger is accepted.

use std::sync::Arc;

use super::orders::known;
use super::sheet::{Crowd, Entry, Sheet};
use super::station::Station;
use super::{AUTHORIZATION, BOOTS, TIMEOUTS};
use crate::clock::Micros;
use crate::facts::Leg;
use crate::ledger::row::Exchange;

const ACCEPTED: &str = "Accepted";

/// Statuses that OCPP has for tokens and boots.
const STATUSES: [&str; 14] = [
    ACCEPTED,
    "Blocked",
    "ConcurrentTx",
    "Expired",
    "Invalid",
    "NoCredit",
    "NotAllowedTypeEVSE",
    "NotAtThisLocation",
    "NotAtThisTime",
    "Unknown",
    "Pending",
    "Rejected",
    "Error",
    "NotSupported",
];

/// What both backends answered to a charger that boots or a driver who wants to charge.
#[derive(Debug)]
pub(in crate::judge) struct Settled {
    pub(in crate::judge) charger: Arc<str>,
    /// When the charger asked, µs.
    pub(in crate::judge) at: Micros,
    pub(in crate::judge) action: String,
    pub(in crate::judge) authority: Leg,
    /// Whether the answers may be compared.
    pub(in crate::judge) comparable: bool,
    /// The token, and its type in 2.x.
    pub(in crate::judge) token: Option<(String, Option<String>)>,
    /// The statuses that legacy and the candidate answered, and when, µs.
    pub(in crate::judge) said: [Option<(String, Micros)>; 2],
}

impl Settled {
    /// Counts what was decided.
    pub(super) fn count(&self, station: &mut Station, sheet: &mut Sheet) {
        if self.action == "BootNotification" {
            self.boot(station, sheet);
        } else if let [Some((legacy, _)), Some((candidate, _))] = &self.said
            && self.comparable
        {
            let crowd = station.crowd;
            let kind = self.kind();
            for (leg, status) in [(Leg::Legacy, legacy), (Leg::Candidate, candidate)] {
                let what = if status == ACCEPTED {
                    "accepted"
                } else {
                    "refused"
                };
                let detail = match what {
                    "accepted" => kind.to_owned(),
                    _ => format!("{kind} {}", word(status)),
                };
                sheet.count(
                    Entry::new(crowd, AUTHORIZATION, what)
                        .on(leg)
                        .detail(detail),
                );
            }
            let only = match (legacy == ACCEPTED, candidate == ACCEPTED) {
                (false, true) => Leg::Candidate,
                (true, false) => Leg::Legacy,
                _ => return,
            };
            let entry = Entry::new(crowd, AUTHORIZATION, "accepted-where-refused");
            sheet.count(entry.on(only).detail(kind));
        }
    }

    /// When the session should have begun that this authorizes, µs.
    pub(super) fn begins(&self, station: &mut Station, sheet: &mut Sheet) -> Option<Micros> {
        let (status, _) = self.said[place(self.authority)].as_ref()?;
        if self.action != "Authorize" || status != ACCEPTED {
            return None;
        }
        let (token, _) = self.token.as_ref()?;
        station.may_charge(token, self.at, sheet)
    }

    fn boot(&self, station: &mut Station, sheet: &mut Sheet) {
        for leg in [Leg::Legacy, Leg::Candidate] {
            let Some((status, at)) = &self.said[place(leg)] else {
                continue;
            };
            let entry = |what| Entry::new(station.crowd, BOOTS, what).on(leg);
            sheet.count(entry("answers").detail(word(status)));
            let since = &mut station.unaccepted[place(leg)];
            if status != ACCEPTED {
                since.get_or_insert(*at);
            } else if let Some(since) = since.take() {
                sheet.measure(entry("dwell_us"), at - since);
            }
        }
    }

    /// What the token tells about who issued it. A contract names its party; a card's number names nobody.
    fn kind(&self) -> &'static str {
        let Some((token, kind)) = &self.token else {
            return "untold";
        };
        match kind.as_deref() {
            Some("eMAID") => "contract",
            Some("Local" | "Central" | "KeyCode" | "NoAuthorization") => "local",
            _ if is_contract(token) => "contract",
            _ => "untold",
        }
    }
}

const fn place(leg: Leg) -> usize {
    match leg {
        Leg::Legacy => 0,
        Leg::Candidate => 1,
    }
}

fn word(status: &str) -> &'static str {
    let known = STATUSES.into_iter().find(|known| *known == status);
    known.unwrap_or("unknown")
}

/// An eMAID: country, provider, `C`, eight characters and perhaps a check digit, with or without hyphens.
fn is_contract(token: &str) -> bool {
    let plain: Vec<u8> = token.bytes().filter(|byte| *byte != b'-').collect();
    matches!(plain.len(), 14 | 15)
        && plain.iter().all(u8::is_ascii_alphanumeric)
        && plain[..2].iter().all(u8::is_ascii_alphabetic)
        && plain[5].eq_ignore_ascii_case(&b'c')
}

/// Answers that one backend owes.
pub(super) fn timeouts(row: &Exchange, crowd: Crowd, sheet: &mut Sheet) {
    let authority = Leg::from_word(&row.authority).unwrap_or(Leg::Legacy);
    let entry = |leg| Entry::new(crowd, TIMEOUTS, "timeouts").on(leg);
    if row.answer == 0 {
        sheet.count(entry(authority).detail(known(&row.action)));
    }
    if row.sent != 0 && row.shadow == 0 {
        sheet.count(entry(authority.other()).detail(known(&row.action)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_names_its_party_and_a_card_does_not() {
        for contract in ["NL-TNM-C12345678-X", "NLTNMC12345678", "de8aac1234567x"] {
            assert!(is_contract(contract), "{contract}");
        }
        for card in ["04A1B2C3D4E5F6", "12345678", "", "NL-TNM-C1234567\u{e9}"] {
            assert!(!is_contract(card), "{card}");
        }
    }
}
