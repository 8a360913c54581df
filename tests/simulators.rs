//! Simulated chargers and backends against each other, without a tap.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::time::Duration;

use evenkeel::ocpp::Version;
use evenkeel::replay::sim::backend::CommandError;
use evenkeel::replay::sim::charger::Occupancy;
use evenkeel::replay::sim::dialect::{Hand, Mint};
use evenkeel::replay::sim::{
    Answer, Dialect, Fault, Pace, SimBackend, SimCharger, SimError, Spec, Step, Stop, Way,
};
use serde_json::json;

#[path = "simulators/typing.rs"]
mod typing;

/// Longer than anything here takes, shorter than a reader's patience.
const PATIENCE: Duration = Duration::from_secs(20);

fn priced() -> Dialect {
    Dialect {
        price: Some(35),
        ..Dialect::default()
    }
}

async fn whole_session(version: Version, dialect: Dialect) -> (SimBackend, SimCharger, Answer) {
    let backend = SimBackend::start(dialect).await.unwrap();
    let mut charger = SimCharger::connect(&backend.url(), Spec::new("c-1", version))
        .await
        .unwrap();
    let boot = charger.boot().await.unwrap();
    assert_eq!(boot.text("/status"), "Accepted");
    charger.status(1, Occupancy::Available).await.unwrap();
    charger.heartbeat().await.unwrap();
    charger.data_transfer("v", "m", "{}").await.unwrap();
    charger.authorize("TAG-1").await.unwrap();
    charger.status(1, Occupancy::Preparing).await.unwrap();
    charger.start(1, "TAG-1").await.unwrap();
    charger.status(1, Occupancy::Charging).await.unwrap();
    for _ in 0..3 {
        charger.meter(1).await.unwrap();
    }
    let last = charger.stop(1, "Local").await.unwrap();
    charger.status(1, Occupancy::Available).await.unwrap();
    (backend, charger, last)
}

#[tokio::test]
async fn a_whole_session_is_typed_by_rust_ocpp_in_both_versions() {
    for version in [Version::V16, Version::V201] {
        let hand = Hand {
            reversed: true,
            spaced: true,
        };
        let dialect = Dialect { hand, ..priced() };
        let (backend, charger, _) = whole_session(version, dialect).await;
        let messages = charger.journal().lines();
        assert!(messages.len() >= 26);
        let typed = typing::conversation(version, &messages);
        assert_eq!(typed, messages.len(), "every message was typed");
        let transactions = backend.log().transactions();
        let [transaction] = transactions.as_slice() else {
            panic!("one session, {transactions:?}");
        };
        assert_eq!(transaction.samples, 3);
        assert_eq!(transaction.tag, "TAG-1");
        let register = i64::try_from(charger.register(1)).unwrap();
        assert_eq!(transaction.meter_stop, Some(register));
        assert!(transaction.meter_start < transaction.meter_stop);
        assert_eq!(transaction.reason, "Local");
        assert_eq!(backend.log().strays(), []);
        charger.close(1000).await.unwrap();
        let log = backend.log();
        assert!(log.until(PATIENCE, |log| log.connected().is_empty()).await);
    }
}

#[tokio::test]
async fn only_the_ended_event_carries_the_cost() {
    let (_backend, charger, last) = whole_session(Version::V201, priced()).await;
    assert!(!last.at("/totalCost").is_null());
    let costs = charger.journal().texts(Way::Received);
    let costs = costs.iter().filter(|text| text.contains("totalCost"));
    assert_eq!(costs.count(), 1);
}

#[tokio::test]
async fn two_chargers_with_one_seed_say_the_same() {
    let texts = async || {
        let (_backend, charger, _) = whole_session(Version::V201, priced()).await;
        let stamp = |text: &str| {
            let mut masked = String::new();
            for piece in text.split('"') {
                let is_time = piece.len() == 24 && piece.ends_with('Z');
                masked.push_str(if is_time { "TIME" } else { piece });
            }
            masked
        };
        let sent = charger.journal().texts(Way::Sent);
        sent.iter().map(|text| stamp(text)).collect::<Vec<_>>()
    };
    assert_eq!(texts().await, texts().await);
}

#[tokio::test]
async fn every_way_of_numbering_transactions_comes_back_unchanged() {
    for mint in [
        Mint::Up(1),
        Mint::Up(0),
        Mint::Down(-1),
        Mint::ABOVE_INT32,
        Mint::Random,
        Mint::Epoch,
    ] {
        let dialect = Dialect {
            mint,
            ..Dialect::default()
        };
        let (backend, _charger, _) = whole_session(Version::V16, dialect).await;
        let log = backend.log();
        assert_eq!(log.strays(), [], "{mint:?}");
        let id = &log.transactions()[0].id;
        let stop = log.calls("c-1", "StopTransaction");
        assert!(stop[0].contains(&format!("\"transactionId\":{id}")));
        for meter in log.calls("c-1", "MeterValues") {
            assert!(
                meter.contains(&format!("\"transactionId\":{id}")),
                "{mint:?}"
            );
        }
    }
}

#[tokio::test]
async fn two_sessions_of_one_charger_keep_apart() {
    let backend = SimBackend::start(Dialect::default()).await.unwrap();
    let spec = Spec {
        connectors: 2,
        ..Spec::new("c-2", Version::V16)
    };
    let mut charger = SimCharger::connect(&backend.url(), spec).await.unwrap();
    charger.start(1, "TAG-1").await.unwrap();
    charger.start(2, "TAG-1").await.unwrap();
    charger.meter(2).await.unwrap();
    charger.meter(1).await.unwrap();
    charger.stop(1, "Local").await.unwrap();
    assert!(charger.session(1).is_none());
    charger.stop(2, "Local").await.unwrap();
    let transactions = backend.log().transactions();
    assert_eq!(transactions.len(), 2);
    assert!(transactions.iter().all(|one| one.samples == 1));
    assert!(transactions.iter().all(|one| one.meter_stop.is_some()));
}

/// Sends a command while the charger waits for one.
async fn ask(
    backend: &SimBackend,
    charger: &mut SimCharger,
    action: &str,
    payload: serde_json::Value,
) -> Answer {
    let identity = charger.spec().identity.clone();
    let (answer, command) = tokio::join!(
        backend.command(&identity, action, payload),
        charger.next_command(PATIENCE)
    );
    assert_eq!(command.unwrap().action, action);
    answer.unwrap()
}

async fn connected(version: Version) -> (SimBackend, SimCharger) {
    let backend = SimBackend::start(Dialect::default()).await.unwrap();
    let spec = Spec::new("c-1", version);
    let mut charger = SimCharger::connect(&backend.url(), spec).await.unwrap();
    charger.boot().await.unwrap();
    (backend, charger)
}

#[tokio::test]
async fn a_16_charger_answers_commands_and_follows_them() {
    let (backend, mut charger) = connected(Version::V16).await;
    let all = ask(&backend, &mut charger, "GetConfiguration", json!({})).await;
    assert!(all.at("/configurationKey").as_array().unwrap().len() > 20);
    let some = json!({ "key": ["heartbeatinterval", "Nothing"] });
    let some = ask(&backend, &mut charger, "GetConfiguration", some).await;
    assert_eq!(some.text("/configurationKey/0/value"), "300");
    assert_eq!(some.text("/unknownKey/0"), "Nothing");

    let change = json!({ "key": "HeartbeatInterval", "value": "60" });
    let change = ask(&backend, &mut charger, "ChangeConfiguration", change).await;
    assert_eq!(change.text("/status"), "Accepted");
    let fixed = json!({ "key": "NumberOfConnectors", "value": "9" });
    let fixed = ask(&backend, &mut charger, "ChangeConfiguration", fixed).await;
    assert_eq!(fixed.text("/status"), "Rejected");

    let trigger = json!({ "requestedMessage": "BootNotification" });
    let trigger = ask(&backend, &mut charger, "TriggerMessage", trigger).await;
    assert_eq!(trigger.text("/status"), "Accepted");
    assert_eq!(backend.log().calls("c-1", "BootNotification").len(), 2);

    let start = json!({ "connectorId": 1, "idTag": "TAG-1" });
    let start = ask(&backend, &mut charger, "RemoteStartTransaction", start).await;
    assert_eq!(start.text("/status"), "Accepted");
    let id = charger.session(1).unwrap().id.clone();
    let stop = json!({ "transactionId": id });
    ask(&backend, &mut charger, "RemoteStopTransaction", stop).await;
    assert_eq!(backend.log().transactions()[0].reason, "Remote");

    let reset = ask(&backend, &mut charger, "Reset", json!({ "type": "Soft" })).await;
    assert_eq!(reset.text("/status"), "Rejected");
    let odd = ask(&backend, &mut charger, "MakeCoffee", json!({})).await;
    assert!(matches!(odd, Answer::Error { code, .. } if code == "NotImplemented"));
    typing::conversation(Version::V16, &charger.journal().lines());
}

#[tokio::test]
async fn a_201_charger_answers_commands_and_follows_them() {
    let (backend, mut charger) = connected(Version::V201).await;
    let report = json!({ "requestId": 0, "reportBase": "FullInventory" });
    let report = ask(&backend, &mut charger, "GetBaseReport", report).await;
    assert_eq!(report.text("/status"), "Accepted");
    let parts = backend.log().calls("c-1", "NotifyReport");
    assert_eq!(parts.len(), 2);
    assert!(parts[0].contains("\"tbc\":true") && parts[1].contains("\"tbc\":false"));

    let variables = json!({ "getVariableData": [
        { "component": { "name": "ChargingStation" }, "variable": { "name": "Model" } },
        { "component": { "name": "Nothing" }, "variable": { "name": "X" } },
    ]});
    let variables = ask(&backend, &mut charger, "GetVariables", variables).await;
    assert_eq!(
        variables.text("/getVariableResult/0/attributeValue"),
        "Kerb 11"
    );
    let second = variables.text("/getVariableResult/1/attributeStatus");
    assert_eq!(second, "UnknownComponent");

    let start = json!({
        "remoteStartId": 4711,
        "evseId": 1,
        "idToken": { "idToken": "TAG-1", "type": "Central" },
    });
    ask(&backend, &mut charger, "RequestStartTransaction", start).await;
    let events = backend.log().calls("c-1", "TransactionEvent");
    assert!(events[0].contains("\"remoteStartId\":4711"));
    let id = charger.session(1).unwrap().id.clone();
    let status = json!({ "transactionId": id });
    let status = ask(&backend, &mut charger, "GetTransactionStatus", status).await;
    assert_eq!(status.at("/ongoingIndicator"), &json!(true));
    let stop = json!({ "transactionId": id });
    ask(&backend, &mut charger, "RequestStopTransaction", stop).await;
    assert!(charger.session(1).is_none());
    typing::conversation(Version::V201, &charger.journal().lines());
}

#[tokio::test]
async fn a_backend_reads_the_configuration_after_each_accepted_boot() {
    let dialect = Dialect::default().reads_configuration(Duration::ZERO);
    let backend = SimBackend::start(dialect).await.unwrap();
    let spec = Spec::new("c-1", Version::V16);
    let mut charger = SimCharger::connect(&backend.url(), spec).await.unwrap();
    charger.boot().await.unwrap();
    let command = charger.next_command(PATIENCE).await.unwrap();
    assert_eq!(command.action, "GetConfiguration");
    let log = backend.log();
    let answered = |log: &evenkeel::replay::sim::backend::Log| {
        log.commands().iter().all(|sent| sent.answer.is_some())
    };
    assert!(log.until(PATIENCE, answered).await);
}

#[tokio::test]
async fn handshakes_are_judged_by_path_password_and_fault() {
    let dialect = Dialect {
        password: Some("secret-enough".to_owned()),
        ..Dialect::default()
    };
    let backend = SimBackend::start(dialect).await.unwrap();
    let dial = async |url: String, password: Option<&str>| {
        let spec = Spec {
            password: password.map(str::to_owned),
            ..Spec::new("c-1", Version::V16)
        };
        SimCharger::connect(&url, spec).await
    };
    let refused = |result: Result<SimCharger, SimError>| match result {
        Err(SimError::Refused(status)) => status,
        other => panic!("not refused: {other:?}"),
    };
    assert_eq!(refused(dial(backend.url(), None).await), 401);
    let elsewhere = format!("ws://{}/elsewhere", backend.address());
    assert_eq!(refused(dial(elsewhere, Some("secret-enough")).await), 404);
    assert!(dial(backend.url(), Some("secret-enough")).await.is_ok());
    backend.misbehave(Fault::RefuseHttp(401));
    assert_eq!(
        refused(dial(backend.url(), Some("secret-enough")).await),
        401
    );
}

#[tokio::test]
async fn a_silent_stalled_or_garbled_backend_gives_no_answer() {
    for fault in [Fault::Silent, Fault::Stall, Fault::Garbage] {
        let backend = SimBackend::start(Dialect::default()).await.unwrap();
        backend.misbehave(fault);
        let spec = Spec {
            answer_timeout: Duration::from_millis(80),
            ..Spec::new("c-1", Version::V16)
        };
        let mut charger = SimCharger::connect(&backend.url(), spec).await.unwrap();
        let silent = charger.boot().await;
        assert!(matches!(silent, Err(SimError::Silent(_))), "{fault:?}");
        backend.misbehave(Fault::None);
        let answer = charger.heartbeat().await.unwrap();
        assert!(!answer.text("/currentTime").is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_flooding_backend_still_answers() {
    let (backend, mut charger) = connected(Version::V16).await;
    backend.misbehave(Fault::Flood);
    charger.heartbeat().await.unwrap();
    charger.heartbeat().await.unwrap();
    assert!(charger.journal().calls(Way::Received, "DataTransfer") > 0);
}

#[tokio::test]
async fn a_huge_answer_arrives_whole() {
    let (backend, mut charger) = connected(Version::V16).await;
    backend.misbehave(Fault::Huge(2_000_000));
    let answer = charger.heartbeat().await.unwrap();
    assert_eq!(answer.text("/filler").len(), 2_000_000);
}

#[tokio::test]
async fn a_slow_backend_answers_late() {
    let (backend, mut charger) = connected(Version::V16).await;
    let late = Duration::from_millis(60);
    backend.misbehave(Fault::Slow(late));
    let before = std::time::Instant::now();
    charger.heartbeat().await.unwrap();
    assert!(before.elapsed() >= late);
}

#[tokio::test]
async fn a_backend_hangs_up_and_a_charger_comes_back_to_its_session() {
    let (mut backend, mut charger) = connected(Version::V16).await;
    charger.start(1, "TAG-1").await.unwrap();
    backend.misbehave(Fault::CloseAt(3));
    let lost = charger.meter(1).await.unwrap_err();
    assert!(matches!(lost, SimError::Closed(Some(1011))), "{lost:?}");
    backend.go_down().await;
    assert!(charger.reconnect().await.unwrap_err().is_lost());
    let away = backend.command("c-1", "ClearCache", json!({})).await;
    assert!(matches!(away, Err(CommandError::Away { .. })));
    backend.misbehave(Fault::None);
    backend.come_up().await.unwrap();
    charger.reconnect().await.unwrap();
    charger.meter(1).await.unwrap();
    charger.stop(1, "Local").await.unwrap();
    assert!(backend.log().transactions()[0].meter_stop.is_some());
}

#[tokio::test]
async fn a_charger_left_alone_survives_an_outage_and_stops_cleanly() {
    let mut backend = SimBackend::start(Dialect::default()).await.unwrap();
    let spec = Spec {
        pace: Pace::new(600),
        ..Spec::new("c-1", Version::V16)
    };
    let charger = SimCharger::connect(&backend.url(), spec).await.unwrap();
    let journal = charger.journal();
    let (switch, stop) = Stop::pair();
    let charge = Step::Charge {
        connector: 1,
        tag: "TAG-1".to_owned(),
        samples: 4,
    };
    let running = tokio::spawn(async move { charger.run(&[charge], stop).await });
    let log = backend.log();
    assert!(
        log.until(PATIENCE, |log| !log.calls("c-1", "MeterValues").is_empty())
            .await
    );
    backend.go_down().await;
    backend.come_up().await.unwrap();
    let ended = |log: &evenkeel::replay::sim::backend::Log| {
        let transactions = log.transactions();
        transactions
            .first()
            .is_some_and(|one| one.meter_stop.is_some())
    };
    assert!(log.until(PATIENCE, ended).await);
    assert_eq!(log.handshakes(), 2);
    switch.stop();
    running.await.unwrap().unwrap();
    assert!(log.until(PATIENCE, |log| log.connected().is_empty()).await);
    assert_eq!(log.strays(), []);
    // Every CALL after the outage was answered: nothing was left hanging when it stopped.
    let answers = journal.texts(Way::Received).len();
    assert!(answers > 0 && journal.texts(Way::Sent).len() - answers <= 1);
}

#[tokio::test]
async fn a_remote_start_runs_a_whole_session_in_the_routine() {
    let backend = SimBackend::start(Dialect::default()).await.unwrap();
    let spec = Spec {
        pace: Pace::new(600),
        ..Spec::new("c-1", Version::V201)
    };
    let charger = SimCharger::connect(&backend.url(), spec).await.unwrap();
    let (switch, stop) = Stop::pair();
    let running = tokio::spawn(async move { charger.run(&[], stop).await });
    let log = backend.log();
    assert!(
        log.until(PATIENCE, |log| !log
            .calls("c-1", "StatusNotification")
            .is_empty())
            .await
    );
    let start = json!({
        "remoteStartId": 7,
        "idToken": { "idToken": "TAG-1", "type": "Central" },
    });
    let answer = backend
        .command("c-1", "RequestStartTransaction", start)
        .await
        .unwrap();
    assert_eq!(answer.text("/status"), "Accepted");
    let ended = |log: &evenkeel::replay::sim::backend::Log| {
        log.transactions()
            .iter()
            .any(|one| one.meter_stop.is_some())
    };
    assert!(log.until(PATIENCE, ended).await);
    switch.stop();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_charger_whose_power_goes_is_not_heard_of_again() {
    let backend = SimBackend::start(Dialect::default()).await.unwrap();
    let spec = Spec {
        pace: Pace::new(600),
        ..Spec::new("c-1", Version::V16)
    };
    let charger = SimCharger::connect(&backend.url(), spec).await.unwrap();
    let (_switch, stop) = Stop::pair();
    let swipe = Step::Swipe {
        tag: "TAG-1".to_owned(),
    };
    let journal = charger.run(&[swipe, Step::GoDark], stop).await.unwrap();
    assert_eq!(journal.calls(Way::Sent, "Authorize"), 1);
    let log = backend.log();
    assert!(log.until(PATIENCE, |log| log.connected().is_empty()).await);
    assert_eq!(log.handshakes(), 1);
}
