//! What the command line says about itself: help, completions, manual, error codes, and the README beside them.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::collections::BTreeMap;
use std::process::{Command, Output};

use evenkeel::cli;
use evenkeel::cli::error::Exit;

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_evenkeel"))
        .args(args)
        .envs([("NO_COLOR", "1"), ("COLUMNS", "110")])
        .output()
        .unwrap()
}

#[track_caller]
fn said(args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The verbs, hidden ones included or not.
fn verbs(hidden: bool) -> Vec<String> {
    cli::command()
        .get_subcommands()
        .filter(|verb| hidden || !verb.is_hide_set())
        .map(|verb| verb.get_name().to_owned())
        .collect()
}

fn readme() -> String {
    std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

#[test]
fn help_of_every_verb_is_reviewed() {
    let version = format!("evenkeel {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(said(&["--version"]), version);
    insta::assert_snapshot!("help", said(&["--help"]));
    for verb in verbs(true) {
        insta::assert_snapshot!(format!("help_{verb}"), said(&[&verb, "--help"]));
    }
}

#[test]
fn the_readme_lists_exactly_the_visible_verbs() {
    let readme = readme();
    let (_, table) = readme.split_once("### Verbs").unwrap();
    let mut listed: Vec<&str> = (table.lines())
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .skip(2)
        .flat_map(|row| row.split('|').nth(1).unwrap().split(','))
        .map(|cell| cell.trim().trim_matches('`').split(' ').next().unwrap())
        .collect();
    listed.sort_unstable();
    let mut visible = verbs(false);
    visible.sort_unstable();
    assert_eq!(listed, visible);
}

#[test]
fn readme_and_help_name_every_exit_code() {
    let known: BTreeMap<u8, &str> = Exit::ALL
        .map(|exit| (exit as u8, exit.words()))
        .into_iter()
        .collect();
    for (place, text) in [("README.md", readme()), ("--help", said(&["--help"]))] {
        assert_eq!(exit_codes(&text), known, "{place}");
    }
}

/// The codes of a sentence such as `Exit codes: 0 parity, 4 environment (cannot bind), 130 interrupted.`
fn exit_codes(text: &str) -> BTreeMap<u8, &str> {
    let (_, list) = text.split_once("Exit codes: ").unwrap();
    let (list, _) = list.split_once('.').unwrap();
    list.split(',')
        .filter_map(|item| {
            let (number, words) = item.trim().split_once(' ')?;
            let words = words.split(" (").next()?.trim();
            Some((number.parse().ok()?, words))
        })
        .collect()
}

#[test]
fn completions_and_manual_know_every_verb() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = said(&["completions", shell]);
        for verb in verbs(false) {
            assert!(script.contains(&verb), "{shell}: {verb}");
        }
    }
    let manual = said(&["man"]);
    assert!(manual.contains(".TH evenkeel"), "{manual}");
    for verb in verbs(false) {
        assert!(manual.contains(&format!("evenkeel\\-{verb}")), "{verb}");
        let page = said(&["man", &verb]);
        assert!(page.contains(&format!(".TH evenkeel-{verb}")), "{page}");
    }
    assert_eq!(run(&["man", "no-such-verb"]).status.code(), Some(2));
}

#[test]
fn an_error_code_is_explained_without_a_network() {
    let explained = said(&["explain", "cfg-007"]);
    assert!(explained.starts_with("CFG-007\n") && explained.contains("ws://"));
    assert!(said(&["explain"]).contains("REC-003"));
    let unknown = run(&["explain", "XYZ-123"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("CLI-002"));
}
