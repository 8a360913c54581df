//! Types raw texts with `rust-ocpp`.

use std::collections::HashMap;

use evenkeel::ocpp::{Envelope, MessageType, Version};
use evenkeel::replay::sim::Way;
use evenkeel::replay::sim::journal::Line;
use rust_ocpp::{v1_6::messages as v16, v2_0_1::messages as v201};
use serde::de::DeserializeOwned;

/// Types every message of a conversation, CALLs and results of both sides. Returns how many had a type; panics on one
/// that does not fit.
pub(crate) fn conversation(version: Version, lines: &[Line]) -> usize {
    let mut asked: HashMap<(bool, String), String> = HashMap::new();
    let mut typed = 0;
    for line in lines {
        let envelope = Envelope::parse(&line.text).unwrap();
        let sent = line.way == Way::Sent;
        let (action, request) = match envelope.kind {
            MessageType::Call => {
                let action = envelope.action.to_string();
                asked.insert((sent, envelope.id.to_string()), action.clone());
                (action, true)
            }
            MessageType::CallResult => {
                let action = asked.get(&(!sent, envelope.id.to_string()));
                (action.unwrap().clone(), false)
            }
            _ => continue,
        };
        let verdict = if version == Version::V16 {
            old(&action, request, envelope.payload)
        } else {
            new(&action, request, envelope.payload)
        };
        match verdict {
            Some(Ok(())) => typed += 1,
            Some(Err(error)) => panic!("{action}: {error} in {}", line.text),
            None => {}
        }
    }
    typed
}

fn fits<T: DeserializeOwned>(payload: &str) -> Result<(), String> {
    serde_json::from_str::<T>(payload)
        .map(drop)
        .map_err(|error| error.to_string())
}

/// Matches an action to its pair of types.
macro_rules! pairs {
    ($action:expr, $request:expr, $payload:expr, { $($name:literal: $req:path, $conf:path;)* }) => {
        match ($action, $request) {
            $(
                ($name, true) => Some(fits::<$req>($payload)),
                ($name, false) => Some(fits::<$conf>($payload)),
            )*
            _ => None,
        }
    };
}

fn old(action: &str, request: bool, payload: &str) -> Option<Result<(), String>> {
    pairs!(action, request, payload, {
        "Authorize": v16::authorize::AuthorizeRequest, v16::authorize::AuthorizeResponse;
        "BootNotification": v16::boot_notification::BootNotificationRequest, v16::boot_notification::BootNotificationResponse;
        "ChangeConfiguration": v16::change_configuration::ChangeConfigurationRequest, v16::change_configuration::ChangeConfigurationResponse;
        "DataTransfer": v16::data_transfer::DataTransferRequest, v16::data_transfer::DataTransferResponse;
        "GetConfiguration": v16::get_configuration::GetConfigurationRequest, v16::get_configuration::GetConfigurationResponse;
        "Heartbeat": v16::heart_beat::HeartbeatRequest, v16::heart_beat::HeartbeatResponse;
        "MeterValues": v16::meter_values::MeterValuesRequest, v16::meter_values::MeterValuesResponse;
        "RemoteStartTransaction": v16::remote_start_transaction::RemoteStartTransactionRequest, v16::remote_start_transaction::RemoteStartTransactionResponse;
        "RemoteStopTransaction": v16::remote_stop_transaction::RemoteStopTransactionRequest, v16::remote_stop_transaction::RemoteStopTransactionResponse;
        "Reset": v16::reset::ResetRequest, v16::reset::ResetResponse;
        "StartTransaction": v16::start_transaction::StartTransactionRequest, v16::start_transaction::StartTransactionResponse;
        "StatusNotification": v16::status_notification::StatusNotificationRequest, v16::status_notification::StatusNotificationResponse;
        "StopTransaction": v16::stop_transaction::StopTransactionRequest, v16::stop_transaction::StopTransactionResponse;
        "TriggerMessage": v16::trigger_message::TriggerMessageRequest, v16::trigger_message::TriggerMessageResponse;
    })
}

fn new(action: &str, request: bool, payload: &str) -> Option<Result<(), String>> {
    pairs!(action, request, payload, {
        "Authorize": v201::authorize::AuthorizeRequest, v201::authorize::AuthorizeResponse;
        "BootNotification": v201::boot_notification::BootNotificationRequest, v201::boot_notification::BootNotificationResponse;
        "DataTransfer": v201::datatransfer::DataTransferRequest, v201::datatransfer::DataTransferResponse;
        "GetBaseReport": v201::get_base_report::GetBaseReportRequest, v201::get_base_report::GetBaseReportResponse;
        "GetTransactionStatus": v201::get_transaction_status::GetTransactionStatusRequest, v201::get_transaction_status::GetTransactionStatusResponse;
        "GetVariables": v201::get_variables::GetVariablesRequest, v201::get_variables::GetVariablesResponse;
        "Heartbeat": v201::heartbeat::HeartbeatRequest, v201::heartbeat::HeartbeatResponse;
        "NotifyReport": v201::notify_report::NotifyReportRequest, v201::notify_report::NotifyReportResponse;
        "RequestStartTransaction": v201::request_start_transaction::RequestStartTransactionRequest, v201::request_start_transaction::RequestStartTransactionResponse;
        "RequestStopTransaction": v201::request_stop_transaction::RequestStopTransactionRequest, v201::request_stop_transaction::RequestStopTransactionResponse;
        "StatusNotification": v201::status_notification::StatusNotificationRequest, v201::status_notification::StatusNotificationResponse;
        "TransactionEvent": v201::transaction_event::TransactionEventRequest, v201::transaction_event::TransactionEventResponse;
    })
}
