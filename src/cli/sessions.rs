//! `evenkeel sessions`: what was charged, by the charger's account and by both backends'; with `--session`, side by side.

mod switched;

use std::fmt::Write as _;

use clap::Args;

use super::error::{CliError, Exit};
use super::filtering::{Terms, last_fact};
use super::gate;
use super::recording::RecordingArg;
use crate::ledger::filter::{self, SESSIONS};
use crate::ledger::query::{self, Reader};
use crate::ledger::sessions::{self, Account, Filter, Sessions, View};
use crate::ocpp::Severity;

/// Lists charging sessions: the charger's account, legacy's and the candidate's.
#[derive(Debug, Args)]
#[command(after_long_help = filter::help(&SESSIONS))]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// Only sessions that get through this filter, such as 'outcome:divergent since:8h'; the fields are listed below.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Print JSON (schema evenkeel.sessions/1).
    #[arg(long)]
    json: bool,
    /// Only sessions with a finding at least this bad: S0, S1, S2, S3 or S4.
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<Severity>,
    /// Only sessions on this charger.
    #[arg(long, value_name = "IDENTITY")]
    charger: Option<String>,
    /// Only sessions that show this finding.
    #[arg(long, value_name = "ID")]
    finding: Option<String>,
    /// One session, by its number or a backend's transaction identifier, three ways side by side.
    #[arg(long, value_name = "ID")]
    session: Option<String>,
    /// The sessions that were open when their charger was moved, each with the one backend that bills it (schema
    /// evenkeel.switched/1 with --json).
    #[arg(long, conflicts_with_all = ["filter", "severity", "finding", "session"])]
    switched: bool,
}

/// Runs the verb. Exit 1 if a listed session is divergent, 3 if none was comparable.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    if options.switched {
        super::judging::bring_up_to_date(&dir)?;
        return switched::run(&dir, options.charger.as_deref(), options.json);
    }
    let terms = Terms::default()
        .at_least(options.severity)
        .is("charger", options.charger.as_deref())
        .is("finding", options.finding.as_deref())
        .is("session", options.session.as_deref());
    let filter = Filter {
        terms: gate::in_terms(&dir, terms.and(options.filter.as_deref(), &SESSIONS)?)?,
        now: last_fact(&dir)?,
        ..Filter::default()
    };
    super::judging::bring_up_to_date(&dir)?;
    let reader = Reader::open(&dir)?;
    let view = sessions::sessions(&reader, &filter)?;
    if options.json {
        super::say(&(super::to_json(&view)? + "\n"))?;
    } else {
        super::say(&summary(&view))?;
        if options.session.is_some() {
            for session in &view.sessions {
                super::say(&detail(session, &reader)?)?;
            }
        }
    }
    Ok(verdict(&view))
}

fn verdict(view: &Sessions) -> Exit {
    let is = |outcome| view.sessions.iter().any(|it| it.verdict.outcome == outcome);
    if is("divergent") {
        Exit::Divergence
    } else if is("equal") || is("explained") {
        Exit::Parity
    } else {
        Exit::Evidence
    }
}

/// The list of sessions and the counts behind it, as text.
fn summary(view: &Sessions) -> String {
    let mut out = String::new();
    if view.sessions.is_empty() {
        out.push_str("no sessions\n");
    }
    for session in &view.sessions {
        line(&mut out, session);
    }
    out.push('\n');
    super::diffs::outcomes(&mut out, "sessions", &view.outcomes);
    let _ = writeln!(out, "digest     {}", view.digest);
    out
}

fn line(out: &mut String, session: &View) {
    let verdict = &session.verdict;
    let mark = match verdict.outcome {
        "equal" => '=',
        "explained" => '~',
        "divergent" => 'x',
        "pending" => '.',
        _ => 'n',
    };
    let energy = |account: &Option<Account>| {
        let wh = account.as_ref().and_then(|it| it.energy_wh.clone());
        wh.unwrap_or_else(|| "-".to_owned())
    };
    let place = match (session.charger.as_str(), session.connector.as_str()) {
        ("", _) => "(no charger)".to_owned(),
        (charger, connector) => format!("{charger} connector {connector}"),
    };
    let _ = writeln!(
        out,
        "{mark}  {}  {}  {}  {}\n      Wh: wire {}, legacy {}, candidate {}; {}",
        session.id,
        session.at,
        super::printable(&place),
        session.state,
        energy(&session.wire),
        energy(&session.legacy),
        energy(&session.candidate),
        outcome(session),
    );
}

fn outcome(session: &View) -> String {
    let verdict = &session.verdict;
    let mut text = verdict.outcome.to_owned();
    for part in [verdict.reason, verdict.severity.map(Severity::code)] {
        text += &part.map(|part| format!(" {part}")).unwrap_or_default();
    }
    for finding in &verdict.findings {
        text += " ";
        text += finding;
    }
    text
}

/// One session, three ways side by side.
fn detail(session: &View, reader: &Reader) -> Result<String, CliError> {
    let mut out = String::from("\n");
    let names = |names: &[String]| super::printable(&names.join(", "));
    let _ = writeln!(
        out,
        "session {}, token {}, transaction {} on legacy, {} on candidate",
        session.id,
        super::printable(&session.token),
        names(&session.names.legacy),
        names(&session.names.candidate),
    );
    if !session.defects.is_empty() {
        let _ = writeln!(out, "odd on the wire: {}", session.defects.join(", "));
    }
    row(&mut out, ["", "wire", "legacy", "candidate", ""]);
    for check in &session.verdict.checks {
        let cell = |text: &Option<String>| super::printable(text.as_deref().unwrap_or("-"));
        let cells = [&check.wire, &check.legacy, &check.candidate].map(cell);
        let [wire, legacy, candidate] = cells.each_ref().map(String::as_str);
        row(
            &mut out,
            [&check.name, wire, legacy, candidate, &check.verdict],
        );
    }
    let accounts = [
        ("wire", &session.wire),
        ("legacy", &session.legacy),
        ("candidate", &session.candidate),
    ];
    for (name, account) in accounts {
        notes(&mut out, name, account.as_ref());
    }
    for id in &session.verdict.findings {
        let filter = query::Filter {
            finding: Some(id.clone()),
            ..query::Filter::default()
        };
        for finding in reader.findings(&filter)? {
            let title = super::printable(&finding.title);
            let _ = writeln!(out, "{}  {id}  {title}", finding.severity);
        }
    }
    Ok(out)
}

fn row(out: &mut String, [name, wire, legacy, candidate, verdict]: [&str; 5]) {
    let text = format!("  {name:<24}{wire:<26}{legacy:<26}{candidate:<26}{verdict}");
    let _ = writeln!(out, "{}", text.trim_end());
}

fn notes(out: &mut String, name: &str, account: Option<&Account>) {
    let Some(account) = account else {
        let _ = writeln!(out, "  {name}: nothing");
        return;
    };
    if let Some([start, end]) = &account.mended {
        let _ = writeln!(out, "  {name}: by a clock that is right, {start} to {end}");
    }
    for note in &account.notes {
        let _ = writeln!(out, "  {name}: {}", super::printable(note));
    }
}
