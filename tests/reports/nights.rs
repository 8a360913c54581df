//! Nights by hand: who says what how often, and what the candidate answers.

use std::path::Path;

use crate::{Arc, Dir, Duration, Fact, Kind, Leg, Limits, Recorder, json};

/// A charger, what it sends, how often, and what both backends answer each time.
pub(crate) type Said<'a> = (&'a str, &'a str, usize, &'a str, &'a str);

/// When nights begin, µs: on the first of January 2027.
const BEGIN: i64 = 1_798_761_600_000_000;

/// Records a night in which each charger says one thing; all of them are in the groups of `estate`, if there are any.
pub(crate) fn record(dir: &Path, estate: Option<&serde_json::Value>, said: &[Said<'_>]) {
    record_at(dir, BEGIN, estate, said);
}

/// The same of a night that begins at a time, µs.
pub(crate) fn record_at(
    dir: &Path,
    mut at: i64,
    estate: Option<&serde_json::Value>,
    said: &[Said<'_>],
) {
    let recorder = Recorder::open(dir, Limits::default()).unwrap();
    if let Some(estate) = estate {
        let loaded = Fact::new(Kind::EstateLoaded, at).body(estate.to_string());
        recorder.record(loaded).unwrap();
    }
    let (up, down) = (Dir::FromCharger, Dir::ToCharger);
    for (conn, (charger, action, times, ours, theirs)) in (1..).zip(said) {
        let charger: Arc<str> = Arc::from(*charger);
        let mut fact = |kind, leg, dir| {
            at += 1_000;
            Fact::new(kind, at).on(&charger, conn).via(leg, dir)
        };
        let opened =
            fact(Kind::ConnOpened, Leg::Legacy, up).note(&json!({"subprotocol": "ocpp1.6"}));
        recorder.record(opened).unwrap();
        for number in 1..=*times {
            let call = fact(Kind::Message, Leg::Legacy, up).covering(number as u64, 1);
            let call = call.body(format!(r#"[2,"{number}","{action}",{{}}]"#));
            let call = recorder.record(call).unwrap();
            let note = json!({"id": number.to_string(), "action": action, "rewrites": []});
            let sent = fact(Kind::ShadowSent, Leg::Candidate, up).because(call);
            let sent = recorder.record(sent.note(&note)).unwrap();
            let answer = fact(Kind::Message, Leg::Legacy, down).covering(number as u64, 1);
            recorder
                .record(answer.body(format!(r#"[3,"{number}",{ours}]"#)))
                .unwrap();
            let received = fact(Kind::ShadowReceived, Leg::Candidate, down).because(sent);
            recorder
                .record(received.body(format!(r#"[3,"{number}",{theirs}]"#)))
                .unwrap();
        }
        recorder
            .record(fact(Kind::ConnClosed, Leg::Legacy, up))
            .unwrap();
    }
    recorder.close(Duration::from_secs(30)).unwrap();
}

/// Adds a message of a charger that nobody has answered yet.
pub(crate) fn leave_open(dir: &Path, charger: &str) {
    let recorder = Recorder::open(dir, Limits::default()).unwrap();
    let at = BEGIN + 3_600_000_000;
    let charger: Arc<str> = Arc::from(charger);
    let fact = |kind| {
        Fact::new(kind, at)
            .on(&charger, 1_000)
            .via(Leg::Legacy, Dir::FromCharger)
    };
    let opened = fact(Kind::ConnOpened).note(&json!({"subprotocol": "ocpp1.6"}));
    recorder.record(opened).unwrap();
    let call = fact(Kind::Message).covering(1, 1);
    recorder
        .record(call.body(r#"[2,"1","Heartbeat",{}]"#))
        .unwrap();
    recorder.close(Duration::from_secs(30)).unwrap();
}
