//! Whole recordings played once more: judged like a night, faster, many times over, as a storm, interrupted and resumed.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::path::Path;
use std::process::Output;

use evenkeel::facts::{Limits, Reader, Recorder};
use evenkeel::ledger::query::{self, Filter};
use evenkeel::ledger::row::Subject;
use evenkeel::live::Backend;
use evenkeel::replay::play::Target;
use evenkeel::replay::rerun::{Places, Rerun, Settings, Speed};
use evenkeel::replay::sim::dialect::{Dialect, Mint};
use evenkeel::replay::sim::prompt::Prompt;
use evenkeel::replay::sim::world::DemoWorld;
use evenkeel::replay::sim::{Fault, SimBackend};
use evenkeel::replay::tape::Tape;
use serde_json::Value;

#[path = "replay/night.rs"]
mod night;
#[path = "common/schema.rs"]
mod schema;

fn evenkeel(args: &[&str], place: &Path) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(args)
        .current_dir(place)
        .output()
        .unwrap()
}

fn tape(place: &Path) -> Tape {
    Tape::read(&Reader::open(place).unwrap(), |_| true).unwrap()
}

fn settings(urls: &[&str], speed: Speed) -> Settings {
    let targets = urls
        .iter()
        .map(|url| Target::new(Backend::parse(url).unwrap()));
    Settings {
        targets: targets.collect(),
        speed,
        copies: 1,
        storm: false,
    }
}

/// What `work` comes to on a runtime as the program has it.
fn within<T>(work: impl Future<Output = T>) -> T {
    let options = tokio::runtime::LocalOptions::default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(options)
        .unwrap();
    runtime.block_on(work)
}

/// A night of two chargers with three sessions each, five minutes long.
fn recorded(place: &Path) {
    let recorder = Recorder::open(place, Limits::default()).unwrap();
    for fact in night::facts() {
        recorder.record(fact).unwrap();
    }
    recorder.close(std::time::Duration::from_secs(30)).unwrap();
}

#[test]
fn a_recording_is_told_again_with_the_targets_own_identifiers() {
    let place = tempfile::tempdir().unwrap();
    recorded(place.path());
    let tape = tape(place.path());
    let calls = tape.calls();
    assert_eq!((tape.tracks.len(), calls), (2, 2 * (1 + 3 * 4)));
    within(async {
        let backend = SimBackend::start(Dialect {
            mint: Mint::Random,
            ..Dialect::default()
        })
        .await
        .unwrap();
        let settings = settings(&[&backend.url()], Speed::Answered);
        let mut rerun = Rerun::start(tape, settings, None, Places::default()).unwrap();
        rerun.finish().await;
        assert_eq!(rerun.progress(), (calls, calls));
        let total = &rerun.tallies()[0].total().counts;
        assert_eq!(
            (total.let_in, total.asked, total.answered),
            (2, calls, calls)
        );
        assert_eq!(backend.log().strays(), []);
        let closed = backend.log().transactions();
        assert_eq!(
            closed.iter().filter(|it| it.meter_stop.is_some()).count(),
            6
        );
    });
}

#[test]
fn an_interrupted_run_goes_on_where_it_was_with_the_same_transactions() {
    let place = tempfile::tempdir().unwrap();
    recorded(place.path());
    let tape = tape(place.path());
    let calls = tape.calls();
    within(async {
        let backend = SimBackend::start(Dialect::default()).await.unwrap();
        let settings = settings(&[&backend.url()], Speed::Times(60.0));
        let mut first =
            Rerun::start(tape.clone(), settings.clone(), None, Places::default()).unwrap();
        let one_is_open = |log: &evenkeel::replay::sim::backend::Log| {
            log.transactions()
                .iter()
                .any(|it| it.meter_stop.is_none() && it.samples > 0)
        };
        let log = backend.log();
        tokio::select! {
            () = first.finish() => panic!("it was over too soon"),
            opened = log.until(std::time::Duration::from_secs(20), one_is_open) => assert!(opened),
        }
        first.stop();
        first.finish().await;
        let (before, _) = first.progress();
        assert!(before > 0 && before < calls, "{before} of {calls}");
        let settings = Settings {
            speed: Speed::Answered,
            ..settings
        };
        let mut second = Rerun::start(tape, settings, None, first.places()).unwrap();
        second.finish().await;
        assert_eq!(
            before + second.progress().0,
            calls,
            "nothing twice, nothing never"
        );
        assert_eq!(
            log.strays(),
            [],
            "transactions go on under the names that they began with"
        );
        assert_eq!(log.transactions().len(), 6);
    });
}

#[test]
fn copies_are_chargers_of_their_own() {
    let place = tempfile::tempdir().unwrap();
    recorded(place.path());
    let tape = tape(place.path());
    let calls = tape.calls();
    within(async {
        let backend = Prompt::start().await.unwrap();
        let settings = Settings {
            copies: 20,
            ..settings(&[&backend.url()], Speed::Answered)
        };
        let mut rerun = Rerun::start(tape, settings, None, Places::default()).unwrap();
        rerun.finish().await;
        let total = rerun.tallies()[0].total();
        assert_eq!(
            (total.counts.let_in, total.counts.answered),
            (40, 20 * calls)
        );
        assert!(total.took_us[0] > 0 && total.took_us[0] <= total.took_us[3]);
        assert_eq!(backend.transactions(), 20 * 3, "those of the 1.6 charger");
    });
}

#[test]
fn a_storm_counts_who_was_let_in_and_who_was_refused_by_the_second() {
    let place = tempfile::tempdir().unwrap();
    recorded(place.path());
    let storm = tape(place.path()).storm(std::time::Duration::from_millis(200));
    assert_eq!(storm.calls(), 2 * 2, "a boot and a state each");
    within(async {
        let backend = SimBackend::start(Dialect::default()).await.unwrap();
        backend.misbehave(Fault::RefuseHttp(503));
        let settings = Settings {
            copies: 5,
            storm: true,
            ..settings(&[&backend.url()], Speed::Times(1.0))
        };
        let mut rerun = Rerun::start(storm, settings, None, Places::default()).unwrap();
        while rerun.tallies()[0].total().counts.refused < 10 {
            tokio::select! {
                () = rerun.finish() => panic!("nobody was let in"),
                () = tokio::time::sleep(std::time::Duration::from_millis(10)) => {}
            }
        }
        backend.misbehave(Fault::None);
        rerun.finish().await;
        let tally = &rerun.tallies()[0];
        let total = tally.total().counts;
        assert_eq!((total.let_in, total.answered, total.lost), (10, 20, 0));
        assert!(
            total.refused >= 10 && total.dialled == total.refused + 10,
            "{total:?}"
        );
        let seconds = tally.seconds();
        assert_eq!(seconds.iter().map(|it| it.counts.let_in).sum::<u64>(), 10);
        assert_eq!(backend.log().handshakes(), 10);
    });
}

#[test]
fn the_demo_told_again_shows_the_same_findings_and_two_targets_are_compared_with_each_other() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let args = [
        "demo",
        "--headless",
        "--json",
        "--for",
        "3s",
        "--seed",
        "7",
        "--recording",
        "night",
    ];
    assert_eq!(evenkeel(&args, place).status.code(), Some(1));
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let (told, urls) = std::sync::mpsc::channel();
    let backends = std::thread::spawn(move || {
        within(async {
            let legacy = SimBackend::start(DemoWorld::legacy(7)).await.unwrap();
            let candidate = SimBackend::start(DemoWorld::candidate(7)).await.unwrap();
            told.send([legacy.url(), candidate.url()]).unwrap();
            // Ends when the sender goes.
            drop(stopped.await);
        });
    });
    let [legacy, candidate] = urls.recv().unwrap();
    let one = [
        "replay", "night", "--target", &candidate, "--speed", "answered", "--into", "again",
        "--json",
    ];
    let output = evenkeel(&one, place);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["calls"], report["done"], "{report}");
    schema::assert_fits("load", &report);
    let found = |dir: &str| {
        let ledger = query::Reader::open(&place.join(dir)).unwrap();
        let findings = ledger.findings(&Filter::default()).unwrap();
        let exchanges = findings
            .into_iter()
            .filter(|it| it.subject == Subject::Exchange);
        let mut ids: Vec<String> = exchanges.map(|it| it.id).collect();
        ids.sort();
        ids
    };
    assert_eq!(found("again"), found("night"));
    let both = [
        "replay",
        "night",
        "--target",
        &legacy,
        "--target",
        &candidate,
        "--speed",
        "answered",
        "--into",
        "both",
        "--filter",
        "model:Kerb*",
    ];
    let output = evenkeel(&both, place);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("4 chargers of night"), "{said}");
    let both = found("both");
    assert!(
        !both.is_empty() && both.iter().all(|id| found("night").contains(id)),
        "{both:?}"
    );
    assert_eq!(evenkeel(&["verify", "again"], place).status.code(), Some(0));
    let refused = evenkeel(
        &[
            "replay",
            "night",
            "--target",
            "ws://127.0.0.1:1",
            "--filter",
            "charger:no-such",
        ],
        place,
    );
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    drop(stop);
    backends.join().unwrap();
}
