//! `evenkeel verify`: is this recording, or this report, what it claims to be?

mod archive;
mod single;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::error::{CliError, Exit};
use super::judging::Threads;
use super::recording::RecordingArg;
use crate::facts::accounting::{Accountant, Accounting, Broken};
use crate::facts::chain::Chain;
use crate::facts::{self};
use crate::ledger::query;

/// Re-judges a recording and checks containment and accounting; or checks a report, a bundle or a chain of notes.
///
/// Of a report: every byte, the hash of every file and, with --signed-by, who vouches for it. Of a bundle: that it shows its
/// finding as it was recorded, and not as legacy answers, and that no message of it can be left out; it carries no hash of
/// its own, but the archive that it came in does. Of what `export notes` wrote: that each decision and note is the one that
/// was written, and none is missing between them. Exit code 5 if anything is not so.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// Print JSON (schema evenkeel.verify/1; of a report evenkeel.verify-report/1, of a bundle or notes evenkeel.verify-file/1).
    #[arg(long)]
    json: bool,
    /// It must be a report that is signed by this Ed25519 key (PEM, public).
    #[arg(long, value_name = "FILE")]
    signed_by: Option<PathBuf>,
    #[command(flatten)]
    threads: Threads,
}

/// What `verify --json` prints.
#[derive(Debug, Serialize)]
struct Verified {
    schema: &'static str,
    ok: bool,
    facts: u64,
    ledger: LedgerCheck,
    accounting: AccountingCheck,
    containment: ContainmentCheck,
    notes: Chain,
    broken: Vec<Broken>,
}

#[derive(Debug, Serialize)]
struct LedgerCheck {
    ok: bool,
    digest: String,
    rejudged: String,
    judged_facts: u64,
}

#[derive(Debug, Serialize)]
struct AccountingCheck {
    ok: bool,
    connections: u64,
    open: u64,
    uncounted: u64,
    frames_seen: u64,
    frames_recorded: u64,
    frames_in_gaps: u64,
    gaps: u64,
}

#[derive(Debug, Serialize)]
struct ContainmentCheck {
    ok: bool,
    bytes: u64,
}

/// Runs the verb. Exit 5 if anything does not add up.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    if let Some(path) = options.recording.given().filter(|path| path.is_file()) {
        return archive::run(path, options);
    }
    let dir = options.recording.existing()?;
    refuse_unsigned(&dir, options)?;
    super::judging::bring_up_to_date_on(options.threads, &dir)?;
    let cursor = query::Reader::open(&dir)?.cursor()?;
    let rejudged = super::judging::rejudge(&dir, cursor.seq, options.threads)?;
    let reader = facts::Reader::open(&dir)?;
    let mut accountant = Accountant::default();
    let mut notes = Chain::default();
    for fact in reader.facts() {
        let fact = fact?;
        accountant.add(&fact);
        notes.add(&fact);
    }
    let accounting = accountant.finish();
    let verified = conclude(
        reader.last_seq()?,
        (cursor.digest.to_string(), rejudged, cursor.seq),
        accounting,
        notes,
    );
    if options.json {
        super::say(&(super::to_json(&verified)? + "\n"))?;
    } else {
        super::say(&shown(&verified))?;
    }
    Ok(if verified.ok {
        Exit::Parity
    } else {
        Exit::Integrity
    })
}

/// Refuses what carries no signature where one was asked for: nobody vouches for it.
fn refuse_unsigned(path: &Path, options: &Options) -> Result<(), CliError> {
    if options.signed_by.is_none() {
        return Ok(());
    }
    let message = format!(
        "{} is not the archive of a report, and carries no signature",
        path.display()
    );
    Err(CliError::new(Exit::Integrity, "RPT-008", message)
        .help("only archives that `evenkeel report --sign KEY` wrote are signed; bundles, notes and recordings are checked without --signed-by"))
}

fn conclude(
    facts: u64,
    (digest, rejudged, judged_facts): (String, String, u64),
    accounting: Accounting,
    notes: Chain,
) -> Verified {
    let contained = !accounting
        .broken
        .iter()
        .any(|broken| matches!(broken.breach, facts::accounting::Breach::NotContained));
    let whole = accounting
        .broken
        .iter()
        .all(|broken| matches!(broken.breach, facts::accounting::Breach::NotContained));
    let same = digest == rejudged;
    Verified {
        schema: "evenkeel.verify/1",
        ok: same && contained && whole && notes.broken.is_none(),
        facts,
        ledger: LedgerCheck {
            ok: same,
            digest,
            rejudged,
            judged_facts,
        },
        accounting: AccountingCheck {
            ok: whole,
            connections: accounting.connections,
            open: accounting.open,
            uncounted: accounting.uncounted,
            frames_seen: accounting.seen,
            frames_recorded: accounting.recorded,
            frames_in_gaps: accounting.in_gaps,
            gaps: accounting.gaps,
        },
        containment: ContainmentCheck {
            ok: contained,
            bytes: accounting.contained_bytes,
        },
        notes,
        broken: accounting.broken,
    }
}

fn shown(verified: &Verified) -> String {
    let mut out = String::new();
    let word = |ok: bool| if ok { "ok    " } else { "BROKEN" };
    let Verified {
        ledger,
        accounting,
        containment,
        notes,
        ..
    } = verified;
    let _ = writeln!(
        out,
        "{} ledger       {} facts judged again: {}",
        word(ledger.ok),
        ledger.judged_facts,
        if ledger.ok {
            format!("the same digest {}", ledger.digest)
        } else {
            format!("{} became {}", ledger.digest, ledger.rejudged)
        }
    );
    let _ = writeln!(
        out,
        "{} accounting   {} frames seen = {} recorded + {} in {} gaps ({} connections, {} still open, {} without counts)",
        word(accounting.ok),
        accounting.frames_seen,
        accounting.frames_recorded,
        accounting.frames_in_gaps,
        accounting.gaps,
        accounting.connections,
        accounting.open,
        accounting.uncounted,
    );
    let _ = writeln!(
        out,
        "{} containment  {} bytes reached their peer exactly as sent",
        word(containment.ok),
        containment.bytes
    );
    let _ = writeln!(
        out,
        "{} notes        {}",
        word(notes.broken.is_none()),
        match notes.broken {
            Some(seq) => format!("fact {seq} was altered, or one before it is missing"),
            None => format!("{} of people, in one chain to {}", notes.notes, notes.head),
        }
    );
    for broken in &verified.broken {
        let _ = writeln!(
            out,
            "       {} connection {} {}: {:?}",
            super::printable(&broken.charger),
            broken.conn,
            broken.dir.map_or("", crate::facts::Dir::word),
            broken.breach
        );
    }
    out
}
