//! `evenkeel replay`: plays bundles, or a whole recording, against a backend, in the chargers' place.

mod bundles;
mod rerun;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::error::{CliError, Exit};
use super::target::{TargetArgs, duration};
use crate::replay::rerun::Speed;

/// Plays bundles against a backend and says whether each divergence is fixed; or plays a whole recording once more.
///
/// Vendor:       evenkeel replay bundles --target URL --build 2.4.1
/// Operator:     evenkeel import results.json --into RECORDING
/// New build:    evenkeel replay RECORDING --target URL --speed 60 --into AGAIN, evenkeel diffs AGAIN
/// Load:         evenkeel replay RECORDING --target URL --speed answered --copies 20
/// Night storm:  evenkeel replay RECORDING --target URL --storm 10s
///
/// It stands in the chargers' place, with nothing but the bundle: no configuration, no recording. FIXED: the backend does as
/// legacy did. STILL DIVERGES: it does not, and in what. NOT REPRODUCED: something that the bundle needs was not there, such
/// as a tag that the backend must know. ERROR: it cannot be reached, or hung up. Exit code: 4 if any is an ERROR, else 1 if
/// any STILL DIVERGES, else 3 if any is NOT REPRODUCED, else 0.
///
/// Of a recording, each charger says what it said, one CALL at a time, with times of now and the target's own identifiers;
/// commands are refused. What comes back is counted by the second; with --into it is recorded and judged like a night, the
/// first of two targets, else the recording's own answers, as legacy. Ctrl-C lets everybody finish; --resume goes on later.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    /// Bundles, or directories of them; or one recording.
    #[arg(required = true, value_name = "BUNDLE|RECORDING")]
    places: Vec<PathBuf>,
    /// The backend: ws:// or wss://; the charger's identity goes to the end of its path. A recording may have two.
    #[arg(long = "target", value_name = "URL", required = true)]
    targets: Vec<String>,
    #[command(flatten)]
    how: TargetArgs,
    /// Of a bundle: wait between steps as long as was recorded, instead of going on when the answer is there.
    #[arg(long)]
    original_timing: bool,
    /// What the backend's build is called: noted in the results.
    #[arg(long, value_name = "BUILD")]
    build: Option<String>,
    /// Where the results of bundles are written, for `evenkeel import`.
    #[arg(long, value_name = "FILE", default_value = "results.json")]
    results: PathBuf,
    /// Of a recording: how many times as fast as it was, or `answered`: as fast as the target answers.
    #[arg(long, value_name = "TIMES", default_value = "1", value_parser = speed)]
    speed: Speed,
    /// Of a recording: only these chargers, such as model:Kerb* or charger:harbour-*.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Of a recording: so many chargers take the part of each; further ones have -1, -2, ... behind their identity.
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    copies: u32,
    /// Of a recording: a reconnect storm. All chargers connect within this time, boot, tell their states, and stay.
    #[arg(long, value_name = "TIME", value_parser = duration, conflicts_with_all = ["speed", "resume"])]
    storm: Option<Duration>,
    /// Of a recording: a new recording of what is said now.
    #[arg(long, value_name = "DIR")]
    into: Option<PathBuf>,
    /// Of a recording: go on where this file says, if it exists; an interrupted run writes it.
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Print the results as JSON (schema evenkeel.results/1; of a recording evenkeel.load/1).
    #[arg(long)]
    json: bool,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "answered" {
        return Ok(Speed::Answered);
    }
    match text.parse::<f64>() {
        Ok(times) if times.is_finite() && times >= 0.001 => Ok(Speed::Times(times)),
        _ => Err("a number such as 1 or 60, or `answered`".to_owned()),
    }
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let recordings = options
        .places
        .iter()
        .filter(|place| place.join("facts.db").is_file());
    if recordings.count() > 0 {
        return rerun::run(options);
    }
    let of_recordings = options.filter.is_some()
        || options.copies > 1
        || options.storm.is_some()
        || options.into.is_some()
        || options.resume.is_some();
    if of_recordings {
        let what = "--filter, --copies, --storm, --into and --resume are for recordings";
        return Err(CliError::new(Exit::Usage, "RPL-007", what)
            .help("a recording is a directory that holds facts.db"));
    }
    bundles::run(options)
}
