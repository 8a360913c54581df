//! One odd charger for each row of the catalogue: what it sends, invented from the row's description.

use crate::backend::Strict;
use Step::{ConnectsAgain, Frame, Leaves, OldOneSays, Ordered, Says};

/// One step of a charger's script. `{tx}` is the transaction that legacy assigned last, `{now}` an instant.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// A text frame; the answer is waited for if it is a CALL.
    Says(&'static str),
    /// A frame with this first byte.
    Frame(u8, &'static [u8]),
    /// Both backends send a command.
    Ordered(&'static str),
    /// The charger closes its socket and connects again.
    Leaves,
    /// It connects a second time; the first connection stays.
    ConnectsAgain,
    /// It speaks on its first connection.
    OldOneSays(&'static str),
}

/// A charger with one quirk.
#[derive(Debug)]
pub(crate) struct Fixture {
    pub(crate) row: u8,
    pub(crate) steps: &'static [Step],
    pub(crate) strict: Strict,
    /// What is odd beside.
    pub(crate) also: &'static [u8],
}

const fn odd(row: u8, strict: Strict, steps: &'static [Step]) -> Fixture {
    Fixture {
        row,
        steps,
        strict,
        also: &[],
    }
}

const TYPE: Strict = Strict::Refuses("TypeConstraintViolation");
const PROPERTY: Strict = Strict::Refuses("PropertyConstraintViolation");
const FORMAT: Strict = Strict::Refuses("FormationViolation");
const INTERNAL: Strict = Strict::Refuses("InternalError");
const LENIENT: Strict = Strict::Lenient;

const BOOT: Step = Says(
    r#"[2,"boot","BootNotification",{"chargePointVendor":"Oddly","chargePointModel":"Odd-1"}]"#,
);
/// A model of its own: what one charger dislikes, its model does.
const BOOT_SHY: Step = Says(
    r#"[2,"boot","BootNotification",{"chargePointVendor":"Oddly","chargePointModel":"Shy-1"}]"#,
);
const BOOT_201: Step = Says(
    r#"[2,"boot","BootNotification",{"reason":"PowerUp","chargingStation":{"vendorName":"Oddly","model":"Odd-2"}}]"#,
);
/// The ordinary exchange that ends every script.
const LAST: Step = Says(r#"[2,"last","Heartbeat",{}]"#);

const START: Step = Says(
    r#"[2,"s","StartTransaction",{"connectorId":1,"idTag":"F6CA0CC5","meterStart":100,"timestamp":"{now}"}]"#,
);
const METER: Step = Says(
    r#"[2,"m","MeterValues",{"connectorId":1,"transactionId":{tx},"meterValue":[{"timestamp":"{now}","sampledValue":[{"value":"150"}]}]}]"#,
);
const STOP: Step =
    Says(r#"[2,"e","StopTransaction",{"transactionId":{tx},"meterStop":200,"timestamp":"{now}"}]"#);

/// All that show on a wire: every row but 54.
pub(crate) const FIXTURES: [Fixture; 57] = [
    odd(1, INTERNAL, &[START, Says(r#"[2,"odd","MeterValues",{"connectorId":1,"transactionId":0,"meterValue":[{"timestamp":"{now}","sampledValue":[{"value":"150"}]}]}]"#), METER, STOP]),
    odd(2, LENIENT, &[Says(r#"[2,"odd","MeterValues",{"connectorId":1,"transactionId":9223372036854775807,"meterValue":[{"timestamp":"{now}","sampledValue":[{"value":"150"}]}]}]"#)]),
    odd(3, INTERNAL, &[Says(r#"[2,"odd","StopTransaction",{"transactionId":-1,"meterStop":200,"timestamp":"{now}"}]"#)]),
    odd(4, Strict::Decides("ConcurrentTx"), &[START, Says(r#"[2,"odd","StartTransaction",{"connectorId":1,"idTag":"F6CA0CC5","meterStart":100,"timestamp":"{now}"}]"#), STOP]),
    odd(5, Strict::RefusesAgain("ProtocolError"), &[Says(r#"[2,"odd","DataTransfer",{"vendorId":"Oddly"}]"#), Says(r#"[2,"odd","DataTransfer",{"vendorId":"Oddly"}]"#)]),
    Fixture { also: &[5], ..odd(6, LENIENT, &[START, STOP, STOP]) },
    odd(7, LENIENT, &[Says(r#"[2,"odd","StopTransaction",{"transactionId":99,"meterStop":200,"timestamp":"{now}"}]"#)]),
    odd(8, Strict::Decides("ConcurrentTx"), &[START, Says(r#"[2,"odd","StartTransaction",{"connectorId":1,"idTag":"0BADCAFE","meterStart":300,"timestamp":"{now}"}]"#)]),
    odd(9, Strict::Decides("ConcurrentTx"), &[START, Says(r#"[2,"n","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"SuspendedEV"}]"#), Says(r#"[2,"odd","StartTransaction",{"connectorId":1,"idTag":"0BADCAFE","meterStart":300,"timestamp":"{now}"}]"#)]),
    // It has to be connected for minutes: what the judge makes of it is tested with facts by hand.
    odd(10, LENIENT, &[START, STOP]),
    odd(11, PROPERTY, &[START, Says(r#"[2,"odd","StopTransaction",{"transactionId":{tx},"meterStop":50,"timestamp":"{now}"}]"#)]),
    odd(12, PROPERTY, &[START, Says(r#"[2,"odd","StopTransaction",{"transactionId":{tx},"meterStop":-1,"timestamp":"{now}"}]"#)]),
    odd(13, LENIENT, &[START, STOP, Says(r#"[2,"s2","StartTransaction",{"connectorId":1,"idTag":"F6CA0CC5","meterStart":0,"timestamp":"{now}"}]"#)]),
    odd(14, LENIENT, &[START, METER, Says(r#"[2,"z","MeterValues",{"connectorId":1,"transactionId":{tx},"meterValue":[{"timestamp":"{now}","sampledValue":[{"value":"0"}]}]}]"#), STOP]),
    odd(15, FORMAT, &[Says(r#"[2,"odd","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2026-01-02T03:04:05"}]"#)]),
    odd(16, FORMAT, &[Says(r#"[2,"odd","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2026-01-02T03:04:05+02"}]"#)]),
    odd(17, LENIENT, &[
        Says(r#"[2,"n1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Preparing","timestamp":"{now+2h}"}]"#),
        Says(r#"[2,"n2","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"{now+2h}"}]"#),
        Says(r#"[2,"n3","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Preparing","timestamp":"{now+2h}"}]"#),
    ]),
    odd(18, PROPERTY, &[Says(r#"[2,"odd","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"1970-01-01T00:00:12Z"}]"#)]),
    odd(19, TYPE, &[Says(r#"[2,"odd","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"{now}","sampledValue":[{"value":12.5}]}]}]"#)]),
    odd(20, TYPE, &[Says(r#"[2,"odd","MeterValues",{"connectorId":1,"meterValue":{"timestamp":"{now}","sampledValue":[{"value":"12.5"}]}}]"#)]),
    odd(21, LENIENT, &[Frame(0x81, br#",[2,"odd","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]"#)]),
    odd(22, LENIENT, &[
        Ordered(r#"[2,"c1","GetConfiguration",{}]"#),
        Frame(0x81, br#"[3,"c1",{"configurationKey":[{"key":"HeartbeatInterval","readonl"#),
    ]),
    odd(23, FORMAT, &[Says(r#"[2,"odd","Heartbeat",null]"#)]),
    odd(24, LENIENT, &[Says("")]),
    odd(25, PROPERTY, &[Says(r#"[2,"odd","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"{now}","sampledValue":[{"value":"50","unit":"Hz","measurand":"Frequency"}]}]}]"#)]),
    odd(26, PROPERTY, &[Says(r#"[2,"odd","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","info":"a story about the contactor that goes on for longer than fifty characters"}]"#)]),
    odd(27, Strict::Decides("Invalid"), &[Says(r#"[2,"odd","Authorize",{"idTag":" F6 CA 0C C5"}]"#)]),
    odd(28, Strict::Decides("Invalid"), &[Says(r#"[2,"a","Authorize",{"idTag":"F6CA0CC5"}]"#), Says(r#"[2,"odd","StartTransaction",{"connectorId":1,"idTag":"f6ca0cc5","meterStart":100,"timestamp":"{now}"}]"#)]),
    odd(29, Strict::Decides("Invalid"), &[Says(r#"[2,"a","Authorize",{"idTag":"04A1B2C3D4E5F6"}]"#), Says(r#"[2,"odd","StartTransaction",{"connectorId":1,"idTag":"04A1B2C3D4E5","meterStart":100,"timestamp":"{now}"}]"#)]),
    odd(30, LENIENT, &[Ordered(r#"[2,"c1","RemoteStartTransaction",{"connectorId":1,"idTag":"app-token"}]"#), Says(r#"[3,"c1",{"status":"Rejected"}]"#)]),
    odd(31, Strict::Shuts(400), &[]),
    odd(32, Strict::Shuts(400), &[]),
    odd(33, Strict::Shuts(404), &[]),
    odd(34, LENIENT, &[ConnectsAgain]),
    Fixture { also: &[34], ..odd(35, LENIENT, &[ConnectsAgain, OldOneSays(r#"[2,"o","Heartbeat",{}]"#)]) },
    odd(36, Strict::Refuses("NotImplemented"), &[Says(r#"[2,"odd","NotifyEvent",{"generatedAt":"{now}","seqNo":0,"eventData":[]}]"#)]),
    odd(37, LENIENT, &[]),
    odd(38, LENIENT, &[
        Says(r#"[2,"pending1","BootNotification",{"chargePointVendor":"Oddly","chargePointModel":"Odd-1"}]"#),
        Says(r#"[2,"boot2","BootNotification",{"chargePointVendor":"Oddly","chargePointModel":"Odd-1"}]"#),
            Ordered(r#"[2,"c1","GetConfiguration",{}]"#),
            Says(r#"[3,"c1",{"configurationKey":[]}]"#),
    ]),
    odd(39, LENIENT, &[
        Ordered(r#"[2,"c1","GetConfiguration",{}]"#),
        Leaves,
        Ordered(r#"[2,"c2","GetConfiguration",{}]"#),
        Says(r#"[3,"c2",{"configurationKey":[]}]"#),
    ]),
    odd(40, LENIENT, &[START, Leaves]),
    odd(41, PROPERTY, &[START, Says(r#"[2,"odd","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"{now}","sampledValue":[{"value":"150"}]}]}]"#), STOP]),
    odd(42, Strict::Refuses("OccurrenceConstraintViolation"), &[
        Says(r#"[2,"odd","TransactionEvent",{"eventType":"Started","timestamp":"{now}","triggerReason":"CablePluggedIn","seqNo":4,"transactionInfo":{"transactionId":"T-1"},"evse":{"id":1}}]"#),
        Says(r#"[2,"u","TransactionEvent",{"eventType":"Updated","timestamp":"{now}","triggerReason":"MeterValuePeriodic","seqNo":2,"offline":true,"transactionInfo":{"transactionId":"T-1"}}]"#),
    ]),
    odd(43, LENIENT, &[Says(r#"[2,"n","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Charging"}]"#), START, STOP]),
    odd(44, FORMAT, &[Says(r#"[2,"odd","StatusNotification",{"connectorId":1,"status":"Preparing","errorCode":"NoError","status":"Available"}]"#)]),
    odd(45, FORMAT, &[Says(r#"[2,17,"StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available"}]"#)]),
    odd(46, LENIENT, &[Says(r#"[3,"never-asked",{"status":"Accepted"}]"#)]),
    odd(47, LENIENT, &[Frame(0xc1, b"\xaa\x56\x4a\x2e\x2a\x4a\x2d\x51\xb2")]),
    odd(48, LENIENT, &[]),
    odd(49, LENIENT, &[
        Says(r#"[2,"h0","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-01-01T10:00:07Z"}]"#),
        Says(r#"[2,"h1","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-01-01T11:11:07Z"}]"#),
        Says(r#"[2,"h2","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-01-01T12:22:07Z"}]"#),
        Says(r#"[2,"h3","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-01-01T13:33:07Z"}]"#),
        Says(r#"[2,"h4","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-01-01T14:44:07Z"}]"#),
        Says(r#"[2,"h5","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-01-02T10:00:07Z"}]"#),
        Says(r#"[2,"h6","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-01-02T11:11:07Z"}]"#),
        Says(r#"[2,"h7","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-01-02T12:22:07Z"}]"#),
        Says(r#"[2,"h8","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-01-02T13:33:07Z"}]"#),
        Says(r#"[2,"h9","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"2025-01-02T14:44:07Z"}]"#),
    ]),
    odd(50, LENIENT, &[
        Says(r#"[2,"refuse1","DataTransfer",{"vendorId":"Oddly"}]"#),
        Says(r#"[2,"refuse2","DataTransfer",{"vendorId":"Oddly"}]"#),
        Says(r#"[2,"refuse3","DataTransfer",{"vendorId":"Oddly"}]"#),
        Says(r#"[2,"refuse4","DataTransfer",{"vendorId":"Oddly"}]"#),
    ]),
    odd(51, LENIENT, &[
        START,
        Ordered(r#"[2,"c1","SetChargingProfile",{"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Relative","chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":4.0}]}}}]"#),
        Says(r#"[3,"c1",{"status":"Accepted"}]"#),
        Says(r#"[2,"e","StopTransaction",{"transactionId":{tx},"meterStop":200,"timestamp":"{now}","reason":"Other"}]"#),
    ]),
    odd(52, LENIENT, &[
        Ordered(r#"[2,"c1","GetConfiguration",{}]"#),
        Says(r#"[3,"c1",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"3c4f6d2e"}]}]"#),
    ]),
    odd(53, LENIENT, &[
        Ordered(r#"[2,"1795000000","GetConfiguration",{"key":["A"]}]"#),
        Says(r#"[3,"1795000000",{"unknownKey":["A"]}]"#),
        Ordered(r#"[2,"1795000000","GetConfiguration",{"key":["B"]}]"#),
        Says(r#"[3,"1795000000",{"unknownKey":["B"]}]"#),
    ]),
    odd(55, PROPERTY, &[Says(r#"[2,"odd","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"{now}","sampledValue":[{"value":"12,5"}]}]}]"#)]),
    odd(56, INTERNAL, &[Says(r#"[2,"odd","StopTransaction",{"transactionId":0,"meterStop":0,"timestamp":"{now}"}]"#)]),
    odd(57, LENIENT, &[START, STOP]),
    odd(58, PROPERTY, &[Says(r#"[2,"odd","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"{now}","sampledValue":[{"value":"12.5000000000"}]}]}]"#)]),
];

/// A charger without any quirk.
pub(crate) const ORDINARY: Fixture = odd(0, LENIENT, &[START, METER, STOP]);

impl Fixture {
    /// The identity, as it stands in the URL.
    pub(crate) fn charger(&self) -> String {
        let space = if self.row == 33 { "%20" } else { "" };
        format!("row-{}{space}", self.row)
    }

    fn version(&self) -> &'static str {
        if self.row == 42 {
            "ocpp2.0.1"
        } else {
            "ocpp1.6"
        }
    }

    /// The request head.
    pub(crate) fn request(&self, address: &str) -> String {
        let mut head = format!(
            "GET /{} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n",
            self.charger()
        );
        if self.row != 32 {
            head += "Connection: Upgrade\r\n";
        }
        if self.row == 48 {
            // `CP:` and the 32 digits of a key.
            head += "Authorization: Basic Q1A6MDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmY=\r\n";
        }
        if self.row != 31 {
            head = head + "Sec-WebSocket-Protocol: " + self.version() + "\r\n";
        }
        head + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    }

    /// Its boot, what is odd, and an ordinary exchange.
    pub(crate) fn all_steps(&self) -> Vec<Step> {
        let boot = match self.row {
            37 | 38 => None,
            39 => Some(BOOT_SHY),
            42 => Some(BOOT_201),
            _ => Some(BOOT),
        };
        boot.into_iter()
            .chain(self.steps.iter().copied())
            .chain([LAST])
            .collect()
    }

    /// Every row that it shows over sockets.
    pub(crate) fn rows(&self) -> Vec<u8> {
        let own = (![0, 10].contains(&self.row)).then_some(self.row);
        let mut rows: Vec<u8> = own.into_iter().chain(self.also.iter().copied()).collect();
        rows.sort_unstable();
        rows
    }
}
