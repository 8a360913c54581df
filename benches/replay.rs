//! How many exchanges a second a recording is played at, as fast as is answered, against the built-in prompt backend.
//!
//! `cargo bench --bench replay -- --chargers 200 --calls 500` (what it does without arguments). The backend runs on a thread
//! of its own, the replay on another, over loopback.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use evenkeel::live::Backend;
use evenkeel::ocpp::Version;
use evenkeel::replay::play::Target;
use evenkeel::replay::rerun::{Places, Rerun, Settings, Speed};
use evenkeel::replay::sim::prompt::Prompt;
use evenkeel::replay::tape::{Beat, Line, Tape, Track};
use tokio::runtime::{Builder, LocalOptions};

/// Rounds, of which the median is said.
const ROUNDS: usize = 5;

fn main() -> Result<(), Box<dyn Error>> {
    let chargers = argument("--chargers", 200)?;
    let calls = argument("--calls", 500)?;
    let (told, url) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let serve = async {
            let backend = Prompt::start().await?;
            // Who waits for the URL has gone only if the bench has ended.
            let _ = told.send(backend.url());
            std::future::pending::<()>().await;
            Ok::<(), std::io::Error>(())
        };
        Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(serve)
    });
    let url = url.recv()?;
    let mut rates = Vec::new();
    for round in 1..=ROUNDS {
        let tape = tape(chargers, calls);
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build_local(LocalOptions::default())?;
        let (rate, times) = runtime.block_on(play(tape, &url))?;
        println!(
            "round {round}: {rate:>7.0} exchanges/s, answers p50 {:.2} ms, p99 {:.2} ms",
            times[0] as f64 / 1e3,
            times[2] as f64 / 1e3
        );
        rates.push(rate);
    }
    rates.sort_by(f64::total_cmp);
    println!(
        "{chargers} chargers, {calls} CALLs each: median {:.0} exchanges/s",
        rates[ROUNDS / 2]
    );
    Ok(())
}

/// Plays a tape; exchanges a second and answer times.
async fn play(tape: Tape, url: &str) -> Result<(f64, [u64; 4]), Box<dyn Error>> {
    let settings = Settings {
        targets: vec![Target::new(Backend::parse(url)?)],
        speed: Speed::Answered,
        copies: 1,
        storm: false,
    };
    let began = Instant::now();
    let mut rerun = Rerun::start(tape, settings, None, Places::default())?;
    rerun.finish().await;
    let (done, all) = rerun.progress();
    let total = rerun.tallies()[0].total();
    if done != all || total.counts.answered != all {
        return Err(format!("{} of {all} were answered", total.counts.answered).into());
    }
    Ok((all as f64 / began.elapsed().as_secs_f64(), total.took_us))
}

/// Sessions without end: mostly meter values, each with its transaction and a time.
fn tape(chargers: usize, calls: usize) -> Tape {
    let track = |number: usize| Track {
        charger: format!("kerb-{number:05}"),
        enters: 0,
        lines: vec![Line {
            subprotocol: Some(Version::V16.subprotocol().to_owned()),
            version: Version::V16,
        }],
        beats: (0..calls).map(beat).collect(),
    };
    Tape {
        tracks: (0..chargers).map(track).collect(),
        began: 0,
        ended: calls as i64 * 1_000_000,
        left_out: 0,
    }
}

fn beat(number: usize) -> Beat {
    let at = number as i64 * 1_000_000;
    let text = match number {
        0 => format!(
            r#"[2,"m{number}","StartTransaction",{{"connectorId":1,"idTag":"TAG-1","meterStart":0,"timestamp":"2026-11-24T06:00:00Z"}}]"#
        ),
        _ => format!(
            r#"[2,"m{number}","MeterValues",{{"connectorId":1,"transactionId":4711,"meterValue":[{{"timestamp":"2026-11-24T06:00:00Z","sampledValue":[{{"value":"{number}","measurand":"Energy.Active.Import.Register","unit":"Wh"}},{{"value":"16.0","measurand":"Current.Import","unit":"A"}}]}}]}}]"#
        ),
    };
    let answer = match number {
        0 => r#"[3,"m0",{"transactionId":4711,"idTagInfo":{"status":"Accepted"}}]"#.to_owned(),
        _ => format!(r#"[3,"m{number}",{{}}]"#),
    };
    Beat {
        at,
        due: at,
        line: 0,
        text: Arc::from(text),
        answer: Some((Arc::from(answer), at)),
    }
}

/// A number on the command line.
fn argument(name: &str, otherwise: usize) -> Result<usize, Box<dyn Error>> {
    let mut arguments = std::env::args().skip_while(|it| it != name);
    match (arguments.next(), arguments.next()) {
        (Some(_), Some(value)) => Ok(value.parse()?),
        _ => Ok(otherwise),
    }
}
