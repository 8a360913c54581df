//! `evenkeel report`: what leaves the building, for who makes the candidate or for who signs.

mod bundles;
mod keys;
mod reveal;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::config::units::parse_duration;
use super::error::{CliError, Exit};
use super::filtering::{Terms, last_fact};
use super::gate;
use super::judging::{self, Threads};
use super::recording::RecordingArg;
use super::rules;
use crate::facts;
use crate::judge::Rules;
use crate::ledger::filter::{self, FINDINGS};
use crate::ledger::query::{Filter, Reader};
use crate::ledger::row::EVERYBODY;
use crate::report::model::{Audience, Report, Wanted, World};
use crate::report::package;
use crate::report::render::{self, File};
use crate::report::since::{Earlier, SinceError};
use crate::report::survey::Survey;
use crate::report::veil::{Leak, Searched, Veil, leaks};

/// Writes a report as one archive: for the candidate's vendor, or for who signs off a group.
///
/// For the vendor:  evenkeel report --for vendor --recipient "Norvik" --out DIR RECORDING
/// For sign-off:    evenkeel report --for sign-off --group depot-north --out DIR RECORDING
/// To check one:    evenkeel verify DIR/report-….zip
/// Who is that?     evenkeel report --reveal 7QK0L2 --recipient "Norvik" --by NAME RECORDING
///
/// Names of chargers, tags and all else that may lead to a person are pseudonyms, made with a key that stays with the
/// recording. Before anything is written, every value that must not leave is looked for in every byte; if one is found,
/// nothing is written and the exit code is 5.
/// Next: mail SUMMARY.md with the archive; `evenkeel triage` keeps what the vendor answers.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment, after_long_help = filter::help(&FINDINGS))]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// Whom it is for.
    #[arg(
        long = "for",
        value_name = "READER",
        required_unless_present = "reveal"
    )]
    audience: Option<Reading>,
    /// The directory to write the archive into.
    #[arg(long, value_name = "DIR", required_unless_present = "reveal")]
    out: Option<PathBuf>,
    /// The recipient's name: each has pseudonyms of its own.
    #[arg(long, value_name = "NAME")]
    recipient: Option<String>,
    /// Who makes it.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only this group's chargers: their findings, messages, sessions and coverage; with --for sign-off, the group that is
    /// decided about.
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Only findings that get through this filter; the fields are listed below.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The archive of an earlier report: each finding is new, unchanged, changed or regressed against it, and what it had
    /// and is no longer here is gone, or was not exercised since.
    #[arg(long, value_name = "ARCHIVE")]
    since: Option<PathBuf>,
    /// The key that pseudonyms are made with, 64 hexadecimal digits; made when it is not there. It belongs with the
    /// recording, and never with a report.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Shift all times by this constant, for example 72h.
    #[arg(long, value_name = "TIME", value_parser = shift, default_value = "0s")]
    shift_times: i64,
    /// Sign the manifest with this Ed25519 key (PEM, as `openssl genpkey -algorithm ed25519` makes it).
    #[arg(long, value_name = "FILE")]
    sign: Option<PathBuf>,
    /// Leave the bundles out, which take the longest to make.
    #[arg(long)]
    no_bundles: bool,
    /// The file with the gate's criteria, for sign-off and for verdicts that --filter asks for.
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
    /// Say whose pseudonym this is instead. It is noted in the recording who asked.
    #[arg(long, value_name = "PSEUDONYM", requires = "by", conflicts_with_all = ["audience", "out", "sign", "since"])]
    reveal: Option<String>,
    #[command(flatten)]
    threads: Threads,
}

/// Whom a report is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reading {
    /// Who makes the candidate: what differs, and how to see it again.
    Vendor,
    /// Who signs: the decision first, on two pages.
    SignOff,
}

fn shift(text: &str) -> Result<i64, String> {
    let time = match text {
        "0" | "0s" => Some(std::time::Duration::ZERO),
        text => parse_duration(text),
    };
    let micros = time.and_then(|time| i64::try_from(time.as_secs() * 1_000_000).ok());
    micros.ok_or_else(|| "a duration such as 72h".to_owned())
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    judging::bring_up_to_date_on(options.threads, &dir)?;
    let survey = Survey::of(&dir)?;
    let veil = Veil::new(
        &keys::of(&dir, options.key.as_deref())?,
        options.recipient(),
        options.shift_times,
        survey.originals.clone(),
    )
    .knowing(&render::words());
    if let Some(pseudonym) = &options.reveal {
        return reveal::run(&dir, &veil, pseudonym, options);
    }
    let rules = rules::of_recording(&dir)?;
    let mut report = read(options, (&dir, &rules), &survey, &veil)?;
    let bundles = match report.audience {
        Audience::Vendor if !options.no_bundles => {
            bundles::of(&dir, &rules, &veil, &mut report.findings)?
        }
        _ => Vec::new(),
    };
    let mut files = render::files(&report).map_err(crate::report::ReportError::from)?;
    files.extend(bundles);
    let place = options.place(&report);
    let searched = refuse_leaks(&veil, &files, &place)?;
    let signer = options.sign.as_deref().map(keys::signer).transpose()?;
    let archive = package::pack(&files, signer.as_ref())
        .map_err(|error| CliError::new(Exit::Environment, "RPT-004", super::chain(&error)))?;
    write(&place, &archive)?;
    super::say(&format!("{}\n", place.display()))?;
    eprintln!(
        "{} findings; {} values looked for in every byte, {} too short to be looked for, {} that are also kept values or \
         words of the program; {} bytes",
        report.findings.len(),
        searched.values,
        searched.short,
        searched.common,
        archive.len()
    );
    eprintln!("next: evenkeel verify {}", place.display());
    Ok(Exit::Parity)
}

impl Options {
    fn recipient(&self) -> &str {
        match (&self.recipient, self.audience) {
            (Some(name), _) => name,
            (None, Some(Reading::SignOff)) => "sign-off",
            (None, _) => "vendor",
        }
    }

    /// The archive's path: what it is about is in its name.
    fn place(&self, report: &Report) -> PathBuf {
        let word = |text: &str| -> String {
            let plain = |c: char| {
                if c.is_ascii_alphanumeric() || ".-_".contains(c) {
                    c
                } else {
                    '_'
                }
            };
            text.chars().map(plain).collect()
        };
        let about = report.head.group.as_deref().unwrap_or("all");
        let build = report
            .head
            .candidate_builds
            .last()
            .map_or("", String::as_str);
        let parts = [
            match report.audience {
                Audience::Vendor => "report",
                Audience::SignOff => "sign-off",
            },
            about,
            build,
            report.head.to.get(..10).unwrap_or_default(),
        ];
        let name: Vec<String> = parts
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(word)
            .collect();
        let out = self.out.clone().unwrap_or_default();
        out.join(format!("{}.zip", name.join("-")))
    }
}

fn read(
    options: &Options,
    (dir, rules): (&Path, &Rules),
    survey: &Survey,
    veil: &Veil,
) -> Result<Report, CliError> {
    let whole = Reader::open(dir)?;
    let facts = facts::Reader::open(dir)?;
    let group = options.group.as_deref().filter(|group| *group != EVERYBODY);
    let part = match group {
        Some(group) => {
            gate::known(&whole, group)?;
            Some(Reader::open_group(dir, group)?)
        }
        None => None,
    };
    let audience = match options.audience {
        Some(Reading::SignOff) => Audience::SignOff,
        _ => Audience::Vendor,
    };
    // As of the last fact: the same recording gives the same report.
    let now = last_fact(dir)?;
    let criteria = options.gate.as_deref();
    let weighed = match audience {
        Audience::Vendor => None,
        Audience::SignOff => {
            let criteria = gate::criteria(dir, criteria)?;
            Some(gate::weigh((dir, &whole), &criteria, (group, now, false))?)
        }
    };
    let terms = Terms::default().and(options.filter.as_deref(), &FINDINGS)?;
    let wanted = Wanted {
        audience,
        recipient: options.recipient().to_owned(),
        by: options.by.clone().unwrap_or_default(),
        group: group.map(str::to_owned),
        findings: Filter {
            terms: gate::in_terms_as_of(dir, terms, (criteria, now))?,
            now,
            ..Filter::default()
        },
        gate: weighed,
        since: options.since.as_deref().map(earlier).transpose()?,
    };
    let world = World {
        dir,
        facts: &facts,
        ledger: part.as_ref().unwrap_or(&whole),
        whole: &whole,
        rules,
        survey,
        veil,
    };
    Ok(Report::of(&world, &wanted)?)
}

/// Reads the archive of an earlier report.
fn earlier(path: &Path) -> Result<Earlier, CliError> {
    let archive = std::fs::read(path).map_err(|error| {
        let message = format!("cannot read {}: {error}", path.display());
        CliError::new(Exit::Environment, "RPT-005", message)
    })?;
    Earlier::read(&archive).map_err(|error| {
        let exit = match error {
            SinceError::Altered(_) => Exit::Integrity,
            _ => Exit::Usage,
        };
        let message = format!(
            "{} is no earlier report: {}",
            path.display(),
            super::chain(&error)
        );
        CliError::new(exit, "RPT-007", message)
            .help("--since takes an archive as `evenkeel report` wrote it")
    })
}

/// Refuses to go on if anything would leave that must not.
fn refuse_leaks(veil: &Veil, files: &[File], place: &Path) -> Result<Searched, CliError> {
    let archive = place.file_name().unwrap_or_default().to_string_lossy();
    let contents: Vec<(&str, &[u8])> = (files.iter())
        .map(|file| (file.name.as_str(), file.bytes.as_slice()))
        .chain([(archive.as_ref(), &[][..])])
        .collect();
    let (searched, found) = leaks(veil, &contents);
    let Some(Leak {
        file,
        at,
        pseudonym,
    }) = found.first()
    else {
        return Ok(searched);
    };
    let message = format!(
        "{} values that must not leave stand in the report; the first in {file} at byte {at}, where {} would have to stand",
        found.len(),
        super::printable(pseudonym)
    );
    Err(CliError::new(Exit::Integrity, "RPT-001", message).help(
        "nothing was written. Notes, reasons and rules are shown as people wrote them: look there for names first, with \
         --reveal for whose it is",
    ))
}

fn write(place: &Path, archive: &[u8]) -> Result<(), CliError> {
    let written = match place.parent() {
        Some(folder) => std::fs::create_dir_all(folder),
        None => Ok(()),
    };
    written
        .and_then(|()| std::fs::write(place, archive))
        .map_err(|error| {
            let message = format!("cannot write {}: {error}", place.display());
            CliError::new(Exit::Environment, "ENV-001", message)
        })
}
