//! The errors that records are known to have, by name.

use crate::ocpp::Severity;

/// What is wrong with a record. Each is one rule, so that a finding says what to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in crate::judge) enum Fault {
    WattHours,
    KilowattHours,
    PowerOfTen,
    StartIgnored,
    Energy,
    TimeZone,
    ClockSource,
    Time,
    Duration,
    Parking,
    Currency,
    Tariff,
    StepSize,
    Price,
    VatMissing,
    Vat,
    CostPart,
    CostPartAbsent,
    FloorForRound,
    Token,
    TokenParty,
    TokenType,
    Contract,
    ContractSeparator,
    Place,
    Evse,
    Socket,
    Coordinates,
    Address,
    Party,
    Meter,
    AuthMethod,
    AuthReference,
    SessionReference,
    HomeCharging,
    StopReason,
    Remark,
    Dimension,
    Periods,
    SignedLost,
    SignedAltered,
    Duplicate,
    Missing,
    MissingCdr,
    Late,
    Status,
    NotClosed,
    Credit,
    Extra,
}

/// How a fault is told: its name, where it shows, what the record does, and why that matters.
struct Words {
    name: &'static str,
    path: &'static str,
    does: &'static str,
    reason: &'static str,
}

const fn words(
    name: &'static str,
    path: &'static str,
    does: &'static str,
    reason: &'static str,
) -> Words {
    Words {
        name,
        path,
        does,
        reason,
    }
}

const ENERGY: &str = "Energy is billed: one Wh is the noise of three decimals.";
const TIMES: &str = "The charger's clock says when a session began and ended, to the second.";
const COST: &str = "One minor unit of the currency is the noise of rounding.";
const WHOM: &str = "Whoever is named is billed.";
const COUNT: &str = "Each session is booked once.";
const WHERE: &str = "Tariffs depend on where it was and on the kind of connector.";
const PROOF: &str = "Signed meter values are evidence and pass unchanged.";

impl Fault {
    #[expect(clippy::too_many_lines, reason = "a table")]
    const fn words(self) -> Words {
        match self {
            Self::WattHours => words("wh-for-kwh", "/energy", "books Wh as kWh", ENERGY),
            Self::KilowattHours => words("kwh-for-wh", "/energy", "books kWh as Wh", ENERGY),
            Self::PowerOfTen => words(
                "power-of-ten",
                "/energy",
                "is off by a power of ten in energy",
                ENERGY,
            ),
            Self::StartIgnored => words(
                "start-ignored",
                "/energy",
                "books the register at the stop and ignores the one at the start",
                ENERGY,
            ),
            Self::Energy => words("energy", "/energy", "books other energy", ENERGY),
            Self::TimeZone => words("time-zone", "/start", "is off by a time zone", TIMES),
            Self::ClockSource => words(
                "clock-source",
                "/start",
                "books when messages came, not what the charger's clock says",
                TIMES,
            ),
            Self::Time => words("time", "/start", "books other times", TIMES),
            Self::Duration => words("duration", "/total_time", "books another duration", TIMES),
            Self::Parking => words(
                "parking",
                "/total_parking_time",
                "books other parking time",
                TIMES,
            ),
            Self::Currency => words("currency", "/currency", "books in another currency", COST),
            Self::Tariff => words("tariff", "/tariffs", "applies another tariff", COST),
            Self::StepSize => words("step-size", "/total_cost", "ignores step_size", COST),
            Self::Price => words("price", "/total_cost", "asks another price", COST),
            Self::VatMissing => words("vat-missing", "/total_cost", "leaves VAT out", COST),
            Self::Vat => words("vat", "/total_cost", "books other VAT", COST),
            Self::CostPart => words(
                "cost-part",
                "/total_cost",
                "splits the cost otherwise",
                COST,
            ),
            Self::CostPartAbsent => words(
                "cost-part-absent",
                "/total_cost",
                "states a part of nought where the other states none",
                "A part that is left out was not applied, which comes to the same.",
            ),
            Self::FloorForRound => words(
                "floor-for-round",
                "/total_cost",
                "is always the lower by up to a minor unit: it cuts off where the other rounds",
                COST,
            ),
            Self::Token => words("token", "/token", "books another token", WHOM),
            Self::TokenParty => words("token-party", "/token", "names another party", WHOM),
            Self::TokenType => words(
                "token-type",
                "/token/type",
                "names another type of token",
                "Providers look a token up by its identifier and type.",
            ),
            Self::Contract => words("contract", "/contract", "names another contract", WHOM),
            Self::ContractSeparator => words(
                "contract-separator",
                "/contract",
                "separates the contract's parts otherwise",
                WHOM,
            ),
            Self::Place => words("place", "/location", "books another connector", WHOM),
            Self::Evse => words("evse", "/cdr_location/evse_id", "names another EVSE", WHERE),
            Self::Socket => words(
                "connector-kind",
                "/cdr_location/connector_standard",
                "books another kind of connector",
                WHERE,
            ),
            Self::Coordinates => words(
                "coordinates",
                "/cdr_location/coordinates",
                "puts the place elsewhere on the map",
                "Drivers see it on their bill.",
            ),
            Self::Address => words(
                "address",
                "/cdr_location/address",
                "writes another address",
                "Drivers see it on their bill.",
            ),
            Self::Party => words(
                "party",
                "/party_id",
                "books for another party",
                "Whoever is named is paid.",
            ),
            Self::Meter => words("meter", "/meter_id", "names another meter", PROOF),
            Self::AuthMethod => words(
                "auth-method",
                "/auth_method",
                "names another way of authorisation",
                "Partners dispute sessions on it.",
            ),
            Self::AuthReference => words(
                "authorization-reference",
                "/authorization_reference",
                "differs in whether there is an authorisation reference",
                "Providers find their session by it.",
            ),
            Self::SessionReference => words(
                "session-reference",
                "/session_id",
                "has a CDR that refers to a session that it does not have",
                "Partners find the session of a CDR by it.",
            ),
            Self::HomeCharging => words(
                "home-charging",
                "/home_charging_compensation",
                "says otherwise whether the driver is paid back for charging at home",
                WHOM,
            ),
            Self::StopReason => words(
                "stop-reason",
                "/stop_reason",
                "gives another reason for the end",
                "Operators tell by it whether chargers are sound.",
            ),
            Self::Remark => words(
                "remark",
                "/remark",
                "remarks something else",
                "A text for people.",
            ),
            Self::Dimension => words(
                "session-only-dimension",
                "/charging_periods",
                "puts a dimension of sessions into a CDR",
                "Receivers refuse a CDR with dimensions that only sessions have.",
            ),
            Self::Periods => words(
                "periods",
                "/charging_periods",
                "has charging periods that come to another amount",
                "Receivers price the periods again.",
            ),
            Self::SignedLost => words(
                "signed-data-lost",
                "/signed_data",
                "has lost the signed meter values",
                PROOF,
            ),
            Self::SignedAltered => words(
                "signed-data-altered",
                "/signed_data",
                "has altered the signed meter values",
                PROOF,
            ),
            Self::Duplicate => words("duplicate", "", "books the session twice", COUNT),
            Self::Missing => words("missing", "", "does not have the session", COUNT),
            Self::MissingCdr => words("missing-cdr", "", "has no CDR of the session", COUNT),
            Self::Late => words(
                "late",
                "/last_updated",
                "is late with the session",
                "Drivers and partners expect sessions within minutes and CDRs within a day.",
            ),
            Self::Status => words("status", "/status", "gives another status", COUNT),
            Self::NotClosed => words("not-closed", "/status", "has not closed the session", COUNT),
            Self::Credit => words(
                "credit",
                "/credit_reference_id",
                "credits a CDR that it does not have, or by another amount",
                COUNT,
            ),
            Self::Extra => words("extra", "", "has a session that no charger told of", COUNT),
        }
    }

    /// Its name: the kind of the finding.
    pub(in crate::judge) const fn name(self) -> &'static str {
        self.words().name
    }

    /// What it is a property of.
    pub(super) const fn path(self) -> &'static str {
        self.words().path
    }

    /// What a record with it does, as the rest of a sentence.
    pub(super) const fn does(self) -> &'static str {
        self.words().does
    }

    pub(super) const fn reason(self) -> &'static str {
        self.words().reason
    }

    pub(super) const fn severity(self) -> Severity {
        match self {
            Self::ContractSeparator
            | Self::CostPartAbsent
            | Self::Coordinates
            | Self::Address
            | Self::Remark => Severity::S4,
            Self::AuthMethod
            | Self::SessionReference
            | Self::StopReason
            | Self::Dimension
            | Self::Late
            | Self::Status => Severity::S3,
            _ => Severity::S2,
        }
    }
}
