//! The command line: one thin file per verb; wires the parts together.

pub mod config;
pub mod error;
pub mod health;
pub mod init;
pub mod logging;
pub mod recording;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use error::{CliError, Exit};

/// Shadow-traffic parity tester for EV-charging backends.
///
/// First look:   evenkeel demo
/// First tap:    evenkeel init, evenkeel check evenkeel.toml, evenkeel tap evenkeel.toml
/// Afterwards:   evenkeel diffs RECORDING, evenkeel verify RECORDING
///
/// Exit codes: 0 parity, 1 divergence, 2 usage or configuration, 3 not enough evidence, 4 environment, 5 integrity,
/// 130 interrupted.
#[derive(Debug, Parser)]
#[command(name = "evenkeel", version, verbatim_doc_comment, max_term_width = 110)]
struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Init(init::Options),
}

/// Parses the arguments, runs the verb, renders its error.
pub fn main() -> ExitCode {
    let args = Args::parse();
    run(args.verb).map_or_else(
        |error| {
            eprint!("{}", error.render());
            error.exit.into()
        },
        ExitCode::from,
    )
}

fn run(verb: Verb) -> Result<Exit, CliError> {
    match verb {
        Verb::Init(options) => init::run(&options),
    }
}
