//! Bundles: cut from a recording, shrunk, proved, played against backends over real sockets, and their results imported.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use evenkeel::facts;
use evenkeel::judge::Rules;
use evenkeel::ledger::query::{self, Filter};
use evenkeel::ledger::row::{State, Subject};
use evenkeel::live::Backend;
use evenkeel::replay::bundle::extract::smallest;
use evenkeel::replay::bundle::{Bundle, Source, of_finding};
use evenkeel::replay::play::Target;
use evenkeel::replay::proof::{attempt, prove, shrink_against};
use evenkeel::replay::recorded::shows;
use evenkeel::replay::sim::dialect::{Dialect, Mint};
use evenkeel::replay::sim::world::{BLOCKED_TAG, DemoWorld, SEEDED};
use evenkeel::replay::sim::{Fault, SimBackend};
use evenkeel::replay::verdict::{Outcomes, Verdict};

#[path = "bundles/cases.rs"]
mod cases;
#[path = "common/schema.rs"]
mod schema;
#[path = "bundles/series.rs"]
mod series;

fn evenkeel(args: &[&str], place: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(args)
        .current_dir(place)
        .output()
        .unwrap()
}

/// A night of the demo, long enough for every seeded divergence.
fn demo(place: &Path) {
    let args = [
        "demo",
        "--headless",
        "--json",
        "--for",
        "8s",
        "--seed",
        "7",
        "--recording",
        "night",
    ];
    assert_eq!(evenkeel(&args, place).status.code(), Some(1));
}

/// The demo's candidate with its six mistakes mended.
fn corrected() -> Dialect {
    let (legacy, candidate) = (DemoWorld::legacy(7), DemoWorld::candidate(7));
    Dialect {
        interval_16: legacy.interval_16,
        tags: legacy.tags,
        trims_tags: legacy.trims_tags,
        vendors: legacy.vendors,
        longest_value: None,
        price: legacy.price,
        ..candidate
    }
}

async fn played(bundle: &Bundle, backend: &SimBackend, rules: &Rules) -> Outcomes {
    let target = Target::new(Backend::parse(&backend.url()).unwrap());
    attempt(bundle, &target, rules).await.unwrap()
}

/// Every bundle of a recording's findings on the line.
fn bundles(night: &Path, rules: &Rules) -> Vec<Bundle> {
    let facts = facts::Reader::open(night).unwrap();
    let ledger = query::Reader::open(night).unwrap();
    let source = Source {
        facts: &facts,
        ledger: &ledger,
        rules,
        files: &[],
    };
    let findings = ledger.findings(&Filter::default()).unwrap();
    let on_the_line = findings.iter().filter(|it| it.subject != Subject::Session);
    on_the_line
        .map(|it| of_finding(&source, &it.id).unwrap())
        .collect()
}

#[tokio::test]
async fn every_bundle_of_the_demo_still_diverges_on_its_candidate_and_is_fixed_on_a_corrected_one()
{
    let place = tempfile::tempdir().unwrap();
    demo(place.path());
    let rules = Rules::built_in().unwrap();
    let bundles = bundles(&place.path().join("night"), &rules);
    let mut found: Vec<(&str, &str)> = (bundles.iter())
        .map(|it| (it.finding.action.as_str(), it.finding.path.as_str()))
        .collect();
    let mut seeded: Vec<(&str, &str)> = SEEDED.iter().map(|it| (it.action, it.path)).collect();
    found.sort_unstable();
    seeded.sort_unstable();
    assert_eq!(found, seeded);
    let same = SimBackend::start(DemoWorld::candidate(7)).await.unwrap();
    let mended = SimBackend::start(corrected()).await.unwrap();
    for bundle in &bundles {
        let title = &bundle.finding.title;
        assert!(
            bundle.steps.len() <= 3,
            "{title}: {} steps",
            bundle.steps.len()
        );
        is_1_minimal(bundle, &rules);
        prove(bundle, &rules).await.unwrap();
        let text = bundle.write().unwrap();
        let bundle = Bundle::read(&text).unwrap();
        assert_eq!(bundle.write().unwrap(), text);
        let still = played(&bundle, &same, &rules).await;
        assert_eq!(still.verdict, Verdict::StillDiverges, "{title}: {still:?}");
        assert_eq!(still.differs[0].finding, bundle.finding.id);
        let fixed = played(&bundle, &mended, &rules).await;
        assert_eq!(fixed.verdict, Verdict::Fixed, "{title}: {fixed:?}");
        assert_eq!(fixed.differs, []);
    }
    assert_eq!(same.log().strays(), [], "identifiers are the target's own");
    the_program_plays_them(place.path(), &same, &mended).await;
}

/// No step can be left out.
fn is_1_minimal(bundle: &Bundle, rules: &Rules) {
    use evenkeel::facts::Leg;
    for out in 0..bundle.steps.len() {
        let kept: Vec<usize> = (0..bundle.steps.len()).filter(|at| *at != out).collect();
        let part = bundle.keeping(&kept);
        assert!(
            !(bundle.is_whole(&kept) && shows(&part, rules, Leg::Candidate)),
            "step {} of {}",
            out + 1,
            bundle.finding.title
        );
    }
}

/// The same by the program: bundles written, played, and what came of them imported.
async fn the_program_plays_them(place: &Path, same: &SimBackend, mended: &SimBackend) {
    let place = place.to_owned();
    let (same, mended) = (same.url(), mended.url());
    let work = move || {
        let code = |args: &[&str]| evenkeel(args, &place).status.code();
        assert_eq!(code(&["bundle", "--out", "bundles", "night"]), Some(0));
        let files: Vec<_> = (std::fs::read_dir(place.join("bundles")).unwrap())
            .map(|file| file.unwrap().path().display().to_string())
            .collect();
        assert_eq!(files.len(), 6);
        for file in &files {
            assert_eq!(code(&["verify", file]), Some(0), "{file}");
        }
        assert_eq!(
            code(&[
                "replay",
                "bundles",
                "--target",
                &same,
                "--results",
                "still.json"
            ]),
            Some(1)
        );
        let output = evenkeel(
            &["replay", "bundles", "--target", &mended, "--build", "2.4.1"],
            &place,
        );
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said.matches("FIXED").count(), 6, "{said}");
        let states = || {
            let ledger = query::Reader::open(&place.join("night")).unwrap();
            let mut findings = ledger.findings(&Filter::default()).unwrap();
            findings.retain(|it| it.subject != Subject::Session);
            findings
                .into_iter()
                .map(|it| it.life.state())
                .collect::<Vec<State>>()
        };
        assert_eq!(code(&["import", "still.json", "--into", "night"]), Some(0));
        assert_eq!(states(), [State::New; 6]);
        assert_eq!(
            code(&["import", "results.json", "--into", "night"]),
            Some(0)
        );
        assert_eq!(states(), [State::Fixed; 6]);
        assert_eq!(code(&["import", "still.json", "--into", "night"]), Some(0));
        assert_eq!(states(), [State::Known; 6]);
        assert_eq!(code(&["verify", "night"]), Some(0));
        schemas_hold(&place);
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

/// What was written is what the schemas say.
fn schemas_hold(place: &Path) {
    let bundle = std::fs::read_dir(place.join("bundles"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    for (name, file) in [("bundle", bundle), ("results", place.join("results.json"))] {
        let instance = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        schema::assert_fits(name, &instance);
    }
}

/// A backend that is plain but for what a test changes.
async fn backend(change: impl FnOnce(&mut Dialect)) -> SimBackend {
    let mut dialect = Dialect {
        mint: Mint::Up(70),
        tags: vec![
            (BLOCKED_TAG.to_owned(), "Blocked".to_owned()),
            ("TAG-1".to_owned(), "Accepted".to_owned()),
        ],
        ..Dialect::default()
    };
    change(&mut dialect);
    SimBackend::start(dialect).await.unwrap()
}

#[tokio::test]
async fn each_verdict_says_what_it_rests_on() {
    let rules = Rules::built_in().unwrap();
    let bundle = series::stop_refused();
    assert_eq!(bundle.steps.len(), 3, "boot, start, stop");
    let verdict = async |change: &dyn Fn(&mut Dialect)| {
        let backend = backend(|dialect| change(dialect)).await;
        let came = played(&bundle, &backend, &rules).await;
        (came.verdict, came.says, backend.log().strays().len())
    };
    let (came, says, strays) = verdict(&|_| {}).await;
    assert_eq!((came, strays), (Verdict::Fixed, 0), "{says}");
    let refuse = |action: &str, code: &str| (action.to_owned(), code.to_owned());
    let (came, says, _) =
        verdict(&|it| it.refuses = vec![refuse("StopTransaction", "InternalError")]).await;
    assert_eq!(came, Verdict::StillDiverges, "{says}");
    let (came, says, _) = verdict(&|it| it.stop_info = false).await;
    assert_eq!(came, Verdict::StillDiverges, "{says}");
    assert!(says.contains("not as before"), "{says}");
    let (came, says, _) = verdict(&|it| it.boot_status = "Rejected".to_owned()).await;
    assert_eq!(came, Verdict::NotReproduced, "{says}");
    assert!(says.contains("the boot must be accepted"), "{says}");
    let (came, says, _) = verdict(&|it| it.tags.clear()).await;
    assert_eq!(came, Verdict::NotReproduced, "{says}");
    assert!(says.contains("must know the tag \"TAG-1\""), "{says}");
    let (came, says, _) = verdict(&|it| it.password = Some("secret".to_owned())).await;
    assert_eq!(came, Verdict::NotReproduced, "{says}");
    assert!(says.contains("401"), "{says}");
}

#[tokio::test]
async fn a_command_is_waited_for_and_a_handshake_weighed() {
    let rules = Rules::built_in().unwrap();
    let play = async |bundle: &Bundle, backend: &SimBackend| {
        let target = Target {
            command_patience: Duration::from_millis(300),
            ..Target::new(Backend::parse(&backend.url()).unwrap())
        };
        attempt(bundle, &target, &rules).await.unwrap()
    };
    let reads = |it: &mut Dialect| *it = it.clone().reads_configuration(Duration::from_millis(30));
    let (silent, reading) = (backend(|_| {}).await, backend(reads).await);
    let command = smallest(&series::command_missing(), &rules).unwrap();
    assert_eq!(command.steps.len(), 2, "{command:?}");
    let came = play(&command, &silent).await;
    assert_eq!(came.verdict, Verdict::StillDiverges, "{came:?}");
    assert_eq!(came.differs[0].finding, command.finding.id);
    let came = play(&command, &reading).await;
    assert_eq!(came.verdict, Verdict::Fixed, "{came:?}");
    let said = reading.log().commands();
    let known = said.iter().find_map(|it| it.answer.clone()).unwrap();
    assert!(
        !known.is_error(),
        "it was answered as the charger had answered legacy"
    );
    let handshake = smallest(&series::turned_away(), &rules).unwrap();
    prove(&handshake, &rules).await.unwrap();
    let locked = backend(|it| it.password = Some("secret".to_owned())).await;
    let came = play(&handshake, &locked).await;
    assert_eq!(came.verdict, Verdict::StillDiverges, "{came:?}");
    let came = play(&handshake, &silent).await;
    assert_eq!(came.verdict, Verdict::Fixed, "{came:?}");
}

#[tokio::test]
async fn a_target_that_is_away_or_hangs_up_is_an_error() {
    let rules = Rules::built_in().unwrap();
    let bundle = series::stop_refused();
    let mut backend = backend(|_| {}).await;
    backend.misbehave(Fault::CloseAt(2));
    let came = played(&bundle, &backend, &rules).await;
    assert_eq!(came.verdict, Verdict::Error, "{came:?}");
    assert!(came.says.contains("step 2"), "{came:?}");
    backend.go_down().await;
    let came = played(&bundle, &backend, &rules).await;
    assert_eq!(came.verdict, Verdict::Error, "{came:?}");
}

#[tokio::test]
async fn a_live_target_decides_where_the_recording_does_not() {
    let rules = Rules::built_in().unwrap();
    // This backend forgets nothing: it refuses the stop whatever came before.
    let backend =
        backend(|it| it.refuses = vec![("StopTransaction".to_owned(), "InternalError".to_owned())])
            .await;
    let target = Target::new(Backend::parse(&backend.url()).unwrap());
    let whole = series::whole_session();
    let bundle = shrink_against(&whole, &target, &rules).await.unwrap();
    let actions: Vec<&str> = bundle
        .steps
        .iter()
        .map(|step| step.action.as_str())
        .collect();
    assert_eq!(
        actions,
        ["BootNotification", "StartTransaction", "StopTransaction"]
    );
    assert_eq!(bundle.shrunk.against, ["recording", "target"]);
}

#[test]
fn what_is_no_bundle_is_refused_with_the_reason() {
    let good = series::stop_refused().write().unwrap();
    for (from, to, why) in [
        ("evenkeel.bundle/1", "evenkeel.bundle/2", "its schema is"),
        (
            "\"version\": \"1.6\"",
            "\"version\": \"1.7\"",
            "unknown OCPP version",
        ),
        (
            "\"step\": 3,\n      \"after_ms\"",
            "\"step\": 4,\n      \"after_ms\"",
            "step 4 stands where 3 is due",
        ),
        (
            "\"after_ms\": 5",
            "\"after_ms\": 18446744073709551615",
            "longer than a year",
        ),
        (
            "\"asserts\": {\n    \"step\": 3",
            "\"asserts\": {\n    \"step\": 9",
            "cannot be asserted",
        ),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from}");
        let error = Bundle::read(&bad).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}
