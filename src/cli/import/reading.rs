//! Reads the files that shall be imported, and says what they were taken for.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::Options;
use crate::cli::error::{CliError, Exit};
use crate::replay::import::{Format, ImportError, Reading, Source, read, unpack};

/// Bad lines that are listed for each file.
const LISTED: usize = 20;

/// All logs, those of the authority first.
pub(super) fn sources(options: &Options) -> Result<Vec<Source>, CliError> {
    let ours = options.files.iter().map(|file| (file, options.leg));
    let theirs = options
        .shadow
        .iter()
        .map(|file| (file, options.leg.other()));
    let mut sources: Vec<Source> = Vec::new();
    for (file, leg) in ours.chain(theirs) {
        let bytes = bytes(file)?;
        let sha256 = crate::cli::hex(&Sha256::digest(&bytes));
        if let Some(same) = sources
            .iter()
            .find(|source| source.sha256 == sha256 && source.leg == leg)
        {
            return Err(CliError::new(
                Exit::Usage,
                "IMP-003",
                format!("{} and {} are the same file", same.name, file.display()),
            ));
        }
        let bytes = unpack(bytes).map_err(|error| unreadable(file, &error))?;
        let reading = Reading {
            format: options.format,
            charger: options.charger.as_deref(),
            zone: options.zone,
        };
        let log = read(&bytes, &reading).map_err(|error| unreadable(file, &error))?;
        let source = Source {
            name: name(file),
            sha256,
            leg,
            log,
        };
        report(&source);
        sources.push(source);
    }
    Ok(sources)
}

/// The one file that is an export of a recording's facts, if that is what shall be imported.
pub(super) fn recording_export(options: &Options) -> Result<Option<PathBuf>, CliError> {
    const MARK: &[u8] = br#"{"v":"evenkeel.fact/"#;
    let is_export = |file: &PathBuf| -> Result<bool, CliError> {
        use std::io::Read as _;
        let mut head = Vec::new();
        let opened = std::fs::File::open(file).map_err(|error| cannot_read(file, &error))?;
        opened
            .take(MARK.len() as u64)
            .read_to_end(&mut head)
            .map_err(|error| cannot_read(file, &error))?;
        Ok(head == MARK)
    };
    let said = options.format == Some(Format::Facts);
    match options.files.as_slice() {
        [file] if options.shadow.is_empty() && (said || is_export(file)?) => Ok(Some(file.clone())),
        _ => Ok(None),
    }
}

fn bytes(file: &Path) -> Result<Vec<u8>, CliError> {
    std::fs::read(file).map_err(|error| cannot_read(file, &error))
}

pub(super) fn cannot_read(file: &Path, error: &std::io::Error) -> CliError {
    CliError::new(
        Exit::Environment,
        "IMP-001",
        format!("cannot read {}: {error}", file.display()),
    )
}

fn name(file: &Path) -> String {
    let name = file.file_name().unwrap_or(file.as_os_str());
    name.to_string_lossy().into_owned()
}

fn unreadable(file: &Path, error: &ImportError) -> CliError {
    let help = match error {
        ImportError::NoCharger(_) => "name it with --charger IDENTITY",
        ImportError::Large => "the file is held in memory while it is read",
        _ => "`evenkeel import --help` lists the formats; --format names one",
    };
    CliError::new(
        Exit::Usage,
        "IMP-002",
        format!("{}: {error}", file.display()),
    )
    .help(help)
}

/// Says what a file was taken for, and which of its lines could not be read.
fn report(source: &Source) {
    let log = &source.log;
    let mut chargers: Vec<&str> = log
        .entries
        .iter()
        .map(|entry| entry.charger.as_str())
        .collect();
    chargers.sort_unstable();
    chargers.dedup();
    chargers.retain(|charger| !charger.is_empty());
    let counted = crate::cli::diffs::counted;
    let bad = log.bad().count();
    let file = crate::cli::printable(&source.name);
    eprintln!(
        "{file}: {}, of {}: {} of {}, {} that cannot be read, {} of other talk",
        log.format,
        source.leg.word(),
        counted(log.messages() as usize, "message"),
        counted(chargers.len(), "charger"),
        counted(bad, "line"),
        counted(log.talk as usize, "line"),
    );
    if log.untimed > 0 {
        eprintln!(
            "{file}: {} of its entries tell no time: answer times mean nothing there",
            log.untimed
        );
    }
    for (line, why) in log.bad().take(LISTED) {
        eprintln!("{file} line {line}: {}", crate::cli::printable(why));
    }
    if bad > LISTED {
        eprintln!("{file}: and {} more", bad - LISTED);
    }
}
