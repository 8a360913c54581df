//! Where imported facts go: a new recording that appears whole or not at all, or the end of an existing one.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;

use super::reading::cannot_read;
use crate::cli::error::{CliError, Exit};
use crate::cli::interrupt::Interrupt;
use crate::facts::recorder::State;
use crate::facts::{Fact, Kind, Limits, Reader, Recorder, RecordingError, export};
use crate::replay::import::Source;
use crate::replay::import::weave::Place;

/// Facts between two waits for the disk.
const PAGE: usize = 2_000;

/// Bytes of facts that may wait for the disk: more than any page has, because a refused fact would be a gap.
const QUEUE: usize = 1 << 30;

/// How long the last facts may take to the disk.
const CLOSING: Duration = Duration::from_mins(1);

/// How often a disk that does not get on is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// A recording that is being written.
pub(super) struct Landing {
    recorder: Recorder,
    /// Where it is written.
    dir: PathBuf,
    /// Where it shall appear, if it is new.
    appears: Option<PathBuf>,
}

impl Landing {
    /// Opens the recording `into`, or a new one beside it.
    pub(super) fn open(into: &Path) -> Result<Self, CliError> {
        let limits = Limits {
            lock_wait: Duration::ZERO,
            queue_bytes: QUEUE,
            ..Limits::default()
        };
        if into.join("facts.db").is_file() {
            let recorder = Recorder::open(into, limits)?;
            return Ok(Self {
                recorder,
                dir: into.to_owned(),
                appears: None,
            });
        }
        let is_taken =
            fs::read_dir(into).is_ok_and(|mut found| found.next().is_some()) || into.is_file();
        if is_taken {
            let what = format!("{} exists and is not a recording", into.display());
            return Err(CliError::new(Exit::Usage, "IMP-006", what)
                .help("name a new directory with --into"));
        }
        let mut dir = into.as_os_str().to_owned();
        dir.push(format!(".importing-{}", std::process::id()));
        let dir = PathBuf::from(dir);
        let recorder = Recorder::open(&dir, limits)?;
        Ok(Self {
            recorder,
            dir,
            appears: Some(into.to_owned()),
        })
    }

    /// Where these logs' facts may stand, unless the recording has them already.
    pub(super) fn place(&self, sources: &[Source], again: bool) -> Result<Place, CliError> {
        let found = find_place(&self.dir, sources, again);
        if found.is_err() {
            self.abandon();
        }
        found
    }

    /// Writes facts that are numbered from the end of the recording. A new recording is removed when that fails or is
    /// interrupted; at the end of an existing one an interrupt waits until all is written, so that no log is there by half.
    pub(super) fn write(self, facts: &[Fact]) -> Result<Exit, CliError> {
        let total = facts.len();
        let mut written = 0;
        let pages = facts.chunks(PAGE).map(|page| {
            written += page.len();
            progress(written, total);
            Ok(page.to_vec())
        });
        self.write_pages(pages)
    }

    fn write_pages(
        self,
        pages: impl Iterator<Item = Result<Vec<Fact>, CliError>>,
    ) -> Result<Exit, CliError> {
        match self.record(pages) {
            Ok(false) => {
                self.appear()?;
                Ok(Exit::Parity)
            }
            Ok(true) if self.appears.is_none() => {
                self.appear()?;
                Ok(Exit::Interrupted)
            }
            Ok(true) => {
                self.abandon();
                eprintln!("interrupted: nothing was imported");
                Ok(Exit::Interrupted)
            }
            Err(error) => {
                self.abandon();
                Err(error)
            }
        }
    }

    /// Records all; true if it was interrupted.
    fn record(
        &self,
        pages: impl Iterator<Item = Result<Vec<Fact>, CliError>>,
    ) -> Result<bool, CliError> {
        let mut interrupt = Interrupt::watch()?;
        let mut interrupted = false;
        for page in pages {
            let mut last = 0;
            for fact in page? {
                last = fact.seq;
                if self.recorder.record(fact) != Some(last) {
                    return Err(CliError::new(
                        Exit::Integrity,
                        "REC-004",
                        format!("fact {last} does not follow the one before it"),
                    ));
                }
            }
            self.recorder.urge();
            let mut committed = self.recorder.committed();
            match interrupt.or(self.until(&mut committed, last)) {
                Some(done) => done?,
                None => interrupted = true,
            }
            if interrupted && self.appears.is_some() {
                break;
            }
        }
        Ok(interrupted)
    }

    /// Waits until the fact `seq` is on disk.
    async fn until(&self, committed: &mut watch::Receiver<u64>, seq: u64) -> Result<(), CliError> {
        loop {
            let done = tokio::time::timeout(LOOK, committed.wait_for(|last| *last >= seq)).await;
            match (done, self.recorder.state()) {
                (Ok(Ok(_)), _) => return Ok(()),
                (_, State::NotCommitting(why)) => {
                    return Err(CliError::new(Exit::Environment, "REC-003", why));
                }
                (_, State::Closed) => return Err(RecordingError::Uncommitted(seq).into()),
                _ => {}
            }
        }
    }

    fn appear(&self) -> Result<(), CliError> {
        self.recorder.close(CLOSING)?;
        let Some(into) = &self.appears else {
            return Ok(());
        };
        fs::rename(&self.dir, into).map_err(|source| {
            let (what, path) = ("rename to", into.clone());
            CliError::from(RecordingError::Io { what, path, source })
        })
    }

    /// Removes a new recording that did not come about.
    fn abandon(&self) {
        if self.appears.is_none() {
            return;
        }
        let closed = self
            .recorder
            .close(CLOSING)
            .map_err(|error| error.to_string());
        let removed = fs::remove_dir_all(&self.dir).map_err(|error| error.to_string());
        if let Err(why) = closed.and(removed) {
            eprintln!("{} stays behind: {why}", self.dir.display());
        }
    }
}

/// Says how far it is, where somebody looks on and it takes long.
fn progress(written: usize, total: usize) {
    use std::io::IsTerminal as _;
    if total > 50 * PAGE && std::io::stderr().is_terminal() {
        eprint!(
            "\r{written} of {total} facts{}",
            if written == total { "\n" } else { "" }
        );
    }
}

fn find_place(dir: &Path, sources: &[Source], again: bool) -> Result<Place, CliError> {
    let reader = Reader::open(dir)?;
    if !again {
        for fact in reader.of_kind(Kind::LogImported, 0, usize::MAX >> 1)? {
            let known = fact.note_json();
            let same = |source: &&Source| known["sha256"] == source.sha256.as_str();
            if let Some(same) = sources.iter().find(same) {
                let what = format!(
                    "{} is in the recording already, as {}",
                    same.name, known["file"]
                );
                return Err(CliError::new(Exit::Usage, "IMP-003", what)
                    .help("--again imports it once more, and everything in it counts twice"));
            }
        }
    }
    let mut last_conn = 0;
    for fact in reader.of_kind(Kind::ConnOpened, 0, usize::MAX >> 1)? {
        last_conn = last_conn.max(fact.conn);
        let by_other = |source: &&Source| {
            Some(source.leg) != fact.leg
                && source
                    .log
                    .entries
                    .iter()
                    .any(|entry| *entry.charger == *fact.charger)
        };
        let is_log = !fact.note_json()["imported"].is_null();
        if is_log
            && !again
            && sources.iter().all(|source| Some(source.leg) != fact.leg)
            && let Some(late) = sources.iter().find(by_other)
        {
            let what = format!(
                "{}: the recording has a log of the other backend about {} already",
                late.name,
                crate::cli::printable(&fact.charger)
            );
            return Err(CliError::new(Exit::Usage, "IMP-005", what).help(
                "facts are never changed: to compare both, import FILE --shadow FILE into a new recording in one go",
            ));
        }
    }
    Ok(Place {
        last_seq: reader.last_seq()?,
        last_conn,
    })
}

/// Copies exported facts into a new recording, as they are.
pub(super) fn copy(file: &Path, into: &Path) -> Result<Exit, CliError> {
    let landing = Landing::open(into)?;
    if landing.appears.is_none() {
        let what = format!("{} has facts already", into.display());
        return Err(CliError::new(Exit::Usage, "IMP-006", what)
            .help("exported facts keep their numbers: name a new directory with --into"));
    }
    let opened = match File::open(file) {
        Ok(opened) => BufReader::new(opened),
        Err(error) => {
            landing.abandon();
            return Err(cannot_read(file, &error));
        }
    };
    let mut count = 0_u64;
    let facts = opened.lines().map(|line| {
        count += 1;
        let line = line.map_err(|error| cannot_read(file, &error))?;
        export::from_line(&line).map_err(|error| {
            let what = format!("{} line {count}: {error}", file.display());
            CliError::new(Exit::Usage, "IMP-002", what)
        })
    });
    let exit = landing.write_pages(Pages(facts))?;
    if exit == Exit::Parity {
        crate::cli::say(&format!(
            "{} are in {}\n",
            crate::cli::diffs::counted(count as usize, "fact"),
            into.display()
        ))?;
    }
    Ok(exit)
}

/// Facts in pages; the first that cannot be read ends them.
struct Pages<I>(I);

impl<I: Iterator<Item = Result<Fact, CliError>>> Iterator for Pages<I> {
    type Item = Result<Vec<Fact>, CliError>;

    fn next(&mut self) -> Option<Self::Item> {
        let page: Result<Vec<Fact>, CliError> = self.0.by_ref().take(PAGE).collect();
        match page {
            Ok(page) if page.is_empty() => None,
            page => Some(page),
        }
    }
}
