//! `evenkeel diffs --rules FILE`: the same facts under other rules, in a ledger of their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::cli::error::{CliError, Exit};
use crate::cli::judging::{self, Threads};
use crate::judge::Rules;
use crate::ledger::query::{Filter, Reader};
use crate::ledger::views::{Diffs, Rejudged};
use crate::ledger::{LedgerError, views};

/// A ledger that is gone when this is.
pub(super) struct Aside {
    dir: TempDir,
}

impl Aside {
    /// Judges the recording in `dir` by `rules`; its own ledger stays as it is.
    pub(super) fn judge(dir: &Path, rules: Rules, threads: Threads) -> Result<Self, CliError> {
        let aside = tempfile::Builder::new()
            .prefix("evenkeel-rules-")
            .tempdir()
            .map_err(|error| {
                CliError::new(
                    Exit::Environment,
                    "ENV-008",
                    format!("cannot make a temporary directory: {error}"),
                )
            })?;
        judging::judge_aside(dir, aside.path(), rules, threads)?;
        Ok(Self { dir: aside })
    }

    /// Reads that ledger.
    pub(super) fn reader(&self) -> Result<Reader, LedgerError> {
        Reader::open(self.dir.path())
    }
}

/// What the other rules change: `after` is what they give, `own` the recording's ledger.
pub(super) fn changes(
    files: &[PathBuf],
    own: &Reader,
    filter: &Filter,
    after: &Diffs,
) -> Result<Rejudged, LedgerError> {
    let before = views::diffs(own, filter)?;
    let severities = |diffs: &Diffs| -> BTreeMap<String, String> {
        let pair = |finding: &views::Finding| (finding.id.clone(), finding.severity.to_string());
        diffs.findings.iter().map(pair).collect()
    };
    let (old, new) = (severities(&before), severities(after));
    let only = |these: &BTreeMap<String, String>, those: &BTreeMap<String, String>| {
        let own = these.keys().filter(|id| !those.contains_key(*id));
        own.cloned().collect::<Vec<_>>()
    };
    Ok(Rejudged {
        rules: files
            .iter()
            .map(|file| file.display().to_string())
            .collect(),
        gone: only(&old, &new),
        new: only(&new, &old),
        recording_outcomes: before.outcomes,
        recording_commands: before.commands,
        recording_digest: before.digest,
    })
}

/// The changes as text.
pub(super) fn shown(rejudged: &Rejudged, after: &Diffs) -> String {
    let mut out = format!(
        "\njudged again by {}; the recording's own ledger is as it was\n",
        super::super::printable(&rejudged.rules.join(", "))
    );
    for (name, before, after) in [
        ("exchanges", &rejudged.recording_outcomes, &after.outcomes),
        ("commands", &rejudged.recording_commands, &after.commands),
    ] {
        let _ = writeln!(
            out,
            "  {name:<10} equal {} -> {}, explained {} -> {}, divergent {} -> {}",
            before.equal,
            after.equal,
            before.explained,
            after.explained,
            before.divergent,
            after.divergent,
        );
    }
    let listed = |ids: &[String]| match ids {
        [] => "none".to_owned(),
        ids => ids.join(", "),
    };
    let _ = writeln!(
        out,
        "  findings   gone: {}; new: {}\n  digest     {} by the recording's rules\n             {} by these",
        listed(&rejudged.gone),
        listed(&rejudged.new),
        rejudged.recording_digest,
        after.digest,
    );
    out
}
