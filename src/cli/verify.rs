//! `evenkeel verify`: is this recording what it claims to be?

use clap::Args;
use serde::Serialize;

use super::error::{CliError, Exit};
use super::recording::RecordingArg;
use crate::facts::accounting::{Accountant, Accounting, Broken};
use crate::facts::{self};
use crate::ledger::query;

/// Re-judges a recording and checks containment and accounting.
#[derive(Debug, Args)]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// Print JSON (schema evenkeel.verify/1).
    #[arg(long)]
    json: bool,
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
    let dir = options.recording.existing()?;
    super::judging::bring_up_to_date(&dir)?;
    let cursor = query::Reader::open(&dir)?.cursor()?;
    let rejudged = super::judging::rejudge(&dir, cursor.seq)?;
    let reader = facts::Reader::open(&dir)?;
    let mut accountant = Accountant::default();
    for fact in reader.facts() {
        accountant.add(&fact?);
    }
    let accounting = accountant.finish();
    let verified = conclude(
        reader.last_seq()?,
        (cursor.digest.to_string(), rejudged, cursor.seq),
        accounting,
    );
    if options.json {
        println!("{}", super::to_json(&verified)?);
    } else {
        print(&verified);
    }
    Ok(if verified.ok {
        Exit::Parity
    } else {
        Exit::Integrity
    })
}

fn conclude(
    facts: u64,
    (digest, rejudged, judged_facts): (String, String, u64),
    accounting: Accounting,
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
        ok: same && contained && whole,
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
        broken: accounting.broken,
    }
}

fn print(verified: &Verified) {
    let word = |ok: bool| if ok { "ok    " } else { "BROKEN" };
    let Verified {
        ledger,
        accounting,
        containment,
        ..
    } = verified;
    println!(
        "{} ledger       {} facts judged again: {}",
        word(ledger.ok),
        ledger.judged_facts,
        if ledger.ok {
            format!("the same digest {}", ledger.digest)
        } else {
            format!("{} became {}", ledger.digest, ledger.rejudged)
        }
    );
    println!(
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
    println!(
        "{} containment  {} bytes reached their peer exactly as sent",
        word(containment.ok),
        containment.bytes
    );
    for broken in &verified.broken {
        println!(
            "       {} connection {} {}: {:?}",
            super::printable(&broken.charger),
            broken.conn,
            broken.dir.map_or("", crate::facts::Dir::word),
            broken.breach
        );
    }
}
