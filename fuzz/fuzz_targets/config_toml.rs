//! A configuration is accepted and can be shown, or refused with an error that can be rendered; never a panic.

#![no_main]

use std::path::Path;

use evenkeel::cli::config::file::parse;
use evenkeel::cli::config::show::settings;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse(Path::new("/nowhere/fuzzed.toml"), text) {
        Ok(config) => assert!(!settings(&config, text).is_empty()),
        Err(error) => assert!(error.render().starts_with("error[CFG-")),
    }
});
