//! A whole recording, played once more.

mod text;

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::time::MissedTickBehavior;

use super::Options;
use crate::cli::error::{CliError, Exit};
use crate::cli::filtering::Terms;
use crate::cli::target::no_tls;
use crate::cli::{diffs, judging};
use crate::clock::Clock;
use crate::facts::{Fact, Kind, Limits, Reader, Recorder};
use crate::ledger::filter::{self, Value};
use crate::ledger::query::{self, Station};
use crate::ledger::views;
use crate::replay::rerun::{PLACES_SCHEMA, Places, Rerun, Second, Settings, Tally};
use crate::replay::tape::Tape;

/// The schema of the report.
const SCHEMA: &str = "evenkeel.load/1";

/// Bytes of facts that may wait for the disk.
const QUEUE: usize = 256 << 20;

/// How long the last facts may take to the disk.
const CLOSING: Duration = Duration::from_mins(1);

/// Seconds between two lines about the progress, where no terminal shows it.
const QUIET: u32 = 10;

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    schema: &'static str,
    recording: String,
    /// Chargers, copies included.
    chargers: u64,
    /// CALLs to say, copies included.
    calls: u64,
    /// CALLs that are over, those of earlier runs left out.
    done: u64,
    /// Messages of the recording that are not said again.
    left_out: u64,
    seconds: f64,
    interrupted: bool,
    targets: Vec<OfTarget>,
}

/// What one target did.
#[derive(Debug, Serialize)]
struct OfTarget {
    url: String,
    total: Second,
    by_second: Vec<Second>,
}

pub(super) fn run(options: &Options) -> Result<Exit, CliError> {
    let [place] = options.places.as_slice() else {
        return Err(CliError::new(
            Exit::Usage,
            "RPL-007",
            "one recording is played at a time",
        ));
    };
    if !(1..=2).contains(&options.targets.len()) {
        return Err(CliError::new(
            Exit::Usage,
            "RPL-007",
            "a recording has one target, or two",
        ));
    }
    let targets: Result<Vec<_>, CliError> = options
        .targets
        .iter()
        .map(|url| options.how.target(url))
        .collect();
    let tape = tape(options, place)?;
    let settings = Settings {
        targets: targets?,
        speed: options.speed,
        copies: options.copies,
        storm: options.storm.is_some(),
    };
    let of = fingerprint(&tape, &settings);
    let places = resumed(options.resume.as_deref(), &of)?;
    let urls: Vec<String> = settings
        .targets
        .iter()
        .map(|it| it.backend.to_string())
        .collect();
    let mut report = Report {
        schema: SCHEMA,
        recording: place.display().to_string(),
        chargers: tape.tracks.len() as u64 * u64::from(options.copies),
        calls: tape.calls() * u64::from(options.copies),
        done: 0,
        left_out: tape.left_out,
        seconds: 0.0,
        interrupted: false,
        targets: Vec::new(),
    };
    let landing = Landing::open(options, place, &urls)?;
    let began = Clock::system().now();
    let runtime = crate::cli::runtime()?;
    let (tallies, places, done, interrupted) = runtime.block_on(async {
        let recorder = landing
            .as_ref()
            .map(|it| (it.recorder.clone(), it.last_conn));
        let rerun =
            Rerun::start(tape, settings, recorder, places).map_err(|error| no_tls(&error))?;
        watched(rerun).await
    })?;
    report.seconds = (Clock::system().now() - began) as f64 / 1e6;
    report.done = done;
    report.interrupted = interrupted;
    report.targets = (urls.into_iter().zip(&tallies))
        .map(|(url, tally)| OfTarget {
            url,
            total: tally.total(),
            by_second: tally.seconds(),
        })
        .collect();
    keep(
        options.resume.as_deref(),
        interrupted,
        Places { of, ..places },
    )?;
    if options.json {
        crate::cli::say(&(crate::cli::to_json(&report)? + "\n"))?;
    } else {
        crate::cli::say(&text::report(&report, options.storm.is_some()))?;
    }
    let verdict = match landing {
        Some(landing) => landing.judge()?,
        None => Exit::Parity,
    };
    ended(&report, verdict)
}

fn ended(report: &Report, verdict: Exit) -> Result<Exit, CliError> {
    if report.interrupted {
        return Ok(Exit::Interrupted);
    }
    let nobody = |it: &&OfTarget| it.total.counts.dialled > 0 && it.total.counts.let_in == 0;
    if let Some(target) = report.targets.iter().find(nobody) {
        let what = format!("no charger was let in by {}", target.url);
        return Err(CliError::new(Exit::Environment, "RPL-009", what).help(
            "the target must know the chargers of the recording; --user and --password-file log in",
        ));
    }
    Ok(verdict)
}

/// What the chargers that the filter names said.
fn tape(options: &Options, place: &Path) -> Result<Tape, CliError> {
    let facts = Reader::open(place)?;
    let tape = match &options.filter {
        None => Tape::read(&facts, |_| true)?,
        Some(text) => {
            judging::bring_up_to_date(place)?;
            let terms = Terms::default().and(Some(text), &filter::CHARGERS)?;
            let stations = query::Reader::open(place)?.stations(None)?;
            let wanted: Vec<String> = (stations.into_iter())
                .filter(|station| terms.matches(0, &|field| asked(station, field)))
                .map(|station| station.charger)
                .collect();
            Tape::read(&facts, |charger| wanted.iter().any(|it| it == charger))?
        }
    };
    if tape.tracks.is_empty() {
        return Err(
            CliError::new(Exit::Usage, "RPL-008", "no charger says anything in it")
                .help("`evenkeel estate RECORDING` lists its chargers"),
        );
    }
    Ok(match options.storm {
        Some(within) => tape.storm(within),
        None => tape,
    })
}

/// A charger as filters ask it. In a recording nobody is connected.
fn asked<'a>(station: &'a Station, field: &'static str) -> Value<'a> {
    match field {
        "charger" => Value::Text(&station.charger),
        "vendor" => Value::Text(&station.vendor),
        "model" => Value::Text(&station.model),
        "firmware" => Value::Text(&station.firmware),
        "version" => Value::Text(&station.version),
        "state" => Value::Text("away"),
        _ => Value::Nothing,
    }
}

/// Waits for the end of a run or for Ctrl-C, and says how far it is.
async fn watched(mut rerun: Rerun) -> Result<(Vec<Tally>, Places, u64, bool), CliError> {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let (mut seconds, mut interrupted) = (0, false);
    loop {
        tokio::select! {
            () = rerun.finish() => break,
            pressed = tokio::signal::ctrl_c() => {
                pressed.map_err(|error| {
                    CliError::new(Exit::Environment, "ENV-005", format!("cannot watch for Ctrl-C: {error}"))
                })?;
                interrupted = true;
                rerun.stop();
            }
            _ = tick.tick() => {
                seconds += 1;
                progress(rerun.progress(), seconds);
            }
        }
    }
    if std::io::stderr().is_terminal() {
        eprintln!();
    }
    let done = rerun.progress().0;
    Ok((rerun.tallies(), rerun.places(), done, interrupted))
}

fn progress((done, all): (u64, u64), seconds: u32) {
    let line = format!("{done} of {all} CALLs, {seconds} s");
    if std::io::stderr().is_terminal() {
        eprint!("\r{line}");
    } else if seconds.is_multiple_of(QUIET) {
        eprintln!("{line}");
    }
}

/// What is played: places of one thing are no places of another.
fn fingerprint(tape: &Tape, settings: &Settings) -> String {
    let mut hash = Sha256::new();
    hash.update(tape.began.to_le_bytes());
    hash.update(settings.copies.to_le_bytes());
    for target in &settings.targets {
        hash.update(target.backend.to_string());
    }
    for track in &tape.tracks {
        hash.update(&track.charger);
        hash.update(track.beats.len().to_le_bytes());
    }
    format!("sha256:{}", crate::cli::hex(&hash.finalize()))
}

/// Where everybody was when an earlier run was interrupted.
fn resumed(file: Option<&Path>, of: &str) -> Result<Places, CliError> {
    let Some(file) = file.filter(|file| file.exists()) else {
        return Ok(Places::default());
    };
    let wrong = |why: String| {
        CliError::new(Exit::Usage, "RPL-010", format!("{}: {why}", file.display()))
            .help("remove the file to begin anew")
    };
    let text = std::fs::read_to_string(file).map_err(|error| wrong(error.to_string()))?;
    let places: Places = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    if places.schema != PLACES_SCHEMA || places.of != of {
        return Err(wrong(
            "it is about another recording, other chargers or targets".to_owned(),
        ));
    }
    Ok(places)
}

/// Keeps where everybody is for the next run; a run that came to its end needs no next one.
fn keep(file: Option<&Path>, interrupted: bool, places: Places) -> Result<(), CliError> {
    let Some(file) = file else {
        return Ok(());
    };
    let kept = if interrupted {
        let places = Places {
            schema: PLACES_SCHEMA.to_owned(),
            ..places
        };
        eprintln!("go on with the same command: {} says where", file.display());
        std::fs::write(file, crate::cli::to_json(&places)? + "\n")
    } else if file.exists() {
        std::fs::remove_file(file)
    } else {
        Ok(())
    };
    kept.map_err(|error| {
        let what = format!("cannot write {}: {error}", file.display());
        CliError::new(Exit::Environment, "RPL-006", what)
    })
}

/// The recording of what is said now.
struct Landing {
    recorder: Recorder,
    last_conn: u64,
    dir: PathBuf,
}

impl Landing {
    fn open(options: &Options, place: &Path, urls: &[String]) -> Result<Option<Self>, CliError> {
        let Some(dir) = &options.into else {
            return Ok(None);
        };
        let goes_on = options.resume.as_ref().is_some_and(|file| file.exists());
        if dir.join("facts.db").is_file() && !goes_on {
            let what = format!("{} holds a recording already", dir.display());
            return Err(CliError::new(Exit::Usage, "RPL-011", what)
                .help("name a new directory with --into"));
        }
        let limits = Limits {
            lock_wait: Duration::ZERO,
            queue_bytes: QUEUE,
            ..Limits::default()
        };
        let recorder = Recorder::open(dir, limits)?;
        let landing = Self {
            last_conn: last_conn(dir)?,
            recorder,
            dir: dir.clone(),
        };
        landing.begin(options, place, urls)?;
        Ok(Some(landing))
    }

    /// The tap's own first facts: what is played against what, by the recording's rules.
    fn begin(&self, options: &Options, place: &Path, urls: &[String]) -> Result<(), CliError> {
        let now = Clock::system().now();
        let recorded = format!("recording {}", place.display());
        let legacy = if urls.len() > 1 { &urls[0] } else { &recorded };
        let mut note = json!({
            "run": now.to_string(),
            "version": env!("CARGO_PKG_VERSION"),
            "legacy": legacy,
            "candidate": urls.last(),
            "authority": "legacy",
        });
        if let Some(build) = &options.build {
            note["build"] = json!(build);
        }
        self.recorder
            .record(Fact::new(Kind::TapStarted, now).note(&note));
        let source = Reader::open(place)?;
        for fact in source.of_kind(Kind::RulesLoaded, 0, usize::MAX >> 1)? {
            self.recorder.record(Fact {
                seq: 0,
                at: now,
                ..fact
            });
        }
        Ok(())
    }

    /// Closes the recording and judges it.
    fn judge(self) -> Result<Exit, CliError> {
        let now = Clock::system().now();
        self.recorder.record(Fact::new(Kind::TapStopped, now));
        self.recorder.close(CLOSING)?;
        judging::bring_up_to_date(&self.dir)?;
        let reader = query::Reader::open(&self.dir)?;
        let found = views::diffs(&reader, &query::Filter::default())?;
        let dir = self.dir.display();
        eprintln!(
            "recorded and judged in {dir}   next: evenkeel diffs {dir}   evenkeel watch {dir}"
        );
        Ok(diffs::verdict(&found))
    }
}

fn last_conn(dir: &Path) -> Result<u64, CliError> {
    let opened = Reader::open(dir)?.of_kind(Kind::ConnOpened, 0, usize::MAX >> 1)?;
    Ok(opened.iter().map(|fact| fact.conn).max().unwrap_or(0))
}
