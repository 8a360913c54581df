//! Which members of messages and records keep their values in a report. What is not named here is hidden.

/// What becomes of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// It stays.
    Kept,
    /// It stays if it is a number or a truth value, however it is spelled: measurements and settings.
    Measured,
    /// It is words of a program: only names in it are replaced.
    Prose,
    /// A pseudonym takes its place.
    Hidden,
}

impl Fate {
    /// Whether this very value stays as it is.
    pub(super) fn keeps(self, value: &str) -> bool {
        match self {
            Self::Kept => true,
            Self::Measured => is_measure(value),
            Self::Prose | Self::Hidden => false,
        }
    }
}

/// Members that stay: enumerations, counters, times, amounts, and what a charger is made of. Without underscores, in lower
/// case and in order.
const KEPT: &[&str] = &[
    "actualvalue",
    "additionalinfotype",
    "attributestatus",
    "attributetype",
    "authmethod",
    "cablemaxcurrent",
    "cacheexpirydatetime",
    "cause",
    "certificatesigningusetype",
    "certificatestatus",
    "certificatetype",
    "chargepointmodel",
    "chargepointvendor",
    "chargerateunit",
    "chargingpriority",
    "chargingprofileid",
    "chargingprofilekind",
    "chargingprofilepurpose",
    "chargingrateunit",
    "chargingscheduleperiod",
    "chargingstate",
    "cleared",
    "code",
    "connectorid",
    "connectorstatus",
    "connectortype",
    "constant",
    "context",
    "control",
    "countrycode",
    "credit",
    "currency",
    "currenttime",
    "customtrigger",
    "datatype",
    "dateandtime",
    "deltavalue",
    "departuretime",
    "duration",
    "enddatetime",
    "energyamount",
    "energytransfermode",
    "errorcode",
    "eventid",
    "eventnotificationtype",
    "eventtype",
    "evseid",
    "exclvat",
    "expirydate",
    "expirydatetime",
    "firmwareversion",
    "format",
    "generatedat",
    "hashalgorithm",
    "inclvat",
    "interval",
    "kwh",
    "language1",
    "lastupdated",
    "limit",
    "listversion",
    "location",
    "logtype",
    "maxlimit",
    "measurand",
    "messagetimeout",
    "messagetype",
    "meterstart",
    "meterstop",
    "metertype",
    "minchargingrate",
    "minlimit",
    "model",
    "multiplier",
    "mutability",
    "numberofphasesused",
    "numberphases",
    "ocppinterface",
    "ocpptransport",
    "ocppversion",
    "offline",
    "operationalstatus",
    "partyid",
    "persistent",
    "phase",
    "phasetouse",
    "price",
    "readonly",
    "reason",
    "reasoncode",
    "recurrencykind",
    "remotestartid",
    "reportbase",
    "requestedenergytransfer",
    "requestedmessage",
    "requestid",
    "reservationid",
    "retries",
    "retrievedate",
    "retryinterval",
    "samplingtime",
    "schedulestart",
    "securityprofile",
    "seqno",
    "severity",
    "source",
    "stacklevel",
    "startdatetime",
    "startperiod",
    "startschedule",
    "starttime",
    "status",
    "stepsize",
    "stoppedreason",
    "stoptime",
    "supportsmonitoring",
    "tbc",
    "timespentcharging",
    "timestamp",
    "timezone",
    "totalcost",
    "totalenergy",
    "totalparkingtime",
    "totaltime",
    "transactionid",
    "trigger",
    "triggerreason",
    "type",
    "unit",
    "unknownkey",
    "updatetype",
    "validfrom",
    "validto",
    "valueslist",
    "variableid",
    "vat",
    "vendorerrorcode",
    "vendorid",
    "vendorname",
    "volume",
];

/// Members that stay if they hold a number or a truth value: others hold settings that may be secrets, or names.
const MEASURED: &[&str] = &["attributevalue", "id", "instance", "setvalue", "value"];

/// Members whose value is the name of a setting or a kind of message.
const NAMES: &[&str] = &["key", "messageid"];

/// Members whose `name` is that of a part of a charger; anything else may be called by somebody's name.
const PARTS: &[&str] = &["component", "variable"];

/// Members in which a program says in words what is wrong.
const PROSE: &[&str] = &["additionalinfo", "errordescription"];

/// Members below which everything is a vendor's own.
const FOREIGN: &[&str] = &["customdata", "data"];

/// Longest name of a member that is looked up.
const LONGEST: usize = 40;

/// What becomes of the value of a member of the object that stands in `parent`.
pub(super) fn fate(name: &str, parent: &str) -> Fate {
    if name == "name" && PARTS.contains(&parent) {
        return Fate::Kept;
    }
    let mut spelled = [0; LONGEST];
    let Some(name) = plain(name, &mut spelled) else {
        return Fate::Hidden;
    };
    let is_in = |list: &[&str]| list.binary_search(&name).is_ok();
    if is_in(KEPT) || is_in(NAMES) {
        Fate::Kept
    } else if is_in(MEASURED) {
        Fate::Measured
    } else if is_in(PROSE) {
        Fate::Prose
    } else {
        Fate::Hidden
    }
}

/// Whether what lies below this member is a vendor's own.
pub(super) fn is_foreign(name: &str) -> bool {
    let mut spelled = [0; LONGEST];
    plain(name, &mut spelled).is_some_and(|name| FOREIGN.contains(&name))
}

/// The name in lower case, without its underscores.
fn plain<'b>(name: &str, room: &'b mut [u8; LONGEST]) -> Option<&'b str> {
    let mut length = 0;
    for byte in name.bytes().filter(|byte| *byte != b'_') {
        *room.get_mut(length)? = byte.to_ascii_lowercase();
        length += 1;
    }
    std::str::from_utf8(&room[..length]).ok()
}

/// Whether a value is a decimal number, a truth value or a time.
fn is_measure(value: &str) -> bool {
    let value = value.trim();
    // Some chargers write dozens of zeros behind the point: they say nothing.
    let said = if value.contains('.') {
        value.trim_end_matches('0')
    } else {
        value
    };
    let digits = said.bytes().filter(u8::is_ascii_digit).count();
    let is_number = digits > 0
        && digits <= 18
        && value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte))
        && value.parse::<f64>().is_ok();
    is_number || matches!(value, "true" | "false" | "True" | "False" | "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order_and_plain() {
        for list in [KEPT, MEASURED, NAMES, PARTS, PROSE, FOREIGN] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]), "{list:?}");
            let mut room = [0; LONGEST];
            for name in list {
                assert_eq!(plain(name, &mut room), Some(*name));
            }
        }
    }

    #[test]
    fn only_what_is_named_stays() {
        let fate = |name| super::fate(name, "");
        assert!(fate("status").keeps("Blocked") && fate("start_date_time").keeps("2027"));
        assert!(fate("value").keeps("230.4") && fate("value").keeps("true"));
        assert!(!fate("value").keeps("open sesame") && !fate("id").keeps("LEG-17"));
        assert_eq!(super::fate("name", "variable"), Fate::Kept);
        for name in [
            "idTag",
            "idToken",
            "customField",
            "iccid",
            "address",
            "latitude",
            "name",
            "",
        ] {
            assert_eq!(fate(name), Fate::Hidden, "{name}");
        }
        assert_eq!(fate(&"x".repeat(90)), Fate::Hidden);
        assert!(is_foreign("customData") && is_foreign("data") && !is_foreign("dataType"));
    }
}
