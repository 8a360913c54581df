//! What the tap costs, side by side with a minimal relay and, where installed, nginx.
//!
//! `cargo bench --bench tap -- [S1] [S2] [S3] [S4] [S5] [S7] [--rounds N]` runs scenarios; every figure is a ratio taken inside
//! one round, then the median over rounds, because small machines are noisy. The tap is a black box: the release binary,
//! started with a listening, a legacy and a candidate address. Everything stays on loopback and stops by itself.
//!
//! The program plays all roles itself: `stub` (a CSMS), `fleet` (chargers), `relay` (the baseline) and the runner.

mod fleet;
mod frames;
mod machine;
mod relay;
mod runner;
mod stub;

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args()
        .skip(1)
        .filter(|arg| arg != "--bench")
        .collect();
    let role = args.first().map_or("", String::as_str);
    let outcome = match role {
        "stub" => stub::run(&args[1..]),
        "fleet" => fleet::run(&args[1..]),
        "relay" => relay::run(&args[1..]),
        // `cargo test --benches` must not start a load.
        "--list" | "--test" => Ok(()),
        _ => runner::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Any failure of the bench, as text.
type Failure = Box<dyn std::error::Error>;

/// The value of `--name` in `args`.
fn option<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    let at = args.iter().position(|arg| arg == name)?;
    args.get(at + 1).map(String::as_str)
}

/// A whole number given as `--name`, or its default.
fn number(args: &[String], name: &str, default: u64) -> Result<u64, Failure> {
    option(args, name).map_or(Ok(default), |text| {
        text.parse()
            .map_err(|_| format!("{name} {text:?} is not a number").into())
    })
}

/// A runtime on this thread alone.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}
