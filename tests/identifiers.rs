//! Every identifier of the catalogue, in every place and both directions.

use evenkeel::ocpp::identifiers::{self, Part, Role, Site};
use evenkeel::ocpp::json::Step;
use evenkeel::ocpp::{Class, Envelope, Relation, Version};
use evenkeel::shadow::commands::Commands;
use evenkeel::shadow::translate::{self, Plan};
use proptest::prelude::*;

/// The rows of the catalogue in the parity semantics: where an identifier is minted, and where it comes back. `.conf` is
/// the answer, `~` the direction in which a backend names it.
const ROWS: &[(&[Version], &str, &str)] = &[
    (
        V16,
        "transactionId",
        "StartTransaction.conf MeterValues StopTransaction ~RemoteStopTransaction ~SetChargingProfile ~RemoteStartTransaction",
    ),
    (
        V16,
        "reservationId",
        "ReserveNow ~CancelReservation StartTransaction",
    ),
    (
        V16,
        "chargingProfileId",
        "SetChargingProfile RemoteStartTransaction ~ClearChargingProfile",
    ),
    (V16, "listVersion", "SendLocalList GetLocalListVersion.conf"),
    (V16, "logRequestId", "GetLog LogStatusNotification"),
    (
        V16,
        "firmwareRequestId",
        "SignedUpdateFirmware SignedFirmwareStatusNotification",
    ),
    (
        V2,
        "remoteStartId",
        "RequestStartTransaction TransactionEvent",
    ),
    (
        V2,
        "reservationId",
        "ReserveNow ~CancelReservation ReservationStatusUpdate TransactionEvent",
    ),
    (
        V2,
        "chargingProfileId",
        "SetChargingProfile RequestStartTransaction ~ClearChargingProfile ~GetChargingProfiles ReportChargingProfiles",
    ),
    (
        V21,
        "chargingProfileId",
        "PullDynamicScheduleUpdate ~UpdateDynamicSchedule",
    ),
    (
        V2,
        "chargingScheduleId",
        "SetChargingProfile RequestStartTransaction ReportChargingProfiles NotifyEVChargingSchedule NotifyChargingLimit",
    ),
    (
        V2,
        "salesTariffId",
        "SetChargingProfile RequestStartTransaction ReportChargingProfiles NotifyEVChargingSchedule NotifyChargingLimit",
    ),
    (
        V21,
        "priceScheduleId",
        "SetChargingProfile RequestStartTransaction ReportChargingProfiles NotifyEVChargingSchedule NotifyChargingLimit",
    ),
    (
        V21,
        "priceLevelScheduleId",
        "SetChargingProfile RequestStartTransaction ReportChargingProfiles NotifyEVChargingSchedule NotifyChargingLimit",
    ),
    (
        V21,
        "taxRuleId",
        "SetChargingProfile RequestStartTransaction ReportChargingProfiles NotifyEVChargingSchedule NotifyChargingLimit",
    ),
    (
        V21,
        "signatureId",
        "SetChargingProfile RequestStartTransaction ReportChargingProfiles NotifyEVChargingSchedule NotifyChargingLimit",
    ),
    (
        V2,
        "reportRequestId",
        "GetBaseReport GetReport NotifyReport",
    ),
    (
        V2,
        "monitoringRequestId",
        "GetMonitoringReport NotifyMonitoringReport",
    ),
    (
        V2,
        "profilesRequestId",
        "GetChargingProfiles ReportChargingProfiles",
    ),
    (
        V2,
        "displayRequestId",
        "GetDisplayMessages NotifyDisplayMessages",
    ),
    (
        V2,
        "customerRequestId",
        "CustomerInformation NotifyCustomerInformation",
    ),
    (V2, "logRequestId", "GetLog LogStatusNotification"),
    (
        V2,
        "firmwareRequestId",
        "UpdateFirmware FirmwareStatusNotification",
    ),
    (
        V2,
        "publishRequestId",
        "PublishFirmware PublishFirmwareStatusNotification",
    ),
    (V21, "derRequestId", "GetDERControl ReportDERControl"),
    (V21, "swapRequestId", "RequestBatterySwap BatterySwap"),
    (
        V2,
        "displayMessageId",
        "SetDisplayMessage ~ClearDisplayMessage ~GetDisplayMessages NotifyDisplayMessages",
    ),
    (V2, "listVersion", "SendLocalList GetLocalListVersion.conf"),
    (V2, "configurationSlot", "SetNetworkProfile"),
    (
        V21,
        "tariffId",
        "Authorize.conf SetDefaultTariff ChangeTransactionTariff GetTariffs.conf ~ClearTariffs ClearTariffs.conf TransactionEvent",
    ),
    (
        V21,
        "derControlId",
        "SetDERControl SetDERControl.conf ~GetDERControl ~ClearDERControl NotifyDERStartStop ReportDERControl",
    ),
    (V21, "receiptId", "NotifySettlement.conf"),
];

const V16: &[Version] = &[Version::V16];
const V2: &[Version] = &[Version::V201, Version::V21];
const V21: &[Version] = &[Version::V21];

fn place(site: &Site) -> String {
    let named = if site.role == Role::Named { "~" } else { "" };
    let part = if site.part == Part::Response {
        ".conf"
    } else {
        ""
    };
    format!("{named}{}{part}", site.action)
}

#[test]
fn every_row_of_the_catalogue_has_its_places_and_no_other() {
    for version in Version::ALL {
        for class in Class::ALL {
            let mut expected: Vec<&str> = ROWS
                .iter()
                .filter(|(versions, word, _)| versions.contains(&version) && *word == class.word())
                .flat_map(|(.., places)| places.split(' '))
                .collect();
            expected.sort_unstable();
            let mut found: Vec<String> = identifiers::all(version)
                .filter(|site| site.class == class)
                .map(place)
                .collect();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found, expected, "{version} {}", class.word());
        }
    }
}

/// A payload with this literal where `path` leads, among other members; twice where the path passes a list.
fn payload(path: &[Step], literal: &str) -> String {
    match path.split_first() {
        None => literal.to_owned(),
        Some((Step::Key(key), rest)) => format!(
            r#"{{ "é\u00e9":[1.50, "{key}"],"{key}" : {},"z":{{"{key}x":7}}}}"#,
            payload(rest, literal)
        ),
        Some((Step::Each, rest)) => {
            let one = payload(rest, literal);
            format!("[{one}, {one}]")
        }
    }
}

fn frame(site: &Site, literal: &str) -> String {
    format!(
        r#"[2,"id","{}",{}]"#,
        site.action,
        payload(site.path, literal)
    )
}

fn planned(version: Version, text: &str, relation: &Relation) -> Plan {
    let Ok(call) = Envelope::parse(text) else {
        panic!("{text} is no message");
    };
    translate::plan(version, text, &call, relation)
}

fn translated(version: Version, text: &str, relation: &Relation) -> String {
    match planned(version, text, relation) {
        Plan::Send(done) => done.text.unwrap_or_else(|| text.to_owned()),
        Plan::Withhold(why) => panic!("{text} is withheld: {why}"),
    }
}

fn echoes() -> Vec<(Version, &'static Site)> {
    Version::ALL
        .into_iter()
        .flat_map(|version| identifiers::all(version).map(move |site| (version, site)))
        .filter(|(_, site)| site.role == Role::Echo && site.part == Part::Request)
        .collect()
}

#[test]
fn every_place_where_a_charger_repeats_an_identifier_is_translated() {
    for (version, site) in echoes() {
        for (from, to) in [("12", "7"), (r#""a-1""#, r#""b/2""#)] {
            let mut relation = Relation::new();
            relation.learn(site.class, from, to);
            let text = translated(version, &frame(site, from), &relation);
            assert_eq!(text, frame(site, to), "{version} {site:?}");
        }
    }
}

#[test]
fn an_identifier_without_a_twin_never_leaves_as_it_is() {
    for (version, site) in echoes() {
        let text = frame(site, "12");
        match planned(version, &text, &Relation::new()) {
            Plan::Withhold(_) => assert!(!site.optional && !site.foreign, "{site:?}"),
            Plan::Send(done) if site.optional => {
                let text = done.text.unwrap();
                assert!(!text.contains(" : 12,"), "{text}");
                assert!(!done.stripped.is_empty());
            }
            // What may be the charger's own passes.
            Plan::Send(done) => assert!(site.foreign && done.text.is_none(), "{site:?}"),
        }
    }
}

#[test]
fn every_place_where_a_charger_answers_with_an_identifier_is_translated() {
    let sites = Version::ALL
        .into_iter()
        .flat_map(|version| identifiers::all(version).map(move |site| (version, site)))
        .filter(|(_, site)| site.role == Role::Echo && site.part == Part::Response);
    let mut seen = 0;
    for (version, site) in sites {
        let mut relation = Relation::new();
        relation.learn(site.class, "12", "7");
        let answer = |literal: &str, relation: &Relation| {
            let payload = payload(site.path, literal);
            translate::answer(version, site.action, &payload, relation)
        };
        assert_eq!(answer("12", &relation), Some(payload(site.path, "7")));
        assert_eq!(answer("13", &relation).is_some(), site.foreign, "{site:?}");
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn every_place_where_a_backend_names_an_identifier_finds_its_twin() {
    let sites = Version::ALL
        .into_iter()
        .flat_map(|version| identifiers::all(version).map(move |site| (version, site)))
        .filter(|(_, site)| site.role == Role::Named);
    let mut seen = 0;
    for (version, site) in sites {
        let mut relation = Relation::new();
        relation.learn(site.class, "12", "7");
        for (shadow, same) in [("7", true), ("12", false), ("8", false)] {
            let mut commands = Commands::default();
            let ours = frame(site, "12");
            commands.authority_called(version, &Envelope::parse(&ours).unwrap(), (1, 0));
            let theirs = frame(site, shadow);
            let theirs = Envelope::parse(&theirs).unwrap();
            commands.shadow_called(version, &theirs, 1, &relation, i64::MAX);
            assert_eq!(commands.has_twin(1, "id"), same, "{site:?} {shadow}");
        }
        seen += 1;
    }
    assert!(seen > 0);
}

/// JSON identifiers: integers of any size, and strings of any content.
fn literal() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|id| id.to_string()),
        "\\PC{0,12}".prop_map(|id| serde_json::Value::from(id).to_string()),
    ]
}

/// As numbers or as strings, but equal in kind: the charger's JSON type stays, whatever the backend's is.
fn pair() -> impl Strategy<Value = (String, String)> {
    (literal(), literal()).prop_filter("kinds differ", |(one, other)| {
        one.starts_with('"') == other.starts_with('"')
    })
}

proptest! {
    #[test]
    fn translation_turns_back_and_touches_nothing_else(
        (version, site) in prop::sample::select(echoes()),
        (from, to) in pair(),
    ) {
        let (mut there, mut back) = (Relation::new(), Relation::new());
        there.learn(site.class, &from, &to);
        back.learn(site.class, &to, &from);
        let text = frame(site, &from);
        let sent = translated(version, &text, &there);
        prop_assert_eq!(&sent, &frame(site, &to), "outside of the value");
        prop_assert_eq!(translated(version, &sent, &back), text, "and back");
    }

    #[test]
    fn backends_that_mint_the_same_get_what_the_charger_sent(
        (version, site) in prop::sample::select(echoes()),
        id in literal(),
    ) {
        let mut relation = Relation::new();
        relation.learn(site.class, &id, &id);
        let text = frame(site, &id);
        match planned(version, &text, &relation) {
            Plan::Send(done) => prop_assert_eq!((done.text, done.rewrites.len()), (None, 0)),
            Plan::Withhold(why) => prop_assert!(false, "withheld: {}", why),
        }
    }

    #[test]
    fn signed_messages_are_never_touched(
        (version, site) in prop::sample::select(echoes()),
        (from, to) in pair(),
    ) {
        let mut relation = Relation::new();
        relation.learn(site.class, &from, &to);
        let text = format!(r#"[2,"id","{}-Signed",{}]"#, site.action, payload(site.path, &from));
        match planned(version, &text, &relation) {
            Plan::Send(done) => prop_assert!(done.signed && done.text.is_none()),
            Plan::Withhold(why) => prop_assert!(false, "withheld: {}", why),
        }
    }
}
