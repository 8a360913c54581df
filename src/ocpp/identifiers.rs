//! The identifiers that backends mint: where each is assigned, where it comes back, which way it is rewritten.
//!
//! Only backend-minted identifiers are here. What a charger mints (2.x transaction ids, sequence numbers, monitoring and
//! stream ids) and what follows from content (certificate hashes) is the same on both legs and is never touched.
//! Tokens are not here either: an `idTag` or `idToken` is the driver's, and a token that one backend made up has no
//! twin on the other, so it is explained and never rewritten.
//!
//! One place is no path: the slots of network profiles come back inside the value of the variable
//! `NetworkConfigurationPriority`. A backend that is not the authority has its profiles refused, so none of its slots ever
//! has a twin there, and what the charger reports stays the charger's truth.

use super::Version;
use super::actions::Side;
use super::json::Step;

/// A family of identifiers with one namespace per backend and charger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// 1.6 transaction id. In 2.x the charger mints it.
    TransactionId,
    /// Reservation id.
    ReservationId,
    /// Charging profile id.
    ChargingProfileId,
    /// 2.x charging schedule id.
    ChargingScheduleId,
    /// 2.x sales tariff id inside a schedule.
    SalesTariffId,
    /// 2.1 absolute price schedule id.
    PriceScheduleId,
    /// 2.1 price level schedule id.
    PriceLevelScheduleId,
    /// 2.1 tax rule id inside an absolute price schedule.
    TaxRuleId,
    /// 2.1 signature id of a schedule.
    SignatureId,
    /// 2.x remote start id.
    RemoteStartId,
    /// Request id of a device model report.
    ReportRequestId,
    /// Request id of a monitoring report.
    MonitoringRequestId,
    /// Request id of a charging profile report.
    ProfilesRequestId,
    /// Request id of a display message report.
    DisplayRequestId,
    /// Request id of a customer information report.
    CustomerRequestId,
    /// Request id of a log upload.
    LogRequestId,
    /// Request id of a firmware update.
    FirmwareRequestId,
    /// Request id of a firmware publication.
    PublishRequestId,
    /// 2.1 request id of a DER control report.
    DerRequestId,
    /// 2.1 request id of a battery swap.
    SwapRequestId,
    /// 2.x display message id.
    DisplayMessageId,
    /// Version of the local authorisation list.
    ListVersion,
    /// 2.x slot of a network connection profile.
    ConfigurationSlot,
    /// 2.1 tariff id.
    TariffId,
    /// 2.1 DER control id.
    DerControlId,
    /// 2.1 receipt id.
    ReceiptId,
}

impl Class {
    /// All classes.
    pub const ALL: [Self; 26] = [
        Self::TransactionId,
        Self::ReservationId,
        Self::ChargingProfileId,
        Self::ChargingScheduleId,
        Self::SalesTariffId,
        Self::PriceScheduleId,
        Self::PriceLevelScheduleId,
        Self::TaxRuleId,
        Self::SignatureId,
        Self::RemoteStartId,
        Self::ReportRequestId,
        Self::MonitoringRequestId,
        Self::ProfilesRequestId,
        Self::DisplayRequestId,
        Self::CustomerRequestId,
        Self::LogRequestId,
        Self::FirmwareRequestId,
        Self::PublishRequestId,
        Self::DerRequestId,
        Self::SwapRequestId,
        Self::DisplayMessageId,
        Self::ListVersion,
        Self::ConfigurationSlot,
        Self::TariffId,
        Self::DerControlId,
        Self::ReceiptId,
    ];

    /// The word that facts use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::TransactionId => "transactionId",
            Self::ReservationId => "reservationId",
            Self::ChargingProfileId => "chargingProfileId",
            Self::ChargingScheduleId => "chargingScheduleId",
            Self::SalesTariffId => "salesTariffId",
            Self::PriceScheduleId => "priceScheduleId",
            Self::PriceLevelScheduleId => "priceLevelScheduleId",
            Self::TaxRuleId => "taxRuleId",
            Self::SignatureId => "signatureId",
            Self::RemoteStartId => "remoteStartId",
            Self::ReportRequestId => "reportRequestId",
            Self::MonitoringRequestId => "monitoringRequestId",
            Self::ProfilesRequestId => "profilesRequestId",
            Self::DisplayRequestId => "displayRequestId",
            Self::CustomerRequestId => "customerRequestId",
            Self::LogRequestId => "logRequestId",
            Self::FirmwareRequestId => "firmwareRequestId",
            Self::PublishRequestId => "publishRequestId",
            Self::DerRequestId => "derRequestId",
            Self::SwapRequestId => "swapRequestId",
            Self::DisplayMessageId => "displayMessageId",
            Self::ListVersion => "listVersion",
            Self::ConfigurationSlot => "configurationSlot",
            Self::TariffId => "tariffId",
            Self::DerControlId => "derControlId",
            Self::ReceiptId => "receiptId",
        }
    }

    /// Ids of jobs that report back: they mean something to a backend only if its own command was accepted.
    pub const fn is_job(self) -> bool {
        matches!(
            self,
            Self::ReportRequestId
                | Self::MonitoringRequestId
                | Self::ProfilesRequestId
                | Self::DisplayRequestId
                | Self::CustomerRequestId
                | Self::LogRequestId
                | Self::FirmwareRequestId
                | Self::PublishRequestId
                | Self::DerRequestId
                | Self::SwapRequestId
        )
    }

    /// Whether a charger's message that names one came of the command that minted it.
    pub const fn comes_back_alone(self) -> bool {
        self.is_job() || matches!(self, Self::ReservationId | Self::RemoteStartId)
    }

    /// The reverse of [`Class::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }
}

/// Which half of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// The CALL.
    Request,
    /// The CALLRESULT.
    Response,
}

/// What happens to an identifier at a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The backend assigns it here.
    Mint,
    /// The charger repeats it, in the authority's namespace; towards the shadow it is rewritten.
    Echo,
    /// A backend names it in its own namespace; the shadow's is rewritten to the authority's to compare it.
    Named,
}

/// One place where an identifier stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Site {
    /// The versions that have it.
    pub versions: &'static [Version],
    /// The action of the exchange.
    pub action: &'static str,
    /// Request or answer.
    pub part: Part,
    /// Who sends this half.
    pub sender: Side,
    /// Where it lies in the payload.
    pub path: &'static [Step],
    /// What it identifies.
    pub class: Class,
    /// What happens to it here.
    pub role: Role,
    /// Whether the member may be left out when no twin is known: the message keeps its meaning for the shadow.
    pub optional: bool,
    /// Whether the charger may report one that no backend minted (its own or an energy manager's): without a twin it
    /// passes unchanged, where elsewhere the message is withheld.
    pub foreign: bool,
}

/// The sites of one half of an exchange.
pub fn sites(version: Version, action: &str, part: Part) -> impl Iterator<Item = &'static Site> {
    SITES.iter().filter(move |site| {
        site.part == part && site.action == action && site.versions.contains(&version)
    })
}

/// Every site of a version.
pub fn all(version: Version) -> impl Iterator<Item = &'static Site> {
    SITES
        .iter()
        .filter(move |site| site.versions.contains(&version))
}

/// Transaction ids that 1.6 chargers send without a transaction: 0, -1 (no answer to `StartTransaction` arrived) and the
/// largest 32-bit and 64-bit integers.
pub const SENTINELS: [&str; 4] = ["0", "-1", "2147483647", "9223372036854775807"];

/// Whether a value may mean "no transaction". Only for values without a twin: a backend may really assign 0.
pub fn is_sentinel(class: Class, value: &str) -> bool {
    class == Class::TransactionId && SENTINELS.contains(&value)
}

const V1: &[Version] = &[Version::V16];
const V2: &[Version] = &[Version::V201, Version::V21];
const V3: &[Version] = &[Version::V21];

type Versions = &'static [Version];
type Path = &'static [Step];

const fn site(v: Versions, action: &'static str, path: Path, class: Class, role: Role) -> Site {
    let sender = match role {
        Role::Echo => Side::Charger,
        Role::Mint | Role::Named => Side::Csms,
    };
    Site {
        versions: v,
        action,
        part: Part::Request,
        sender,
        path,
        class,
        role,
        optional: false,
        foreign: false,
    }
}

const fn mint(v: Versions, action: &'static str, path: Path, class: Class) -> Site {
    site(v, action, path, class, Role::Mint)
}

const fn echo(v: Versions, action: &'static str, path: Path, class: Class) -> Site {
    site(v, action, path, class, Role::Echo)
}

const fn named(v: Versions, action: &'static str, path: Path, class: Class) -> Site {
    site(v, action, path, class, Role::Named)
}

impl Site {
    const fn answer(mut self) -> Self {
        self.part = Part::Response;
        self
    }

    const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    const fn foreign(mut self) -> Self {
        self.foreign = true;
        self
    }
}

/// `path!("a" * "b")`: member `a`, each element, member `b`.
macro_rules! path {
    (@ *) => { Step::Each };
    (@ $key:literal) => { Step::Key($key) };
    ($($step:tt)+) => { &[$(path!(@ $step)),+] };
}

#[rustfmt::skip]
const SITES: &[Site] = &[
    // 1.6. The one identifier that breaks everything when left untranslated.
    mint(V1, "StartTransaction", path!("transactionId"), Class::TransactionId).answer(),
    echo(V1, "MeterValues", path!("transactionId"), Class::TransactionId),
    echo(V1, "StopTransaction", path!("transactionId"), Class::TransactionId),
    named(V1, "RemoteStopTransaction", path!("transactionId"), Class::TransactionId),
    named(V1, "SetChargingProfile", path!("csChargingProfiles" "transactionId"), Class::TransactionId),
    named(V1, "RemoteStartTransaction", path!("chargingProfile" "transactionId"), Class::TransactionId),
    mint(V1, "ReserveNow", path!("reservationId"), Class::ReservationId),
    named(V1, "CancelReservation", path!("reservationId"), Class::ReservationId),
    echo(V1, "StartTransaction", path!("reservationId"), Class::ReservationId).optional(),
    mint(V1, "SetChargingProfile", path!("csChargingProfiles" "chargingProfileId"), Class::ChargingProfileId),
    mint(V1, "RemoteStartTransaction", path!("chargingProfile" "chargingProfileId"), Class::ChargingProfileId),
    named(V1, "ClearChargingProfile", path!("id"), Class::ChargingProfileId),
    mint(V1, "SendLocalList", path!("listVersion"), Class::ListVersion),
    echo(V1, "GetLocalListVersion", path!("listVersion"), Class::ListVersion).answer().foreign(),
    mint(V1, "GetLog", path!("requestId"), Class::LogRequestId),
    echo(V1, "LogStatusNotification", path!("requestId"), Class::LogRequestId),
    mint(V1, "SignedUpdateFirmware", path!("requestId"), Class::FirmwareRequestId),
    echo(V1, "SignedFirmwareStatusNotification", path!("requestId"), Class::FirmwareRequestId),
    // 2.x. The charger mints the transaction id; what backends mint are the ids of commands.
    mint(V2, "RequestStartTransaction", path!("remoteStartId"), Class::RemoteStartId),
    echo(V2, "TransactionEvent", path!("transactionInfo" "remoteStartId"), Class::RemoteStartId).optional(),
    mint(V2, "ReserveNow", path!("id"), Class::ReservationId),
    named(V2, "CancelReservation", path!("reservationId"), Class::ReservationId),
    echo(V2, "ReservationStatusUpdate", path!("reservationId"), Class::ReservationId),
    echo(V2, "TransactionEvent", path!("reservationId"), Class::ReservationId).optional(),
    mint(V2, "SetChargingProfile", path!("chargingProfile" "id"), Class::ChargingProfileId),
    mint(V2, "RequestStartTransaction", path!("chargingProfile" "id"), Class::ChargingProfileId),
    named(V2, "ClearChargingProfile", path!("chargingProfileId"), Class::ChargingProfileId),
    named(V2, "GetChargingProfiles", path!("chargingProfile" "chargingProfileId" *), Class::ChargingProfileId),
    echo(V2, "ReportChargingProfiles", path!("chargingProfile" * "id"), Class::ChargingProfileId).foreign(),
    echo(V3, "PullDynamicScheduleUpdate", path!("chargingProfileId"), Class::ChargingProfileId),
    named(V3, "UpdateDynamicSchedule", path!("chargingProfileId"), Class::ChargingProfileId),
    // Inside charging schedules.
    mint(V2, "SetChargingProfile", path!("chargingProfile" "chargingSchedule" * "id"), Class::ChargingScheduleId),
    mint(V2, "SetChargingProfile", path!("chargingProfile" "chargingSchedule" * "salesTariff" "id"), Class::SalesTariffId),
    mint(V3, "SetChargingProfile", path!("chargingProfile" "chargingSchedule" * "absolutePriceSchedule" "priceScheduleID"), Class::PriceScheduleId),
    mint(V3, "SetChargingProfile", path!("chargingProfile" "chargingSchedule" * "absolutePriceSchedule" "taxRules" * "taxRuleID"), Class::TaxRuleId),
    mint(V3, "SetChargingProfile", path!("chargingProfile" "chargingSchedule" * "priceLevelSchedule" "priceScheduleId"), Class::PriceLevelScheduleId),
    mint(V3, "SetChargingProfile", path!("chargingProfile" "chargingSchedule" * "signatureId"), Class::SignatureId),
    mint(V2, "RequestStartTransaction", path!("chargingProfile" "chargingSchedule" * "id"), Class::ChargingScheduleId),
    mint(V2, "RequestStartTransaction", path!("chargingProfile" "chargingSchedule" * "salesTariff" "id"), Class::SalesTariffId),
    mint(V3, "RequestStartTransaction", path!("chargingProfile" "chargingSchedule" * "absolutePriceSchedule" "priceScheduleID"), Class::PriceScheduleId),
    mint(V3, "RequestStartTransaction", path!("chargingProfile" "chargingSchedule" * "absolutePriceSchedule" "taxRules" * "taxRuleID"), Class::TaxRuleId),
    mint(V3, "RequestStartTransaction", path!("chargingProfile" "chargingSchedule" * "priceLevelSchedule" "priceScheduleId"), Class::PriceLevelScheduleId),
    mint(V3, "RequestStartTransaction", path!("chargingProfile" "chargingSchedule" * "signatureId"), Class::SignatureId),
    echo(V2, "ReportChargingProfiles", path!("chargingProfile" * "chargingSchedule" * "id"), Class::ChargingScheduleId).foreign(),
    echo(V2, "ReportChargingProfiles", path!("chargingProfile" * "chargingSchedule" * "salesTariff" "id"), Class::SalesTariffId).foreign(),
    echo(V3, "ReportChargingProfiles", path!("chargingProfile" * "chargingSchedule" * "absolutePriceSchedule" "priceScheduleID"), Class::PriceScheduleId).foreign(),
    echo(V3, "ReportChargingProfiles", path!("chargingProfile" * "chargingSchedule" * "absolutePriceSchedule" "taxRules" * "taxRuleID"), Class::TaxRuleId).foreign(),
    echo(V3, "ReportChargingProfiles", path!("chargingProfile" * "chargingSchedule" * "priceLevelSchedule" "priceScheduleId"), Class::PriceLevelScheduleId).foreign(),
    echo(V3, "ReportChargingProfiles", path!("chargingProfile" * "chargingSchedule" * "signatureId"), Class::SignatureId).foreign(),
    echo(V2, "NotifyEVChargingSchedule", path!("chargingSchedule" "id"), Class::ChargingScheduleId).foreign(),
    echo(V2, "NotifyEVChargingSchedule", path!("chargingSchedule" "salesTariff" "id"), Class::SalesTariffId).foreign(),
    echo(V3, "NotifyEVChargingSchedule", path!("chargingSchedule" "absolutePriceSchedule" "priceScheduleID"), Class::PriceScheduleId).foreign(),
    echo(V3, "NotifyEVChargingSchedule", path!("chargingSchedule" "absolutePriceSchedule" "taxRules" * "taxRuleID"), Class::TaxRuleId).foreign(),
    echo(V3, "NotifyEVChargingSchedule", path!("chargingSchedule" "priceLevelSchedule" "priceScheduleId"), Class::PriceLevelScheduleId).foreign(),
    echo(V3, "NotifyEVChargingSchedule", path!("chargingSchedule" "signatureId"), Class::SignatureId).foreign(),
    echo(V3, "NotifyEVChargingSchedule", path!("selectedChargingScheduleId"), Class::ChargingScheduleId).foreign(),
    echo(V2, "NotifyChargingLimit", path!("chargingSchedule" * "id"), Class::ChargingScheduleId).foreign(),
    echo(V2, "NotifyChargingLimit", path!("chargingSchedule" * "salesTariff" "id"), Class::SalesTariffId).foreign(),
    echo(V3, "NotifyChargingLimit", path!("chargingSchedule" * "absolutePriceSchedule" "priceScheduleID"), Class::PriceScheduleId).foreign(),
    echo(V3, "NotifyChargingLimit", path!("chargingSchedule" * "absolutePriceSchedule" "taxRules" * "taxRuleID"), Class::TaxRuleId).foreign(),
    echo(V3, "NotifyChargingLimit", path!("chargingSchedule" * "priceLevelSchedule" "priceScheduleId"), Class::PriceLevelScheduleId).foreign(),
    echo(V3, "NotifyChargingLimit", path!("chargingSchedule" * "signatureId"), Class::SignatureId).foreign(),
    // Request ids: one family per job, each with a namespace of its own.
    mint(V2, "GetBaseReport", path!("requestId"), Class::ReportRequestId),
    mint(V2, "GetReport", path!("requestId"), Class::ReportRequestId),
    echo(V2, "NotifyReport", path!("requestId"), Class::ReportRequestId),
    mint(V2, "GetMonitoringReport", path!("requestId"), Class::MonitoringRequestId),
    echo(V2, "NotifyMonitoringReport", path!("requestId"), Class::MonitoringRequestId),
    mint(V2, "GetChargingProfiles", path!("requestId"), Class::ProfilesRequestId),
    echo(V2, "ReportChargingProfiles", path!("requestId"), Class::ProfilesRequestId),
    mint(V2, "GetDisplayMessages", path!("requestId"), Class::DisplayRequestId),
    echo(V2, "NotifyDisplayMessages", path!("requestId"), Class::DisplayRequestId),
    mint(V2, "CustomerInformation", path!("requestId"), Class::CustomerRequestId),
    echo(V2, "NotifyCustomerInformation", path!("requestId"), Class::CustomerRequestId),
    mint(V2, "GetLog", path!("requestId"), Class::LogRequestId),
    echo(V2, "LogStatusNotification", path!("requestId"), Class::LogRequestId),
    mint(V2, "UpdateFirmware", path!("requestId"), Class::FirmwareRequestId),
    echo(V2, "FirmwareStatusNotification", path!("requestId"), Class::FirmwareRequestId),
    mint(V2, "PublishFirmware", path!("requestId"), Class::PublishRequestId),
    echo(V2, "PublishFirmwareStatusNotification", path!("requestId"), Class::PublishRequestId),
    mint(V3, "GetDERControl", path!("requestId"), Class::DerRequestId),
    echo(V3, "ReportDERControl", path!("requestId"), Class::DerRequestId),
    mint(V3, "RequestBatterySwap", path!("requestId"), Class::SwapRequestId),
    // Without a request the charger mints it.
    echo(V3, "BatterySwap", path!("requestId"), Class::SwapRequestId).foreign(),
    // Display, local list, network.
    mint(V2, "SetDisplayMessage", path!("message" "id"), Class::DisplayMessageId),
    named(V2, "ClearDisplayMessage", path!("id"), Class::DisplayMessageId),
    named(V2, "GetDisplayMessages", path!("id" *), Class::DisplayMessageId),
    echo(V2, "NotifyDisplayMessages", path!("messageInfo" * "id"), Class::DisplayMessageId).foreign(),
    mint(V2, "SendLocalList", path!("versionNumber"), Class::ListVersion),
    echo(V2, "GetLocalListVersion", path!("versionNumber"), Class::ListVersion).answer().foreign(),
    mint(V2, "SetNetworkProfile", path!("configurationSlot"), Class::ConfigurationSlot),
    // 2.1 tariffs.
    mint(V3, "Authorize", path!("tariff" "tariffId"), Class::TariffId).answer(),
    mint(V3, "SetDefaultTariff", path!("tariff" "tariffId"), Class::TariffId),
    mint(V3, "ChangeTransactionTariff", path!("tariff" "tariffId"), Class::TariffId),
    named(V3, "ClearTariffs", path!("tariffIds" *), Class::TariffId),
    echo(V3, "ClearTariffs", path!("clearTariffsResult" * "tariffId"), Class::TariffId).answer(),
    echo(V3, "GetTariffs", path!("tariffAssignments" * "tariffId"), Class::TariffId).answer(),
    echo(V3, "TransactionEvent", path!("transactionInfo" "tariffId"), Class::TariffId).optional(),
    echo(V3, "TransactionEvent", path!("costDetails" "chargingPeriods" * "tariffId"), Class::TariffId).optional(),
    mint(V3, "NotifySettlement", path!("receiptId"), Class::ReceiptId).answer(),
    // 2.1 distributed energy resources.
    mint(V3, "SetDERControl", path!("controlId"), Class::DerControlId),
    echo(V3, "SetDERControl", path!("supersededIds" *), Class::DerControlId).answer(),
    named(V3, "GetDERControl", path!("controlId"), Class::DerControlId),
    named(V3, "ClearDERControl", path!("controlId"), Class::DerControlId),
    echo(V3, "NotifyDERStartStop", path!("controlId"), Class::DerControlId),
    echo(V3, "NotifyDERStartStop", path!("supersededIds" *), Class::DerControlId),
    echo(V3, "ReportDERControl", path!("curve" * "id"), Class::DerControlId).foreign(),
    echo(V3, "ReportDERControl", path!("enterService" * "id"), Class::DerControlId).foreign(),
    echo(V3, "ReportDERControl", path!("fixedPFAbsorb" * "id"), Class::DerControlId).foreign(),
    echo(V3, "ReportDERControl", path!("fixedPFInject" * "id"), Class::DerControlId).foreign(),
    echo(V3, "ReportDERControl", path!("fixedVar" * "id"), Class::DerControlId).foreign(),
    echo(V3, "ReportDERControl", path!("freqDroop" * "id"), Class::DerControlId).foreign(),
    echo(V3, "ReportDERControl", path!("gradient" * "id"), Class::DerControlId).foreign(),
    echo(V3, "ReportDERControl", path!("limitMaxDischarge" * "id"), Class::DerControlId).foreign(),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocpp::{actions, json};

    #[test]
    fn words_are_unique_and_read_back() {
        for class in Class::ALL {
            assert_eq!(Class::from_word(class.word()), Some(class));
        }
        assert_eq!(Class::from_word("idTag"), None);
    }

    #[test]
    fn every_site_belongs_to_an_action_that_its_sender_may_send() {
        for version in Version::ALL {
            for site in all(version) {
                let action = actions::find(version, site.action).unwrap();
                let caller = match (site.part, site.sender) {
                    (Part::Request, side) => side,
                    (Part::Response, Side::Charger) => Side::Csms,
                    (Part::Response, Side::Csms) => Side::Charger,
                };
                assert!(action.sender.allows(caller), "{site:?}");
            }
        }
    }

    #[test]
    fn what_comes_back_was_minted_somewhere() {
        for version in Version::ALL {
            for site in all(version) {
                let minted = all(version).any(|m| m.role == Role::Mint && m.class == site.class);
                assert!(minted, "{version} {site:?}");
            }
        }
    }

    #[test]
    fn a_message_shows_its_identifiers() {
        let payload =
            r#"{"transactionInfo":{"transactionId":"t","remoteStartId":9},"reservationId":4}"#;
        let found: Vec<_> = sites(Version::V201, "TransactionEvent", Part::Request)
            .flat_map(|site| {
                json::locate(payload, site.path)
                    .unwrap()
                    .into_iter()
                    .map(|at| (site.class.word(), &payload[at]))
            })
            .collect();
        assert_eq!(found, [("remoteStartId", "9"), ("reservationId", "4")]);
        assert_eq!(sites(Version::V16, "Heartbeat", Part::Request).count(), 0);
    }

    #[test]
    fn only_transaction_ids_have_sentinels() {
        assert!(is_sentinel(Class::TransactionId, "-1"));
        assert!(is_sentinel(Class::TransactionId, &i64::MAX.to_string()));
        assert!(is_sentinel(Class::TransactionId, &i32::MAX.to_string()));
        assert!(!is_sentinel(Class::TransactionId, "1"));
        assert!(!is_sentinel(Class::ReservationId, "0"));
    }
}
