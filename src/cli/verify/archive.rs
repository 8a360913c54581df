//! Checks the archive of a report.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use super::Options;
use crate::cli::error::{CliError, Exit};
use crate::report::package::seal::Witness;
use crate::report::package::{self, Checked, Signature};

/// What `verify --json` prints of a report.
#[derive(Debug, Serialize)]
struct Verified<'a> {
    schema: &'static str,
    ok: bool,
    files: usize,
    signature: &'static str,
    broken: &'a [String],
}

/// Checks it. Exit 5 if anything is not as it was written.
pub(super) fn run(path: &Path, options: &Options) -> Result<Exit, CliError> {
    let archive = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    if !package::is_archive(&archive) {
        super::refuse_unsigned(path, options)?;
        if let Some(exit) = super::single::run(&archive, options)? {
            return Ok(exit);
        }
    }
    let witness = options.signed_by.as_deref().map(witness).transpose()?;
    let checked = package::check(&archive, witness.as_ref());
    let ok = checked.broken.is_empty();
    crate::cli::say(&if options.json {
        let verified = Verified {
            schema: "evenkeel.verify-report/1",
            ok,
            files: checked.files,
            signature: word(checked.signature),
            broken: &checked.broken,
        };
        crate::cli::to_json(&verified)? + "\n"
    } else {
        shown(&checked)
    })?;
    Ok(if ok { Exit::Parity } else { Exit::Integrity })
}

fn witness(path: &Path) -> Result<Witness, CliError> {
    let text = std::fs::read(path).map_err(|error| unreadable(path, &error))?;
    Witness::from_pem(&text).map_err(|error| {
        let message = format!("{}: {}", path.display(), crate::cli::chain(&error));
        CliError::new(Exit::Usage, "RPT-002", message)
            .help("`openssl pkey -in FILE -pubout` writes the public part of a key")
    })
}

fn unreadable(path: &Path, error: &std::io::Error) -> CliError {
    let message = format!("cannot read {}: {error}", path.display());
    CliError::new(Exit::Environment, "RPT-005", message)
}

const fn word(signature: Signature) -> &'static str {
    match signature {
        Signature::None => "none",
        Signature::Unchecked => "unchecked",
        Signature::Holds => "holds",
        Signature::Broken => "broken",
    }
}

fn shown(checked: &Checked) -> String {
    let mut out = String::new();
    for what in &checked.broken {
        // Writing into a string cannot fail.
        let _ = writeln!(out, "BROKEN {}", crate::cli::printable(what));
    }
    let _ = writeln!(out, "{} files are what the manifest says", checked.files);
    let _ = writeln!(
        out,
        "{}",
        match checked.signature {
            Signature::None => "not signed",
            Signature::Unchecked => "signed; --signed-by FILE says whether by whom you think",
            Signature::Holds => "signed by the key that was named",
            Signature::Broken => "NOT signed by the key that was named",
        }
    );
    out
}
