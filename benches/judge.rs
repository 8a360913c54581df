//! How fast the judge is: exchanges per CPU second, beside the floor that every other tool pays.
//!
//! `cargo bench --bench judge` judges a list of facts in memory with the built-in rules, with and without the ledger's
//! digest, and in the same round parses each exchange's three texts into a `serde_json::Value`, which is where a script
//! that compares logs begins. Rounds alternate and the median counts, because small machines are noisy.

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use evenkeel::facts::{Dir, Fact, Kind, Leg};
use evenkeel::judge::{Judge, Rules};
use evenkeel::ledger::Digest;
use serde_json::{Value, json};

const CHARGERS: u64 = 64;
const ROUNDS: usize = 9;

/// The goal: judging is at least so much faster than parsing.
const GOAL: f64 = 1.2;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --benches` must not start a load.
    if args.iter().any(|arg| arg == "--test" || arg == "--list") {
        return ExitCode::SUCCESS;
    }
    let exchanges = args.iter().find_map(|arg| arg.parse().ok());
    match run(exchanges.unwrap_or(50_000)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(exchanges: u64) -> Result<(), Box<dyn Error>> {
    let facts = recording(exchanges);
    let lines = lines(&facts);
    let rules = Rules::built_in()?;
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..ROUNDS {
        times[0].push(cpu(|| parse(&lines))?);
        times[1].push(cpu(|| judge(&facts, &rules, false))?);
        times[2].push(cpu(|| judge(&facts, &rules, true))?);
    }
    let rates = times.map(|times| exchanges as f64 / median(times).as_secs_f64());
    let names = [
        "parse each exchange into a Value",
        "judge",
        "judge and digest",
    ];
    println!("{exchanges} exchanges, {} facts", facts.len());
    for (name, rate) in names.iter().zip(rates) {
        let times = rate / rates[0];
        println!("{name:>32}: {rate:>9.0} exchanges per CPU second, x {times:.2}");
    }
    let met = if rates[1] >= GOAL * rates[0] {
        "met"
    } else {
        "missed"
    };
    println!("{:>32}: judge x {GOAL} is {met}", "goal");
    Ok(())
}

/// The baseline.
fn parse(lines: &[String]) -> Result<(), serde_json::Error> {
    for line in lines {
        black_box(serde_json::from_str::<Value>(line)?);
    }
    Ok(())
}

fn judge(facts: &[Fact], rules: &Rules, digest: bool) -> Result<(), Box<dyn Error>> {
    let mut judge = Judge::new(rules.clone());
    let mut sum = Digest::default();
    for fact in facts {
        judge.feed(fact, &mut |row| {
            if digest {
                sum.absorb(&row);
            } else {
                drop(black_box(row));
            }
        });
    }
    black_box(sum);
    if judge.pending() == 0 {
        Ok(())
    } else {
        Err("some exchanges were not judged".into())
    }
}

/// CPU time that `work` takes, as the scheduler counts it for this thread.
fn cpu<E: Into<Box<dyn Error>>>(
    work: impl FnOnce() -> Result<(), E>,
) -> Result<Duration, Box<dyn Error>> {
    let before = thread_time()?;
    work().map_err(Into::into)?;
    Ok(thread_time()?.saturating_sub(before))
}

fn thread_time() -> Result<Duration, Box<dyn Error>> {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = stat.split(' ').next().unwrap_or_default().parse()?;
    Ok(Duration::from_nanos(nanoseconds))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// One line per exchange, as a log of all three texts would hold it.
fn lines(facts: &[Fact]) -> Vec<String> {
    let messages = facts.iter().filter(|fact| !fact.body.is_empty());
    let texts: Vec<&str> = messages.filter_map(Fact::text).collect();
    texts
        .chunks(3)
        .map(|texts| format!("[{}]", texts.join(",")))
        .collect()
}

/// What a tap records of chargers that do what most of them do most of the time.
fn recording(exchanges: u64) -> Vec<Fact> {
    let mut story = Story::default();
    let names: Vec<Arc<str>> = (0..CHARGERS)
        .map(|number| Arc::from(format!("CP{number:03}")))
        .collect();
    for (conn, name) in (1..).zip(&names) {
        let opened = json!({
            "charger": &**name, "peer": "192.0.2.1:1", "authority": "legacy", "target": format!("/ocpp/{name}"),
            "offered": "ocpp1.6", "subprotocol": "ocpp1.6", "extensions": null, "authorization": null,
            "handshake_us": 900, "quirks": [], "seen": [0, 0], "slot": 0,
        });
        story.tell(Fact::new(Kind::ConnOpened, 0).on(name, conn).note(&opened));
    }
    for count in 0..exchanges {
        let at = (count % CHARGERS) as usize;
        story.exchange(&names[at], at as u64 + 1, count / CHARGERS);
    }
    story.facts
}

#[derive(Default)]
struct Story {
    facts: Vec<Fact>,
}

impl Story {
    fn tell(&mut self, mut fact: Fact) -> u64 {
        fact.seq = self.facts.len() as u64 + 1;
        fact.at = 1_795_000_000_000_000 + fact.seq as i64 * 50;
        self.facts.push(fact);
        self.facts.len() as u64
    }

    /// The CALL, the authority's answer, the mirrored copy and the shadow's answer.
    fn exchange(&mut self, charger: &Arc<str>, conn: u64, count: u64) {
        let (action, request, [ours, theirs]) = texts(count);
        let id = format!("{conn}-{count}");
        let about = |kind| Fact::new(kind, 0).on(charger, conn);
        let call = self.tell(
            about(Kind::Message)
                .via(Leg::Legacy, Dir::FromCharger)
                .covering(count + 1, 1)
                .body(format!(r#"[2,"{id}","{action}",{request}]"#)),
        );
        self.tell(
            about(Kind::Message)
                .via(Leg::Legacy, Dir::ToCharger)
                .covering(count + 1, 1)
                .body(format!(r#"[3,"{id}",{ours}]"#)),
        );
        let note = json!({"id": id, "action": action, "queued_us": 90, "rewrites": []});
        let sent = self.tell(
            about(Kind::ShadowSent)
                .via(Leg::Candidate, Dir::FromCharger)
                .because(call)
                .note(&note),
        );
        self.tell(
            about(Kind::ShadowReceived)
                .via(Leg::Candidate, Dir::ToCharger)
                .because(sent)
                .body(format!(r#"[3, "{id}", {theirs}]"#)),
        );
    }
}

/// The action, its request and both answers: a cycle of twenty, most of them `MeterValues` with an empty answer.
fn texts(count: u64) -> (&'static str, String, [String; 2]) {
    let both = |ours: &str, theirs: &str| [ours.to_owned(), theirs.to_owned()];
    let empty = both("{}", "{}");
    match count % 20 {
        0 => (
            "BootNotification",
            r#"{"chargePointVendor":"Bench","chargePointModel":"B1","firmwareVersion":"1.0.0"}"#.to_owned(),
            both(
                r#"{"status":"Accepted","currentTime":"2026-11-18T05:46:40Z","interval":300}"#,
                r#"{"interval": 300, "currentTime": "2026-11-18T05:46:40.000Z", "status": "Accepted"}"#,
            ),
        ),
        1 => (
            "Authorize",
            r#"{"idTag":"04A1B2C3D4E5F6"}"#.to_owned(),
            both(
                r#"{"idTagInfo":{"status":"Accepted"}}"#,
                r#"{"idTagInfo": {"status": "Accepted"}}"#,
            ),
        ),
        2 => (
            "StartTransaction",
            format!(
                r#"{{"connectorId":1,"idTag":"04A1B2C3D4E5F6","meterStart":{count},"timestamp":"2026-11-18T05:46:40Z"}}"#
            ),
            [
                format!(r#"{{"transactionId":{count},"idTagInfo":{{"status":"Accepted"}}}}"#),
                format!(
                    r#"{{"idTagInfo": {{"status": "Accepted"}}, "transactionId": {}}}"#,
                    1_000_000 + count
                ),
            ],
        ),
        19 => (
            "StopTransaction",
            format!(
                r#"{{"transactionId":{},"meterStop":{count},"timestamp":"2026-11-18T05:46:40Z"}}"#,
                count - 17
            ),
            empty,
        ),
        3 | 9 | 15 => (
            "StatusNotification",
            r#"{"connectorId":1,"errorCode":"NoError","status":"Charging","timestamp":"2026-11-18T05:46:40Z"}"#
                .to_owned(),
            empty,
        ),
        4 | 10 | 16 => (
            "Heartbeat",
            "{}".to_owned(),
            both(
                r#"{"currentTime":"2026-11-18T05:46:40Z"}"#,
                r#"{"currentTime": "2026-11-18T05:46:40.000Z"}"#,
            ),
        ),
        _ => ("MeterValues", meter_values(count - count % 20 + 2, count), empty),
    }
}

fn meter_values(transaction: u64, count: u64) -> String {
    let sample = |value: &str, measurand: &str, unit: &str, phase: &str| {
        format!(
            r#"{{"value":"{value}","context":"Sample.Periodic","measurand":"{measurand}"{phase},"unit":"{unit}"}}"#
        )
    };
    let energy = (12_000 + count).to_string();
    let mut samples = vec![
        sample(&energy, "Energy.Active.Import.Register", "Wh", ""),
        sample("7360.0", "Power.Active.Import", "W", ""),
    ];
    for phase in ["L1", "L2", "L3"] {
        let phase = format!(r#","phase":"{phase}""#);
        samples.push(sample("16.0", "Current.Import", "A", &phase));
    }
    for phase in ["L1", "L2"] {
        let phase = format!(r#","phase":"{phase}""#);
        samples.push(sample("230.1", "Voltage", "V", &phase));
    }
    let samples = samples.join(",");
    format!(
        r#"{{"connectorId":1,"transactionId":{transaction},"meterValue":[{{"timestamp":"2026-11-18T05:46:40Z","sampledValue":[{samples}]}}]}}"#
    )
}
