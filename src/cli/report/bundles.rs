//! The bundles of a report: one for each finding that can be played, with pseudonyms, and proved as it is sent.

use std::path::Path;

use crate::cli::error::{CliError, Exit};
use crate::cli::interrupt::Interrupt;
use crate::judge::Rules;
use crate::ledger::query::Reader;
use crate::replay::bundle::{Bundle, Source, of_finding};
use crate::replay::proof;
use crate::report::bundles::veiled;
use crate::report::model::Card;
use crate::report::model::card::Reproduce;
use crate::report::render::File;
use crate::report::rules;
use crate::report::veil::Veil;

/// The folder in the archive, and how files in it end.
const FOLDER: &str = "bundles";

/// The backend that a command names until somebody writes another.
const TARGET: &str = "ws://YOUR-TEST/ocpp";

/// Makes the bundles of these findings, and says in each how it is seen again.
pub(super) fn of(
    dir: &Path,
    rules: &Rules,
    veil: &Veil,
    cards: &mut [Card],
) -> Result<Vec<File>, CliError> {
    let facts = crate::facts::Reader::open(dir)?;
    let ledger = Reader::open(dir)?;
    let files = rules::files_of_recording(&facts)?;
    let source = Source {
        facts: &facts,
        ledger: &ledger,
        rules,
        files: &files,
    };
    let mut interrupt = Interrupt::watch()?;
    let mut made = Vec::new();
    for card in cards {
        let bundle = match of_finding(&source, &card.id) {
            Ok(bundle) => veiled(bundle, veil).map_err(|error| unwritten(&error))?,
            Err(error) => {
                let error = CliError::from(error);
                if error.exit != Exit::Evidence {
                    return Err(error);
                }
                card.reproduce = Some(without(&veil.prose(&error.message)));
                continue;
            }
        };
        match interrupt.or(proof::prove(&bundle, rules)) {
            None => {
                return Err(CliError::new(
                    Exit::Interrupted,
                    "RPT-006",
                    "interrupted: nothing was written",
                ));
            }
            Some(Ok(())) => {
                let file = format!("{FOLDER}/{}{}", card.id, crate::cli::bundle::ENDING);
                let text = bundle.write().map_err(|error| unwritten(&error))?;
                card.reproduce = Some(with(&bundle, &file));
                made.push(File::new(file, text));
            }
            Some(Err(error)) => {
                let error = CliError::from(error);
                if error.exit != Exit::Evidence {
                    return Err(error);
                }
                card.reproduce = Some(without(&veil.prose(&error.message)));
            }
        }
    }
    Ok(made)
}

fn with(bundle: &Bundle, file: &str) -> Reproduce {
    Reproduce {
        command: Some(format!("evenkeel replay {file} --target {TARGET}")),
        file: Some(file.to_owned()),
        steps: bundle.steps.len() as u64,
        from: u64::from(bundle.shrunk.from),
        why: None,
    }
}

fn without(why: &str) -> Reproduce {
    Reproduce {
        why: Some(why.to_owned()),
        ..Reproduce::default()
    }
}

fn unwritten(error: &dyn std::error::Error) -> CliError {
    CliError::new(Exit::Environment, "RPT-004", crate::cli::chain(error))
}
