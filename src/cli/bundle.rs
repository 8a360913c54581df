//! `evenkeel bundle`: the smallest series of messages that shows a finding, as a file for whoever has to mend it.

use std::path::{Path, PathBuf};

use clap::Args;

use super::diffs::counted;
use super::error::{CliError, Exit};
use super::interrupt::Interrupt;
use super::recording::RecordingArg;
use super::target::{TargetArgs, no_tls};
use crate::judge::Rules;
use crate::ledger::query;
use crate::replay::bundle::{Bundle, BundleError, Source, extract, of_finding};
use crate::replay::play::Target;
use crate::replay::proof::{self, ProofError};
use crate::report::rules;

/// How files of bundles end.
pub const ENDING: &str = ".bundle.json";

/// Cuts the smallest series of messages that shows a finding out of a recording.
///
/// One finding:  evenkeel bundle --finding F-12345678 --out F-12345678.bundle.json RECORDING
/// All of them:  evenkeel bundle --out bundles RECORDING
/// Then:         evenkeel replay bundles --target URL
///
/// What is left out is tried: against what both backends were recorded to answer, and with --target against a live backend
/// that shows the finding. Before it is written, a bundle is played against a backend that answers as the candidate did (it
/// must diverge) and one that answers as legacy did (it must be fixed). Identifiers, tags and texts are in it as they were
/// recorded: it is for inside the house; `report` writes them with pseudonyms.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// The finding. Without it: every finding that can be played, into a directory.
    #[arg(long, value_name = "ID")]
    finding: Option<String>,
    /// The file to write; without --finding the directory.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Also shrink against this backend, which must show the finding. It is told each series that is tried.
    #[arg(long, value_name = "URL")]
    target: Option<String>,
    #[command(flatten)]
    how: TargetArgs,
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    super::judging::bring_up_to_date(&dir)?;
    let target = match &options.target {
        Some(url) => Some(options.how.target(url)?),
        None => None,
    };
    let facts = crate::facts::Reader::open(&dir)?;
    let ledger = query::Reader::open(&dir)?;
    let files = rules::files_of_recording(&facts)?;
    let rules = rules::of_recording(&facts)?;
    let mut maker = Maker {
        source: Source {
            facts: &facts,
            ledger: &ledger,
            rules: &rules,
            files: &files,
        },
        rules: &rules,
        target,
        interrupt: Interrupt::watch()?,
    };
    match &options.finding {
        Some(id) => one(&mut maker, id, &options.out),
        None => all(&mut maker, &ledger, &options.out),
    }
}

fn one(maker: &mut Maker<'_>, id: &str, out: &Path) -> Result<Exit, CliError> {
    let Some(bundle) = maker.make(id)? else {
        return Ok(Exit::Interrupted);
    };
    write(out, &bundle)?;
    super::say(&said(&bundle, out))?;
    next(out);
    Ok(Exit::Parity)
}

/// All findings. Those without a bundle are listed, with the reason.
fn all(maker: &mut Maker<'_>, ledger: &query::Reader, out: &Path) -> Result<Exit, CliError> {
    std::fs::create_dir_all(out).map_err(|error| cannot_write(out, &error))?;
    let mut written = 0;
    for finding in ledger.findings(&query::Filter::default())? {
        match maker.make(&finding.id) {
            Ok(None) => return Ok(Exit::Interrupted),
            Ok(Some(bundle)) => {
                let file = out.join(finding.id + ENDING);
                write(&file, &bundle)?;
                super::say(&said(&bundle, &file))?;
                written += 1;
            }
            Err(error) if error.exit == Exit::Evidence => eprintln!("{}", error.message),
            Err(error) => return Err(error),
        }
    }
    eprintln!("{} in {}", counted(written, "bundle"), out.display());
    next(out);
    Ok(Exit::Parity)
}

fn said(bundle: &Bundle, file: &Path) -> String {
    let steps = counted(bundle.steps.len(), "step");
    format!(
        "{}: {steps} of {}; {}\n",
        file.display(),
        bundle.shrunk.from,
        super::printable(&bundle.finding.title)
    )
}

fn next(out: &Path) {
    eprintln!("next: evenkeel replay {} --target URL", out.display());
}

/// Makes bundles of one recording.
struct Maker<'a> {
    source: Source<'a>,
    rules: &'a Rules,
    target: Option<Target>,
    interrupt: Interrupt,
}

impl Maker<'_> {
    /// The bundle of a finding, shrunk and proved; none if it was interrupted.
    fn make(&mut self, id: &str) -> Result<Option<Bundle>, CliError> {
        let bundle = match &self.target {
            None => of_finding(&self.source, id)?,
            Some(target) => {
                let whole = extract::unshrunk(&self.source, id)?;
                let shrinking = proof::shrink_against(&whole, target, self.rules);
                match self.interrupt.or(shrinking) {
                    Some(bundle) => bundle?,
                    None => return Ok(None),
                }
            }
        };
        match self.interrupt.or(proof::prove(&bundle, self.rules)) {
            Some(proved) => proved?,
            None => return Ok(None),
        }
        Ok(Some(bundle))
    }
}

fn write(file: &Path, bundle: &Bundle) -> Result<(), CliError> {
    let text = bundle.write().map_err(std::io::Error::other);
    text.and_then(|text| std::fs::write(file, text))
        .map_err(|error| cannot_write(file, &error))
}

fn cannot_write(file: &Path, error: &std::io::Error) -> CliError {
    let what = format!("cannot write {}: {error}", file.display());
    CliError::new(Exit::Environment, "BUN-001", what)
}

impl From<BundleError> for CliError {
    fn from(error: BundleError) -> Self {
        let help = match error {
            BundleError::Facts(error) => return error.into(),
            BundleError::Ledger(error) => return error.into(),
            BundleError::NoFinding(_) => {
                return Self::new(Exit::Usage, "TRI-001", error.to_string())
                    .help("`evenkeel diffs` lists its findings");
            }
            BundleError::Books(_) => "`evenkeel sessions` shows what each backend booked",
            BundleError::Unshown { .. } => {
                "--target URL shrinks against a live backend that shows it"
            }
        };
        Self::new(Exit::Evidence, "BUN-002", error.to_string()).help(help)
    }
}

impl From<ProofError> for CliError {
    fn from(error: ProofError) -> Self {
        let (exit, code) = match &error {
            ProofError::Tls(error) => return no_tls(error),
            ProofError::Backend(_) | ProofError::Url(_) => (Exit::Environment, "BUN-003"),
            ProofError::Unproved { .. } => (Exit::Evidence, "BUN-004"),
            ProofError::Unshown(_) => (Exit::Evidence, "BUN-005"),
        };
        Self::new(exit, code, super::chain(&error))
    }
}
