//! `evenkeel diffs`: what differs, worst first; with `--finding`, down to the bytes.

mod coverage;
mod explain;
mod listing;
mod rejudged;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use similar::{ChangeTag, TextDiff};

use super::error::{CliError, Exit};
use super::filtering::{Terms, last_fact};
use super::gate;
use super::judging::Threads;
use super::recording::RecordingArg;
use super::rules;
use crate::facts;
use crate::ledger::filter::{self, FINDINGS};
use crate::ledger::monitors;
use crate::ledger::query::{Exemplar, Filter, Reader, Trigger};
use crate::ledger::row::State;
use crate::ledger::views::{self, Attempt, Diffs, Finding, StandIns};
use crate::ocpp::Severity;
use crate::report::causes;
use crate::report::evidence::pretty;
use rejudged::Aside;

/// Lists what differs between the two backends.
///
/// Exit codes: 1 if any finding listed counts as divergence. Findings that are accepted do not, nor does a claimed fix that
/// holds. 3 if nothing was comparable, or if all that is left says nothing either way: findings where legacy itself varies,
/// fixes that too little was seen of yet. Else 0. Accept findings with `evenkeel triage`.
#[derive(Debug, Args)]
#[command(after_long_help = filter::help(&FINDINGS))]
pub struct Options {
    #[command(flatten)]
    recording: RecordingArg,
    /// Only what gets through this filter, such as 'severity>=S2 not state:accepted'; the fields are listed below.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Print JSON (schema evenkeel.diffs/1).
    #[arg(long)]
    json: bool,
    /// Only findings at least this bad: S0, S1, S2, S3 or S4.
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<Severity>,
    /// Only findings and commands about this action.
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Only findings and commands seen on this charger.
    #[arg(long, value_name = "IDENTITY")]
    charger: Option<String>,
    /// Only findings that stand so: new, known, accepted, fixed or regressed.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<State>,
    /// Only findings that this person answers for.
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// Only findings seen on this model of chargers; with --monitors, only its counts.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// One finding, with the texts that differ.
    #[arg(long, value_name = "ID")]
    finding: Option<String>,
    /// A finding or the number of an exchange or command: which rule decided, and why no other did (schema
    /// evenkeel.explain/1).
    #[arg(long, value_name = "ID", conflicts_with_all = ["finding", "severity", "action", "charger", "filter"])]
    explain: Option<String>,
    /// Judge by the rules in this file and the built-in ones instead of the recording's, whose ledger stays as it is.
    #[arg(long, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// What operators watch instead: availability, reconnects, authorizations, ... With --json, schema
    /// evenkeel.monitors/1.
    #[arg(long, conflicts_with_all = ["severity", "action", "charger", "state", "owner", "finding", "explain", "filter"])]
    monitors: bool,
    #[command(flatten)]
    threads: Threads,
}

fn state(word: &str) -> Result<State, String> {
    State::from_word(word).ok_or_else(|| State::ALL.map(State::word).join(", "))
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    let filter = filter(options, &dir)?;
    super::judging::bring_up_to_date_on(options.threads, &dir)?;
    let own = Reader::open(&dir)?;
    let aside = match options.rules.as_slice() {
        [] => None,
        files => Some(Aside::judge(
            &dir,
            rules::instead(&dir, files)?,
            options.threads,
        )?),
    };
    let reader = match &aside {
        Some(aside) => aside.reader()?,
        None => Reader::open(&dir)?,
    };
    if let Some(id) = &options.explain {
        return explained(options, &dir, &reader, id);
    }
    if options.monitors {
        return monitors(options, &reader);
    }
    let mut diffs = views::diffs(&reader, &filter)?;
    causes::add(&dir, &reader, &mut diffs.findings)?;
    if aside.is_some() {
        diffs.rejudged = Some(rejudged::changes(&options.rules, &own, &filter, &diffs)?);
    }
    if options.json {
        super::say(&(super::to_json(&diffs)? + "\n"))?;
    } else {
        super::say(&summary(&diffs))?;
        if let Some(rejudged) = &diffs.rejudged {
            super::say(&rejudged::shown(rejudged, &diffs))?;
        }
        if options.finding.is_some() {
            for finding in &diffs.findings {
                super::say(&detail(&dir, &reader, finding)?)?;
            }
        }
    }
    Ok(verdict(&diffs))
}

/// What the options ask for.
fn filter(options: &Options, dir: &Path) -> Result<Filter, CliError> {
    let terms = Terms::default()
        .at_least(options.severity)
        .is("action", options.action.as_deref())
        .is("charger", options.charger.as_deref())
        .is("finding", options.finding.as_deref())
        .is("state", options.state.map(State::word))
        .is("owner", options.owner.as_deref())
        .is("model", options.model.as_deref());
    Ok(Filter {
        terms: gate::in_terms(dir, terms.and(options.filter.as_deref(), &FINDINGS)?)?,
        now: last_fact(dir)?,
        ..Filter::default()
    })
}

/// Exit 3 if nothing was counted: monitors alone are no verdict.
fn monitors(options: &Options, reader: &Reader) -> Result<Exit, CliError> {
    let view = monitors::monitors(reader, options.model.as_deref())?;
    if options.json {
        super::say(&(super::to_json(&view)? + "\n"))?;
    } else {
        super::say(&super::monitors::summary(&view))?;
    }
    if view.counts.is_empty() {
        Ok(Exit::Evidence)
    } else {
        Ok(Exit::Parity)
    }
}

/// Says which rules decided. Exit 0: the question is answered, whatever the answer.
fn explained(options: &Options, dir: &Path, reader: &Reader, id: &str) -> Result<Exit, CliError> {
    let rules = match options.rules.as_slice() {
        [] => rules::of_recording(dir)?,
        files => rules::load(files)?,
    };
    let explanation = explain::of(dir, reader, &rules, id)?;
    super::say(&if options.json {
        super::to_json(&explanation)? + "\n"
    } else {
        explain::shown(&explanation)
    })?;
    Ok(Exit::Parity)
}

/// What the counts mean as an exit code: any finding that counts is a divergence; nothing comparable, or only findings that
/// say nothing either way, is no evidence.
pub fn verdict(diffs: &Diffs) -> Exit {
    let comparable = |o: &views::Outcomes| o.equal + o.explained + o.divergent;
    if diffs.findings.iter().any(Finding::counts) {
        Exit::Divergence
    } else if diffs.findings.iter().any(Finding::is_undecided)
        || comparable(&diffs.outcomes) + comparable(&diffs.commands) + comparable(&diffs.sessions)
            == 0
    {
        Exit::Evidence
    } else {
        Exit::Parity
    }
}

/// The list of findings and the counts behind it, as text.
pub fn summary(diffs: &Diffs) -> String {
    let mut out = listing::list(&diffs.findings);
    out.push('\n');
    for (name, outcomes) in [
        ("exchanges", &diffs.outcomes),
        ("commands", &diffs.commands),
        ("handshakes", &diffs.handshakes),
        ("sessions", &diffs.sessions),
    ] {
        self::outcomes(&mut out, name, outcomes);
    }
    out.push_str(&coverage::shown(&diffs.coverage));
    out.push_str(&quirks(&diffs.quirks));
    let _ = writeln!(out, "digest     {}", diffs.digest);
    out.push_str(&stand_in(&diffs.stand_in));
    out.push_str(&attempts(&diffs.would_have_changed));
    out
}

/// What is odd and nobody's fault; nothing if nothing is.
fn quirks(quirks: &[views::Quirk]) -> String {
    let mut out = String::new();
    for quirk in quirks {
        let more: Vec<&str> = [&quirk.detail, &quirk.leg]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let _ = writeln!(
            out,
            "{title:<10} {row:>2} {name}{more}: {count} on {chargers}",
            title = if out.is_empty() { "quirks" } else { "" },
            row = quirk.row,
            name = quirk.name,
            more = if more.is_empty() {
                String::new()
            } else {
                format!(" ({})", super::printable(&more.join(", ")))
            },
            count = quirk.count,
            chargers = counted(quirk.chargers.len(), "charger"),
        );
    }
    out
}

/// How the shadow's commands were answered: a line for each action.
fn stand_in(answers: &[StandIns]) -> String {
    let mut actions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for found in answers {
        let says = format!("{} {}", super::printable(&found.source), found.count);
        actions.entry(&found.action).or_default().push(says);
    }
    let mut out = String::new();
    if !actions.is_empty() {
        out.push_str("\nanswered in the chargers' place\n");
    }
    for (action, sources) in actions {
        let action = super::printable(action);
        let _ = writeln!(out, "  {action:<26} {}", sources.join(", "));
    }
    out
}

/// What the shadow would have changed: what an operator must hear of is marked.
fn attempts(attempts: &[Attempt]) -> String {
    let mut out = String::new();
    if !attempts.is_empty() {
        out.push_str("\nwould have changed chargers, and reached none\n");
    }
    for attempt in attempts {
        let _ = writeln!(
            out,
            "{mark} {sender} {action}{fields}{notice}\n      {count} on {chargers}{simulated}, {first} to {last}\n      \
             the authority sent the same {same}, other values {other}, nothing like it {none}, unknown {unknown}",
            mark = if attempt.notice.is_some() { '!' } else { ' ' },
            sender = attempt.sender,
            action = super::printable(&attempt.action),
            fields = spaced("", &attempt.fields, ""),
            notice = spaced("(", attempt.notice.as_deref().unwrap_or_default(), ")"),
            count = counted(attempt.count as usize, "time"),
            chargers = counted(attempt.chargers.len(), "charger"),
            simulated = if attempt.simulated > 0 {
                format!(" ({} SIMULATED)", attempt.simulated)
            } else {
                String::new()
            },
            first = attempt.first_seen,
            last = attempt.last_seen,
            same = attempt.authority_sent.same,
            other = attempt.authority_sent.other,
            none = attempt.authority_sent.none,
            unknown = attempt.authority_sent.unknown,
        );
    }
    out
}

/// Foreign text with a space in front; nothing for nothing.
fn spaced(before: &str, text: &str, after: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!(" {before}{}{after}", super::printable(text))
}

/// One line of counts.
pub fn outcomes(out: &mut String, name: &str, outcomes: &views::Outcomes) {
    let _ = writeln!(
        out,
        "{name:<10} = {} equal  ~ {} explained  x {} divergent  n {} not comparable{}  {} pending",
        outcomes.equal,
        outcomes.explained,
        outcomes.divergent,
        outcomes.not_comparable.get("total").copied().unwrap_or(0),
        reasons(&outcomes.not_comparable),
        outcomes.pending.unwrap_or_default(),
    );
}

fn reasons(not_comparable: &BTreeMap<String, u64>) -> String {
    let reasons: Vec<String> = not_comparable
        .iter()
        .filter(|(reason, count)| *reason != "total" && **count > 0)
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    if reasons.is_empty() {
        String::new()
    } else {
        format!(" ({})", reasons.join(", "))
    }
}

/// `1 charger`, `2 chargers`.
pub fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The rule, its reason and the exemplars of one finding, with the differing lines.
fn detail(dir: &Path, reader: &Reader, finding: &Finding) -> Result<String, CliError> {
    let mut out = format!(
        "\n{}\n  rule    {} ({})\n  seen    {} to {}\n  on      {}\n{}",
        super::printable(&finding.title),
        super::printable(&finding.rule),
        super::printable(&finding.reason),
        finding.first_seen,
        finding.last_seen,
        super::printable(&finding.chargers.join(", ")),
        listing::around(finding),
    );
    for trigger in &finding.triggers {
        let _ = writeln!(out, "  after   {}", preceded(trigger));
    }
    let facts = facts::Reader::open(dir)?;
    for exemplar in reader.exemplars(&finding.id, 3)? {
        out.push_str(&shown(&facts, &exemplar)?);
    }
    Ok(out)
}

/// What came before commands, how soon they followed, and how late the shadow was.
fn preceded(trigger: &Trigger) -> String {
    let seconds = |time: i64| time as f64 / 1e6;
    let late = trigger
        .longest_lag_us
        .map(|lag| format!(", the shadow up to {:.1} s later", seconds(lag)));
    format!(
        "{} {}, {:.1} to {:.1} s before{}",
        super::printable(&trigger.after),
        counted(trigger.count as usize, "time"),
        seconds(trigger.soonest_us),
        seconds(trigger.latest_us),
        late.unwrap_or_default()
    )
}

fn shown(facts: &facts::Reader, exemplar: &Exemplar) -> Result<String, CliError> {
    let text = |seq: u64| -> Result<String, CliError> {
        let fact = if seq == 0 { None } else { facts.by_seq(seq)? };
        Ok(fact
            .map(|fact| String::from_utf8_lossy(&fact.body).into_owned())
            .unwrap_or_default())
    };
    let [call, authority, shadow] = exemplar.facts;
    let seqs = exemplar.facts.iter().filter(|seq| **seq != 0);
    let seqs: Vec<String> = seqs.map(u64::to_string).collect();
    let mut out = format!(
        "\n  facts {} {} {} at {}\n",
        seqs.join(", "),
        super::printable(&exemplar.charger),
        super::printable(&exemplar.pointer),
        views::rfc3339(exemplar.at)
    );
    let call = text(call)?;
    if !call.is_empty() {
        let _ = writeln!(out, "    charger   {}", super::printable(&call));
    }
    let (authority, shadow) = (pretty(&text(authority)?), pretty(&text(shadow)?));
    let diff = TextDiff::from_lines(&authority, &shadow);
    for change in diff.iter_all_changes() {
        let mark = match change.tag() {
            ChangeTag::Delete => "- authority",
            ChangeTag::Insert => "+ shadow   ",
            ChangeTag::Equal => "           ",
        };
        let _ = writeln!(
            out,
            "    {mark} {}",
            super::printable(change.value().trim_end())
        );
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::facts::{Dir, Fact, Kind, Leg, Limits, Recorder};

    /// A charger whose model and whose backend's answers try to speak to the terminal.
    fn record(dir: &Path) {
        let recorder = Recorder::open(dir, Limits::default()).unwrap();
        let charger: Arc<str> = Arc::from("CP1");
        let fact = |kind, leg, dir| Fact::new(kind, 1).on(&charger, 1).via(leg, dir);
        let (up, down) = (Dir::FromCharger, Dir::ToCharger);
        let opened = fact(Kind::ConnOpened, Leg::Legacy, up)
            .note(&serde_json::json!({"subprotocol": "ocpp1.6"}));
        recorder.record(opened).unwrap();
        let boot = r#"[2,"1","BootNotification",{"chargePointVendor":"v","chargePointModel":"\u001b[2J"}]"#;
        let answer = |interval: &str| {
            format!(
                r#"[3,"1",{{"currentTime":"2026-01-01T00:00:00Z","interval":1,"status":"{interval}"}}]"#
            )
        };
        let call = fact(Kind::Message, Leg::Legacy, up)
            .covering(1, 1)
            .body(boot);
        let call = recorder.record(call).unwrap();
        let sent = fact(Kind::ShadowSent, Leg::Candidate, up).because(call);
        let sent = sent
            .note(&serde_json::json!({"id": "1", "action": "BootNotification", "rewrites": []}));
        let sent = recorder.record(sent).unwrap();
        let theirs = fact(Kind::Message, Leg::Legacy, down).covering(1, 1);
        recorder.record(theirs.body(answer("Accepted"))).unwrap();
        let ours = fact(Kind::ShadowReceived, Leg::Candidate, down).because(sent);
        recorder.record(ours.body(answer("\\u001b]0;x"))).unwrap();
        let command = r#"[2,"7","ChangeConfiguration",{"key":"\u001b[2JUrl","value":"\u0007"}]"#;
        let asked = fact(Kind::ShadowReceived, Leg::Candidate, down).body(command);
        let asked = recorder.record(asked).unwrap();
        let answered = fact(Kind::ShadowAnswered, Leg::Candidate, up).because(asked);
        let answered = answered.body(r#"[3,"7",{"status":"Rejected"}]"#);
        let answered = answered.note(&serde_json::json!({"source": "\u{1b}[0m"}));
        recorder.record(answered).unwrap();
        recorder
            .record(fact(Kind::ConnClosed, Leg::Legacy, up))
            .unwrap();
        recorder.close(Duration::from_secs(30)).unwrap();
    }

    #[test]
    fn a_terminal_obeys_no_charger_and_no_backend() {
        let dir = tempfile::tempdir().unwrap();
        record(dir.path());
        crate::cli::judging::bring_up_to_date(dir.path()).unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        let diffs = views::diffs(&reader, &Filter::default()).unwrap();
        assert!(!diffs.findings.is_empty());
        let mut text = summary(&diffs);
        for finding in &diffs.findings {
            text += &detail(dir.path(), &reader, finding).unwrap();
        }
        assert!(text.contains("\\u{1b}"), "{text}");
        assert!(text.contains("ChangeConfiguration \\u{1b}[2JUrl"), "{text}");
        assert!(
            !text.contains(|c: char| c.is_control() && c != '\n'),
            "{text:?}"
        );
    }
}
