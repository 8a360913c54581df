//! The module order of `src/lib.rs`: a module may use those above it, never those below. And what `CONTRIBUTING.md` says
//! about modules, files and tests.

#![allow(clippy::unwrap_used, reason = "a failed step of a test should end it")]

use std::fs;
use std::path::{Path, PathBuf};

/// Top-level modules, uppermost first.
const ORDER: [&str; 13] = [
    "clock", "ocpp", "facts", "ledger", "live", "shadow", "judge", "backends", "estate", "replay",
    "report", "watch", "cli",
];

#[test]
fn modules_use_only_those_above_them() {
    let mut upward = Vec::new();
    for (place, module) in ORDER.iter().enumerate() {
        for file in files_of(module) {
            let text = fs::read_to_string(&file).unwrap();
            for (number, line) in text.lines().enumerate() {
                for used in modules_used(line) {
                    let target = ORDER.iter().position(|name| *name == used);
                    if target.is_none_or(|target| target > place) {
                        upward.push(format!(
                            "{}:{}: {module} uses {used}",
                            file.display(),
                            number + 1
                        ));
                    }
                }
            }
        }
    }
    assert!(upward.is_empty(), "{}", upward.join("\n"));
}

#[test]
fn every_module_of_the_library_has_its_place() {
    let lib = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let declared: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let expected: Vec<&str> = ORDER
        .iter()
        .copied()
        .filter(|name| declared.contains(name))
        .collect();
    assert_eq!(
        declared, expected,
        "lib.rs lists the modules in dependency order"
    );
}

#[test]
fn contributing_names_every_module_and_files_that_exist() {
    let page = read("CONTRIBUTING.md");
    let listed: Vec<&str> = rows(&page, "| Module |")
        .map(|row| quoted(row).next().unwrap())
        .collect();
    let lib = read("src/lib.rs");
    let declared: Vec<&str> = lib
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(listed, declared);
    for path in quoted(&page).filter(|name| is_path(name)) {
        assert!(root().join(path).exists(), "{path}");
    }
}

#[test]
fn contributing_names_tests_for_every_law() {
    let page = read("CONTRIBUTING.md");
    let sources: String = ["src", "tests"]
        .map(|folder| {
            let mut files = Vec::new();
            collect(&root().join(folder), &mut files);
            let texts = files.iter().map(|file| fs::read_to_string(file).unwrap());
            texts.collect::<String>()
        })
        .concat();
    let laws: Vec<&str> = rows(&page, "| Law |").collect();
    assert_eq!(laws.len(), 10);
    for law in &laws {
        assert!(quoted(law).next().is_some(), "no test: {law}");
        for test in quoted(law) {
            assert!(sources.contains(&format!("fn {test}(")), "no test {test}");
        }
    }
    for definition in sources.split("fn law_").skip(1) {
        let (name, _) = definition.split_once('(').unwrap();
        let is_test = name.starts_with(|c: char| c.is_ascii_digit());
        let named = laws
            .iter()
            .any(|law| law.contains(&format!("`law_{name}`")));
        assert!(named || !is_test, "law_{name} is not in CONTRIBUTING.md");
    }
}

/// Whether a quoted name is meant as a path of this repository.
fn is_path(name: &str) -> bool {
    let rooted = ["src/", "tests/", "fuzz/", "benches/", "."]
        .iter()
        .any(|start| name.starts_with(start));
    rooted && !name.contains(['*', ' '])
}

/// The rows of the table with this head.
fn rows<'a>(page: &'a str, head: &str) -> impl Iterator<Item = &'a str> {
    let (_, table) = page.split_once(head).unwrap();
    table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'))
}

/// What stands in backticks, code blocks left out.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let prose = text.split("```").step_by(2);
    prose.flat_map(|part| part.split('`').skip(1).step_by(2))
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(file: &str) -> String {
    fs::read_to_string(root().join(file)).unwrap()
}

/// The modules that follow `crate::` in a line of code; comments and doc links do not count as use.
fn modules_used(line: &str) -> impl Iterator<Item = &str> {
    let code = line.split("//").next().unwrap_or_default();
    code.match_indices("crate::").filter_map(move |(at, _)| {
        let rest = &code[at + "crate::".len()..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        Some(&rest[..end]).filter(|name| !name.is_empty())
    })
}

fn files_of(module: &str) -> Vec<PathBuf> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    let file = src.join(format!("{module}.rs"));
    if file.exists() {
        files.push(file);
    }
    collect(&src.join(module), &mut files);
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files.push(path);
        }
    }
}
