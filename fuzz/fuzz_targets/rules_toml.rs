//! A user's rule file is a set of rules or an error with its place; never a panic.

#![no_main]

use std::sync::OnceLock;

use evenkeel::judge::rules::Rules;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    static BUILT_IN: OnceLock<Rules> = OnceLock::new();
    let built_in =
        BUILT_IN.get_or_init(|| Rules::built_in().expect("the built-in rules are valid"));
    let known = built_in.all().len();
    match built_in.clone().with_file("fuzzed.toml", text) {
        Ok(rules) => {
            let own = rules.all().len() - known;
            let mut ids: Vec<&str> = rules.all()[..own]
                .iter()
                .map(|rule| rule.id.as_str())
                .collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), own, "ids are unique in a file");
        }
        Err(error) => {
            assert!(error.line >= 1 && error.column >= 1);
            assert!(error.line <= text.matches('\n').count() + 1);
            assert!(!error.problem.is_empty() && !error.help.is_empty());
        }
    }
});
