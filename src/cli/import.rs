//! `evenkeel import`: logs of other programs become a recording, so that history is judged like a live night.

mod landing;
mod reading;
mod results;

use std::fmt::Write as _;
use std::path::PathBuf;

use chrono_tz::Tz;
use clap::Args;

use super::error::{CliError, Exit};
use crate::facts::Leg;
use crate::ocpp::Version;
use crate::replay::import::{Format, Source, weave};
use landing::Landing;

/// Reads logs of chargers and their backend into a recording.
///
/// Formats, recognised by content (--format says it instead):
///   debugkit    OCPP `DebugKit` trace 1.0: object with `events`, one event a line, or an array of messages
///   open-trace  Open OCPP Trace records, one a line or in an array
///   steve       SteVe's log file: lines of its `WebSocketLogger`, also packed with gzip
///   citrineos   rows of CitrineOS's table `OCPPMessages`: CSV with a heading, JSON, JSON Lines
///   python      log of the Python package ocpp: `ID: receive message [...]`, `ID: send [...]`
///   plain       a message a line, perhaps a time before it; needs --charger
///   facts       `evenkeel export facts`, into a new recording
///   results     `evenkeel replay`'s results.json: findings become fixed, or stay, as notes in the recording
///
/// The forms of SteVe and CitrineOS were checked against the programs' own sources, that of debugkit against its specification,
/// python against published logs; Open OCPP Trace is read as debugkit documents it. CitrineOS keeps messages as jsonb, so keys
/// come in another order than they were sent in, unless the rows have `raw`. Logs tell nothing of handshakes, pings or frames
/// lost before the logger: these are not judged.
///
/// With --shadow, a CALL whose id and action stand in the logs of both backends is one exchange and compared; what stands
/// in one only is not comparable. Without it there is nothing to compare: sessions show what the charger told.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    /// Logs of one backend, in any order.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Directory of the recording to write; made if it does not exist.
    #[arg(long, value_name = "RECORDING")]
    into: PathBuf,
    /// The backend whose logs FILE are: legacy or candidate. The chargers obeyed it.
    #[arg(long, value_name = "LEG", default_value = "legacy", value_parser = leg)]
    leg: Leg,
    /// A log of the other backend about the same chargers and time; may be given more than once.
    #[arg(long, value_name = "FILE")]
    shadow: Vec<PathBuf>,
    /// The format of all files, where the content does not tell.
    #[arg(long, value_name = "FORMAT", value_parser = format)]
    format: Option<Format>,
    /// The charger of messages whose log names none.
    #[arg(long, value_name = "IDENTITY")]
    charger: Option<String>,
    /// The OCPP version of all messages: 1.6, 2.0.1 or 2.1. Else the log tells, or the actions in it.
    #[arg(long, value_name = "VERSION", value_parser = version)]
    ocpp: Option<Version>,
    /// Time zone of times without one, such as Europe/Berlin.
    #[arg(long, value_name = "ZONE", default_value = "UTC", value_parser = zone)]
    zone: Tz,
    /// Import nothing if a line cannot be read. Without it such lines are listed and count as gaps.
    #[arg(long)]
    strict: bool,
    /// Import files also if the recording has them already.
    #[arg(long)]
    again: bool,
}

fn leg(word: &str) -> Result<Leg, String> {
    Leg::from_word(word).ok_or_else(|| "it is legacy or candidate".to_owned())
}

fn format(word: &str) -> Result<Format, String> {
    Format::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = Format::ALL.iter().map(|format| format.word()).collect();
        format!("it is one of {}", words.join(", "))
    })
}

fn version(number: &str) -> Result<Version, String> {
    Version::from_number(number).ok_or_else(|| "it is 1.6, 2.0.1 or 2.1".to_owned())
}

fn zone(name: &str) -> Result<Tz, String> {
    name.parse()
        .map_err(|_| "it is a name such as Europe/Berlin or UTC".to_owned())
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    if let Some(results) = results::played(options)? {
        return results::note(&results, &options.into);
    }
    if let Some(file) = reading::recording_export(options)? {
        return landing::copy(&file, &options.into);
    }
    let sources = reading::sources(options)?;
    refuse_bad(options, &sources)?;
    let landing = Landing::open(&options.into)?;
    let place = landing.place(&sources, options.again)?;
    let woven = weave(&sources, options.ocpp, place);
    let exit = landing.write(&woven.facts)?;
    let messages: u64 = sources.iter().map(|source| source.log.messages()).sum();
    let mut out = format!(
        "{messages} messages of {} are in {}\n",
        super::diffs::counted(woven.chargers as usize, "charger"),
        options.into.display()
    );
    if !options.shadow.is_empty() {
        let _ = writeln!(
            out,
            "{} stand in the logs of both backends",
            super::diffs::counted(woven.paired as usize, "CALL")
        );
    }
    if woven.set_by != 0 {
        let _ = writeln!(
            out,
            "the other backend's clock was set by {} ms",
            -woven.set_by / 1_000
        );
    }
    super::say(&out)?;
    eprintln!(
        "next: evenkeel diffs {0}   evenkeel sessions {0}   evenkeel verify {0}",
        options.into.display()
    );
    Ok(exit)
}

fn refuse_bad(options: &Options, sources: &[Source]) -> Result<(), CliError> {
    let bad: usize = sources.iter().map(|source| source.log.bad().count()).sum();
    if !options.strict || bad == 0 {
        return Ok(());
    }
    let what = super::diffs::counted(bad, "line");
    Err(CliError::new(
        Exit::Usage,
        "IMP-004",
        format!("{what} cannot be read, and nothing was imported"),
    )
    .help("without --strict the rest is imported, and what may be lost counts as a gap"))
}
