//! Prints every refusal as JSON Lines, for `tests/interop/check_refusals.py`:
//! `{"version","action","payload"}`. Refusals at the RPC level have no payload and are left out.

use std::io::{self, Write};

use evenkeel::ocpp::refusals::{Refusal, refusal, refuse};
use evenkeel::ocpp::{Side, Version, actions};

/// Requests for the commands whose answer repeats what was asked.
const REQUESTS: [(&str, &str); 12] = [
    ("GetConfiguration", r#"{"key":["HeartbeatInterval","x"]}"#),
    ("GetConfiguration", "{}"),
    (
        "GetBaseReport",
        r#"{"requestId":0,"reportBase":"SummaryInventory"}"#,
    ),
    (
        "GetVariables",
        r#"{"getVariableData":[{"component":{"name":"C","evse":{"id":1}},"variable":{"name":"V"},"attributeType":"Target"}]}"#,
    ),
    (
        "GetVariables",
        r#"{"getVariableData":[{"component":{"name":"C"},"variable":{"name":"V","instance":"i"}}]}"#,
    ),
    (
        "SetVariables",
        r#"{"setVariableData":[{"component":{"name":"C"},"variable":{"name":"V"},"attributeValue":"1"}]}"#,
    ),
    (
        "SetVariableMonitoring",
        r#"{"setMonitoringData":[{"id":3,"value":1.5,"type":"Delta","severity":3,"component":{"name":"C"},"variable":{"name":"V"}}]}"#,
    ),
    ("ClearVariableMonitoring", r#"{"id":[4,5]}"#),
    ("GetTransactionStatus", r#"{"transactionId":"t"}"#),
    ("GetTransactionStatus", "{}"),
    ("ClearTariffs", r#"{"tariffIds":["a","b"]}"#),
    ("ClearTariffs", "{}"),
];

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    for version in Version::ALL {
        for action in actions::all(version).filter(|action| action.sender.allows(Side::Csms)) {
            print(
                &mut out,
                version,
                action.name,
                refusal(version, action.name),
            )?;
            for (name, request) in REQUESTS {
                if name == action.name {
                    print(&mut out, version, name, refuse(version, name, request))?;
                }
            }
        }
    }
    Ok(())
}

fn print(out: &mut impl Write, version: Version, action: &str, answer: Refusal) -> io::Result<()> {
    match answer {
        Refusal::Result(payload) => writeln!(
            out,
            r#"{{"version":"{version}","action":"{action}","payload":{payload}}}"#
        ),
        Refusal::Error { .. } => Ok(()),
    }
}
