//! `evenkeel sessions --switched`: who bills each session that was open when its charger was moved.

use std::fmt::Write as _;
use std::path::Path;

use serde::Serialize;

use crate::cli::error::{CliError, Exit};
use crate::cli::{printable, say, to_json};
use crate::estate::billing::{self, Lacking, Passed, Switched};
use crate::facts::authority::Change;
use crate::facts::{self, Kind};
use crate::ledger::query::Reader;
use crate::ledger::sessions::{self, Filter, View};
use crate::ledger::views::rfc3339;

/// The list's schema.
const SCHEMA: &str = "evenkeel.switched/1";

/// The list.
#[derive(Debug, Serialize)]
struct List {
    schema: &'static str,
    sessions: Vec<Row>,
    /// Messages that a backend never got, because it became the authority before.
    untold: Vec<Lacking>,
}

/// One session.
#[derive(Debug, Serialize)]
struct Row {
    charger: String,
    /// What the backends call it.
    legacy: String,
    candidate: String,
    /// The backend that bills it; the other one must not.
    bills: &'static str,
    /// Its number in the ledger, and `open`, `ended` or what else is known of it; none if the ledger does not have it.
    session: Option<u64>,
    state: Option<String>,
    switches: Vec<Passed>,
}

/// Runs the verb with `--switched`. Exit 3 if no session was open at any switch.
pub(super) fn run(dir: &Path, charger: Option<&str>, json: bool) -> Result<Exit, CliError> {
    let steps = facts::Reader::open(dir)?.of_kind(Kind::AuthorityChanged, 0, i64::MAX as usize)?;
    let steps: Vec<_> = steps
        .iter()
        .filter_map(|fact| Some((&fact.charger, fact.at, Change::read(fact)?)))
        .collect();
    let steps = || {
        let steps = steps.iter();
        steps.map(|(charger, at, change)| (*charger, *at, change))
    };
    let listed = billing::switched(steps());
    let is_wanted = |name: &str| charger.is_none_or(|wanted| wanted == name);
    let mut untold = billing::untold(steps());
    untold.retain(|one| is_wanted(&one.charger));
    let known = sessions::sessions(&Reader::open(dir)?, &Filter::default())?.sessions;
    let list = List {
        schema: SCHEMA,
        sessions: listed
            .iter()
            .filter(|one| is_wanted(&one.charger))
            .map(|one| row(one, &known))
            .collect(),
        untold,
    };
    if json {
        say(&(to_json(&list)? + "\n"))?;
    } else {
        say(&text(&list))?;
    }
    Ok(if list.sessions.is_empty() && list.untold.is_empty() {
        Exit::Evidence
    } else {
        Exit::Parity
    })
}

fn row(one: &Switched, known: &[View]) -> Row {
    let [legacy, candidate] = &one.names;
    let is_it = |view: &&View| {
        *view.charger == *one.charger
            && (view.names.legacy.contains(legacy) || view.names.candidate.contains(candidate))
    };
    let view = known.iter().rfind(is_it);
    Row {
        charger: one.charger.to_string(),
        legacy: legacy.clone(),
        candidate: candidate.clone(),
        bills: one.bills.word(),
        session: view.map(|view| view.id),
        state: view.map(|view| view.state.clone()),
        switches: one.passed.clone(),
    }
}

fn text(list: &List) -> String {
    let mut out = String::new();
    if list.sessions.is_empty() {
        out.push_str("no session was open at a switch\n");
    }
    for one in &list.sessions {
        let state = one.state.as_deref().unwrap_or("not in the ledger");
        let _ = writeln!(
            out,
            "{:<9}  bills  {}  transaction {} on legacy, {} on candidate  {state}",
            one.bills,
            printable(&one.charger),
            printable(&one.legacy),
            printable(&one.candidate),
        );
        for passed in &one.switches {
            let (at, to) = (rfc3339(passed.at), passed.to.word());
            let _ = writeln!(out, "           moved  {at}  to {to}");
        }
    }
    for one in &list.untold {
        let about = match one.transaction.as_str() {
            "" => "of a transaction without a name".to_owned(),
            name => format!("of transaction {}", printable(name)),
        };
        let _ = writeln!(
            out,
            "{:<9}  lacks  {}  {} {about}, fact {}: enter it by hand",
            one.backend.word(),
            printable(&one.charger),
            printable(&one.action),
            one.message
        );
    }
    out
}
