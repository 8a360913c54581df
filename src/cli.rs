//! The command line: one thin file per verb; wires the parts together.

pub mod config;
pub mod error;
pub mod health;
pub mod init;
pub mod logging;
pub mod recording;

/// Runs the command line.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
