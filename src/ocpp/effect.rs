//! What a command would do to a charger that obeyed it: whether it changes anything, what of it people want to read, and
//! whether somebody must hear of it at once.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::Version;
use super::json::{self, Step};

/// The longest value that a summary shows, in characters.
const LONGEST: usize = 80;

/// Why an operator must hear of a command that a backend without authority sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Notice {
    /// It would connect the charger elsewhere: network profiles, URLs, APNs, the order of networks.
    Moves,
    /// It would change how the charger proves who it is, or whom it trusts.
    Login,
    /// It would replace the firmware.
    Firmware,
    /// It would start or stop charging.
    Charging,
}

impl Notice {
    /// The words for it.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Moves => "moves the charger",
            Self::Login => "changes how the charger logs in",
            Self::Firmware => "replaces the firmware",
            Self::Charging => "starts or stops charging",
        }
    }
}

/// A part of a charger's state that a made-up answer may pretend to have changed. What a backend sends or answers later
/// about the same part follows from the pretence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Configuration keys and variables.
    Configuration,
    /// A restart.
    Restart,
    /// The authorisation cache.
    Cache,
    /// The local authorisation list.
    LocalList,
    /// Charging profiles.
    Profiles,
    /// Installed certificates.
    Certificates,
    /// Display messages.
    DisplayMessages,
}

impl Topic {
    /// What pretending to obey this action changes.
    pub fn of(action: &str) -> Option<Self> {
        Some(match action {
            "ChangeConfiguration" | "SetVariables" => Self::Configuration,
            "Reset" => Self::Restart,
            "ClearCache" => Self::Cache,
            "SendLocalList" => Self::LocalList,
            "SetChargingProfile" | "ClearChargingProfile" => Self::Profiles,
            "InstallCertificate" => Self::Certificates,
            "SetDisplayMessage" | "ClearDisplayMessage" => Self::DisplayMessages,
            _ => return None,
        })
    }

    /// Whether messages of this action follow from this part of the charger's state.
    pub fn decides(self, action: &str) -> bool {
        let actions: &[&str] = match self {
            // A backend that waits for its settings accepts the charger once it believes them set.
            Self::Configuration => &[
                "BootNotification",
                "ChangeConfiguration",
                "GetBaseReport",
                "GetConfiguration",
                "GetReport",
                "GetVariables",
                "NotifyReport",
                "Reset",
                "SetVariables",
            ],
            Self::Restart => &["BootNotification", "Reset"],
            Self::Cache => &["ClearCache"],
            Self::LocalList => &["GetLocalListVersion", "SendLocalList"],
            Self::Profiles => &[
                "ClearChargingProfile",
                "GetChargingProfiles",
                "GetCompositeSchedule",
                "ReportChargingProfiles",
                "SetChargingProfile",
            ],
            Self::Certificates => &[
                "DeleteCertificate",
                "GetInstalledCertificateIds",
                "InstallCertificate",
            ],
            Self::DisplayMessages => &[
                "ClearDisplayMessage",
                "GetDisplayMessages",
                "NotifyDisplayMessages",
                "SetDisplayMessage",
            ],
        };
        actions.contains(&action)
    }
}

/// Whether a charger that obeys is another one afterwards. A question, a trigger and a notice to the driver change
/// nothing; an action that nobody knows may.
pub fn changes(action: &str) -> bool {
    const HARMLESS: [&str; 4] = [
        "CostUpdated",
        "ExtendedTriggerMessage",
        "NotifyWebPaymentStarted",
        "TriggerMessage",
    ];
    !action.starts_with("Get") && !HARMLESS.contains(&action)
}

/// Whether an operator must hear that a backend without authority sent this.
pub fn notice(version: Version, action: &str, payload: &str) -> Option<Notice> {
    match action {
        "SetNetworkProfile" => Some(Notice::Moves),
        "PublishFirmware" | "SignedUpdateFirmware" | "UpdateFirmware" => Some(Notice::Firmware),
        "RemoteStartTransaction"
        | "RemoteStopTransaction"
        | "RequestStartTransaction"
        | "RequestStopTransaction" => Some(Notice::Charging),
        "CertificateSigned" => Some(Notice::Login),
        "InstallCertificate" => trusts_another(payload).then_some(Notice::Login),
        "ChangeConfiguration" if version == Version::V16 => {
            of_setting("", &text(payload, &[Step::Key("key")])?)
        }
        "SetVariables" => variables(payload)
            .filter_map(|variable| of_setting(&variable.component, &variable.name))
            .min(),
        _ => None,
    }
}

/// The fields that say what it is about, as `name=value` after another. Never whom it is about: no tokens.
pub fn summary(action: &str, payload: &str) -> String {
    let mut out = String::new();
    let mut add = |name: &str, value: &str| {
        let gap = if out.is_empty() { "" } else { ", " };
        let value = shortened(value);
        // Writing to a string does not fail.
        let _infallible = write!(out, "{gap}{name}={value}");
    };
    match action {
        "ChangeConfiguration" => {
            if let (Some(key), Some(value)) = (
                text(payload, &[Step::Key("key")]),
                text(payload, &[Step::Key("value")]),
            ) {
                add(&shortened(&key), &value);
            }
        }
        "SetVariables" => {
            for variable in variables(payload) {
                let name = format!("{}.{}", variable.component, variable.name);
                add(&shortened(&name), &variable.value);
            }
        }
        _ => {
            for (_, path) in FIELDS.iter().filter(|(of, _)| *of == action) {
                if let (Some(Step::Key(name)), Some(value)) = (path.last(), text(payload, path)) {
                    add(name, &value);
                }
            }
        }
    }
    out
}

const fn key(name: &'static str) -> Step {
    Step::Key(name)
}

/// What of a command is shown.
const FIELDS: [(&str, &[Step]); 29] = [
    ("ChangeAvailability", &[key("connectorId")]),
    ("ChangeAvailability", &[key("type")]),
    ("ChangeAvailability", &[key("evse"), key("id")]),
    ("ChangeAvailability", &[key("operationalStatus")]),
    ("ClearChargingProfile", &[key("chargingProfilePurpose")]),
    ("CertificateSigned", &[key("certificateType")]),
    ("DataTransfer", &[key("vendorId")]),
    ("DataTransfer", &[key("messageId")]),
    ("InstallCertificate", &[key("certificateType")]),
    ("RemoteStartTransaction", &[key("connectorId")]),
    ("RequestStartTransaction", &[key("evseId")]),
    ("ReserveNow", &[key("connectorId")]),
    ("ReserveNow", &[key("evseId")]),
    ("Reset", &[key("type")]),
    ("SendLocalList", &[key("updateType")]),
    ("SetChargingProfile", &[key("connectorId")]),
    ("SetChargingProfile", &[key("evseId")]),
    (
        "SetChargingProfile",
        &[key("csChargingProfiles"), key("chargingProfilePurpose")],
    ),
    (
        "SetChargingProfile",
        &[key("chargingProfile"), key("chargingProfilePurpose")],
    ),
    ("SetDERControl", &[key("controlType")]),
    ("SetMonitoringBase", &[key("monitoringBase")]),
    ("SetMonitoringLevel", &[key("severity")]),
    ("SetNetworkProfile", &[key("configurationSlot")]),
    (
        "SetNetworkProfile",
        &[key("connectionData"), key("ocppCsmsUrl")],
    ),
    (
        "SetNetworkProfile",
        &[key("connectionData"), key("securityProfile")],
    ),
    ("UnlockConnector", &[key("connectorId")]),
    ("UnlockConnector", &[key("evseId")]),
    ("UpdateFirmware", &[key("retrieveDate")]),
    (
        "UpdateFirmware",
        &[key("firmware"), key("retrieveDateTime")],
    ),
];

/// One element of `setVariableData`.
struct Variable<'a> {
    component: Cow<'a, str>,
    name: Cow<'a, str>,
    value: Cow<'a, str>,
}

fn variables(payload: &str) -> impl Iterator<Item = Variable<'_>> {
    let elements = [Step::Key("setVariableData"), Step::Each];
    let found = json::locate(payload, &elements).unwrap_or_default();
    found.into_iter().filter_map(|at| {
        let element = &payload[at];
        let member = |path: &[Step]| text(element, path);
        Some(Variable {
            component: member(&[Step::Key("component"), Step::Key("name")])?,
            name: member(&[Step::Key("variable"), Step::Key("name")])?,
            value: member(&[Step::Key("attributeValue")])?,
        })
    })
}

/// The text of a member: a string's content, anything else as it is written.
fn text<'a>(payload: &'a str, path: &[Step]) -> Option<Cow<'a, str>> {
    let literal = json::first(payload, path)?;
    Some(json::string_value(literal).unwrap_or(Cow::Borrowed(literal)))
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => Cow::Owned(format!("{}...", &text[..at])),
        None => Cow::Borrowed(text),
    }
}

/// A root certificate decides which backend a charger believes.
fn trusts_another(payload: &str) -> bool {
    text(payload, &[Step::Key("certificateType")]).is_some_and(|kind| {
        matches!(
            kind.as_ref(),
            "CentralSystemRootCertificate" | "CSMSRootCertificate"
        )
    })
}

/// A 1.6 key, or a 2.x variable of a component.
fn of_setting(component: &str, name: &str) -> Option<Notice> {
    const LOGIN: [&str; 5] = [
        "AuthorizationKey",
        "BasicAuthPassword",
        "Identity",
        "SecurityProfile",
        "ClientCertificate",
    ];
    const MOVES: [&str; 2] = ["NetworkConfigurationPriority", "ActiveNetworkProfile"];
    const WORDS: [&str; 9] = [
        "apn", "backend", "csms", "domain", "endpoint", "host", "hostname", "server", "url",
    ];
    let is = |other: &&str| name.eq_ignore_ascii_case(other);
    if LOGIN.iter().any(is) {
        return Some(Notice::Login);
    }
    let words = words(name);
    let says = |word: &str| words.iter().any(|own| own == word);
    // Where a charger reads the time or how it is reached by a browser does not move it.
    let elsewhere = says("ntp") || says("time");
    let moves = component == "NetworkConfiguration"
        || MOVES.iter().any(is)
        || WORDS.iter().any(|word| says(word))
        || name.to_ascii_lowercase().ends_with("url");
    (moves && !elsewhere).then_some(Notice::Moves)
}

/// `OcppCsmsUrl` is `ocpp`, `csms`, `url`; `CentralSystemURL` is `central`, `system`, `url`.
fn words(name: &str) -> Vec<String> {
    let letters: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|before| letters.get(before));
        let after = letters.get(at + 1);
        let begins = letter.is_uppercase()
            && (before.is_some_and(|before| !before.is_uppercase())
                || after.is_some_and(|after| after.is_lowercase()));
        if begins || !letter.is_alphanumeric() {
            words.push(String::new());
        }
        if letter.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(letter.to_lowercase());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_key(name: &str) -> Option<Notice> {
        let payload = format!(r#"{{"key":"{name}","value":"x"}}"#);
        notice(Version::V16, "ChangeConfiguration", &payload)
    }

    #[test]
    fn what_moves_a_charger_or_its_login_is_noticed() {
        for (name, expected) in [
            ("CentralSystemURL", Some(Notice::Moves)),
            ("serverurl", Some(Notice::Moves)),
            ("GPRS_APN", Some(Notice::Moves)),
            ("BackendHost", Some(Notice::Moves)),
            ("securityprofile", Some(Notice::Login)),
            ("AuthorizationKey", Some(Notice::Login)),
            ("HeartbeatInterval", None),
            // It spells `url`, but it is none.
            ("HourLimit", None),
            ("NtpServerUri", None),
        ] {
            assert_eq!(of_key(name), expected, "{name}");
        }
    }

    #[test]
    fn the_worst_of_several_variables_counts() {
        let payload = r#"{"setVariableData":[
            {"component":{"name":"OCPPCommCtrlr"},"variable":{"name":"HeartbeatInterval"},"attributeValue":"60"},
            {"component":{"name":"SecurityCtrlr"},"variable":{"name":"SecurityProfile"},"attributeValue":"3"},
            {"component":{"name":"OCPPCommCtrlr"},"variable":{"name":"NetworkConfigurationPriority"},"attributeValue":"2"}]}"#;
        let found = notice(Version::V201, "SetVariables", payload);
        assert_eq!(found, Some(Notice::Moves));
        assert_eq!(
            summary("SetVariables", payload),
            "OCPPCommCtrlr.HeartbeatInterval=60, SecurityCtrlr.SecurityProfile=3, \
             OCPPCommCtrlr.NetworkConfigurationPriority=2"
        );
    }

    #[test]
    fn a_summary_says_what_and_not_whom() {
        let start = r#"{"connectorId":2,"idTag":"SECRET"}"#;
        assert_eq!(summary("RemoteStartTransaction", start), "connectorId=2");
        let change = format!(r#"{{"key":"K","value":"{}"}}"#, "v".repeat(100));
        let shown = format!("K={}...", "v".repeat(LONGEST));
        assert_eq!(summary("ChangeConfiguration", &change), shown);
        assert_eq!(summary("ClearCache", "not JSON"), "");
    }

    #[test]
    fn questions_change_nothing() {
        assert!(!changes("GetConfiguration") && !changes("TriggerMessage"));
        assert!(changes("Reset") && changes("MakeCoffee"));
    }

    #[test]
    fn every_pretence_decides_at_least_its_own_repeat() {
        for action in ["ChangeConfiguration", "Reset", "SetDisplayMessage"] {
            assert!(Topic::of(action).unwrap().decides(action));
        }
        assert!(Topic::Configuration.decides("BootNotification"));
        assert!(!Topic::LocalList.decides("BootNotification"));
    }
}
