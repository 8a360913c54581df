//! `evenkeel init`: writes a commented configuration.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::PathBuf;

use clap::Args;

use super::error::{CliError, Exit};
use crate::estate::gate::file::DEFAULT;

/// Writes a commented configuration file to start from.
#[derive(Debug, Args)]
pub struct Options {
    /// Where to write it; never overwritten. Without it evenkeel.toml, or gate.toml with --gate.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// WebSocket URL of the legacy CSMS; the charger's identity is appended.
    #[arg(
        long,
        value_name = "URL",
        default_value = "ws://legacy.example:8080/ocpp"
    )]
    legacy: String,
    /// WebSocket URL of the candidate CSMS.
    #[arg(
        long,
        value_name = "URL",
        default_value = "ws://candidate.example:8080/ocpp"
    )]
    candidate: String,
    /// Write the criteria of a gate instead of a configuration.
    #[arg(long, conflicts_with_all = ["legacy", "candidate"])]
    gate: bool,
    /// Print the file to stdout instead.
    #[arg(long)]
    print: bool,
}

/// Every key with its default, and what it is for.
pub const TEMPLATE: &str = include_str!("init/evenkeel.toml");

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let (name, text) = if options.gate {
        ("gate.toml", DEFAULT.to_owned())
    } else {
        let text = TEMPLATE
            .replace("{LEGACY}", &options.legacy)
            .replace("{CANDIDATE}", &options.candidate);
        ("evenkeel.toml", text)
    };
    if options.print {
        super::say(&text)?;
        return Ok(Exit::Parity);
    }
    let path = options.file.clone().unwrap_or_else(|| PathBuf::from(name));
    let file = path.display();
    let write = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&path)
        .and_then(|mut out| out.write_all(text.as_bytes()));
    match write {
        Ok(()) => {
            super::say(&format!("wrote {file}\n"))?;
            if options.gate {
                eprintln!("next: evenkeel gate RECORDING --gate {file}");
            } else {
                eprintln!(
                    "next: edit the two URLs, then  evenkeel check {file}  and  evenkeel tap {file}"
                );
            }
            Ok(Exit::Parity)
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(
                CliError::new(Exit::Usage, "CFG-010", format!("{file} exists already"))
                    .help("name another file, or --print to look at the template"),
            )
        }
        Err(error) => Err(CliError::new(
            Exit::Environment,
            "ENV-001",
            format!("cannot write {file}: {error}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::config::file::parse;

    #[test]
    fn the_template_is_a_valid_configuration_of_defaults() {
        let text = TEMPLATE
            .replace("{LEGACY}", "ws://a")
            .replace("{CANDIDATE}", "ws://b");
        let written = parse(Path::new("x.toml"), &text).unwrap();
        let uncommented: String = text
            .lines()
            .map(|line| {
                line.strip_prefix("# ")
                    .filter(|rest| rest.contains(" = "))
                    .unwrap_or(line)
            })
            // What names a file needs one.
            .filter(|line| {
                let key = line.split(' ').next().unwrap_or_default();
                ![
                    "tls",
                    "ca",
                    "cert",
                    "key",
                    "files",
                    "allow_file",
                    "credentials",
                    "models",
                    "places",
                    "chargers",
                    "gate",
                ]
                .contains(&key)
            })
            .fold(String::new(), |all, line| all + line + "\n");
        let spelled = parse(Path::new("x.toml"), &uncommented).unwrap();
        assert_eq!(written.shadow, spelled.shadow);
        assert_eq!(written.limits, spelled.limits);
        assert_eq!(written.keepalive, spelled.keepalive);
    }
}
