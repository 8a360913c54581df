//! `evenkeel completions` and `evenkeel man`: made from the same definition as the command line itself.

use clap::Args;
use clap_complete::Shell;

use super::error::{CliError, Exit};

const PROGRAM: &str = "evenkeel";

/// Prints completions for a shell.
///
/// For bash, for example:  evenkeel completions bash > ~/.local/share/bash-completion/completions/evenkeel
#[derive(Debug, Clone, Copy, Args)]
#[command(verbatim_doc_comment)]
pub struct Completions {
    /// Which shell.
    shell: Shell,
}

/// Prints the manual, or the page of one verb, for `man -l -`.
#[derive(Debug, Args)]
pub struct Man {
    /// Which verb.
    verb: Option<String>,
}

/// Runs the verb `completions`.
pub fn completions(options: Completions) -> Result<Exit, CliError> {
    let mut text = Vec::new();
    clap_complete::generate(options.shell, &mut super::command(), PROGRAM, &mut text);
    print(&text)
}

/// Runs the verb `man`.
pub fn man(options: &Man) -> Result<Exit, CliError> {
    let mut command = super::command();
    command.build();
    let page = match &options.verb {
        None => command,
        Some(verb) => page(&command, verb)?,
    };
    let mut text = Vec::new();
    // Writing into memory does not fail.
    clap_mangen::Man::new(page)
        .render(&mut text)
        .map_err(|error| super::cannot_say(&error))?;
    print(&text)
}

/// The built command names its verbs as git does: `evenkeel-tap`.
fn page(command: &clap::Command, verb: &str) -> Result<clap::Command, CliError> {
    command.find_subcommand(verb).cloned().ok_or_else(|| {
        CliError::new(Exit::Usage, "CLI-001", format!("no verb {verb:?}"))
            .help("`evenkeel --help` lists the verbs")
    })
}

fn print(text: &[u8]) -> Result<Exit, CliError> {
    super::say(&String::from_utf8_lossy(text))?;
    Ok(Exit::Parity)
}
