//! A report as one HTML file: no network, complete without scripts, in light, dark and print.
//!
//! The page's policy lets only its own style and script run, each named by its hash. Templates escape everything; what is
//! put in as markup are drawings made here, which escape their own text.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::Serde;
use minijinja::{Environment, Value, context};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{RenderError, charts, markdown};
use crate::ledger::Mark;
use crate::report::ladder::picture;
use crate::report::model::{Action, Report};
use crate::report::words::{grouped, percent};

const STYLE: &str = include_str!("report.css");
const SCRIPT: &str = include_str!("report.js");
const PARTS: &str = include_str!("parts.html.jinja");
const VENDOR: &str = include_str!("vendor.html.jinja");
const SIGN_OFF: &str = include_str!("sign-off.html.jinja");

/// All that pages say of themselves.
pub(super) const WORDS: [&str; 4] = [PARTS, VENDOR, SIGN_OFF, SCRIPT];

/// Models beside each other in one table: more would be cut off on paper.
const MODELS: usize = 5;

/// The report for a vendor.
pub fn vendor(report: &Report) -> Result<String, RenderError> {
    page(report, "vendor.html", SCRIPT)
}

/// The report for who signs: the decision first, on two pages of paper.
pub fn sign_off(report: &Report) -> Result<String, RenderError> {
    page(report, "sign-off.html", "")
}

/// The drawings of one finding.
#[derive(Debug, Default, Serialize)]
struct Drawings {
    /// When it was seen.
    trend: String,
    /// The ladder of each case, as a drawing and in words.
    ladders: Vec<Option<(String, String)>>,
    /// The finding as Markdown.
    markdown: String,
}

/// A part of the table of what was exercised that fits a page.
#[derive(Debug, Serialize)]
struct Block {
    models: Vec<String>,
    actions: Vec<Action>,
}

fn page(report: &Report, name: &str, script: &str) -> Result<String, RenderError> {
    let mut environment = Environment::new();
    environment.add_template("parts.html", PARTS)?;
    environment.add_template("vendor.html", VENDOR)?;
    environment.add_template("sign-off.html", SIGN_OFF)?;
    environment.add_filter("grouped", grouped);
    environment.add_filter("percent", percent);
    environment.add_filter("mark", mark);
    environment.add_filter("plain", |number: f64| {
        ((number * 100.0).round() / 100.0).to_string()
    });
    environment.add_filter("spaced", |word: &str| word.replace('-', " "));
    environment.add_filter("ms", |us: i64| format!("{:.1}", us as f64 / 1e3));
    environment.add_filter("day", |at: &str| at.get(..10).unwrap_or(at).to_owned());
    environment.add_filter("minute", |at: &str| {
        at.get(..16).unwrap_or(at).replace('T', " ")
    });
    let drawings: BTreeMap<&str, Drawings> = (report.findings.iter())
        .map(|card| (card.id.as_str(), drawings(card)))
        .collect();
    let subjects = [
        ("messages of chargers", &report.summary.exchanges),
        ("commands", &report.summary.commands),
        ("handshakes", &report.summary.handshakes),
        ("sessions", &report.summary.sessions),
    ];
    let bars: Vec<Value> = subjects
        .into_iter()
        .map(|(name, outcomes)| {
            let bar = charts::outcomes(name, outcomes);
            let not = outcomes.not_comparable.get("total").copied().unwrap_or(0);
            context! { name, outcomes => Value::from(Serde(outcomes)), bar, not }
        })
        .collect();
    let page = environment.get_template(name)?.render(context! {
        report => Value::from(Serde(report)),
        title => markdown::title(report),
        style => STYLE,
        style_hash => hash(STYLE),
        script,
        script_hash => hash(script),
        timeline => charts::timeline(&report.summary.timeline),
        drawings => Value::from(Serde(&drawings)),
        bars,
        blocks => Value::from(Serde(blocks(report))),
    })?;
    Ok(page)
}

fn drawings(card: &crate::report::model::Card) -> Drawings {
    let ladders = card.exemplars.iter().map(|exemplar| {
        let ladder = exemplar.ladder.as_ref()?;
        let title = format!(
            "what was said around fact {}; the same in words follows",
            exemplar.fact
        );
        Some((picture::svg(ladder, &title), picture::text(ladder)))
    });
    Drawings {
        trend: charts::strip(&card.trend),
        ladders: ladders.collect(),
        markdown: markdown::card(card),
    }
}

/// What was exercised, a few models at a time.
fn blocks(report: &Report) -> Vec<Block> {
    let coverage = &report.coverage;
    let columns: Vec<usize> = (0..coverage.models.len()).collect();
    columns
        .chunks(MODELS)
        .map(|columns| Block {
            models: columns
                .iter()
                .map(|at| coverage.models[*at].clone())
                .collect(),
            actions: (coverage.actions.iter())
                .map(|action| Action {
                    name: action.name.clone(),
                    cells: columns
                        .iter()
                        .filter_map(|at| action.cells.get(*at).copied())
                        .collect(),
                })
                .collect(),
        })
        .collect()
}

/// The character of a mark, by its word.
fn mark(word: &str) -> String {
    let mark = Mark::ALL.into_iter().find(|mark| mark.word() == word);
    mark.map_or(' ', Mark::char).to_string()
}

fn hash(text: &str) -> String {
    STANDARD.encode(Sha256::digest(text.as_bytes()))
}
