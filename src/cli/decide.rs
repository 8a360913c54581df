//! `evenkeel decide`: what people decide about a group, kept as a fact with what it rests on.

mod hook;
mod moving;

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use sha2::{Digest as _, Sha256};

use super::config::units::parse_duration;
use super::error::{CliError, Exit};
use super::gate;
use super::recording::RecordingArg;
use super::{judging, noting};
use crate::clock::{Clock, Micros};
use crate::estate::gate::{Report, Verdict};
use crate::estate::standing::{Refusal, Standing};
use crate::facts::Kind;
use crate::ledger::evidence::Evidence as Weighed;
use crate::ledger::query::Reader;
use crate::ledger::row::{Decided, Evidence, Exception, Word};
use crate::ledger::views::rfc3339;
use crate::report::verdict::Criteria;
use crate::watch::decide::Wish;

/// Records what is decided about a group, with the evidence that it rests on.
///
/// Sign:       evenkeel decide sign-off --group G --by NAME --role ROLE --reason TEXT RECORDING
/// Move:       evenkeel decide go --group G --by NAME --role ROLE --reason TEXT RECORDING
/// Stay:       evenkeel decide hold --group G --by NAME RECORDING
/// Come back:  evenkeel decide roll-back --group G --by NAME RECORDING
/// Except:     evenkeel decide exception --group G --criterion C4 --until 2027-02-01 --at-most 3 --by NAME
///             --role ROLE --reason TEXT RECORDING
///
/// `go` needs a gate that says GO or GO+n and somebody else's sign-off under the same gate and rules; `hold` and `roll-back` are
/// always possible. After a roll-back nothing goes until somebody has signed anew. Decisions are chained by hash and never
/// changed or removed; `evenkeel verify` checks that. A tap that runs on the recording then moves the group's chargers: after
/// `go` to the candidate, each once it is idle (with --now at once), after `roll-back` all to the legacy. --hook runs a
/// program besides.
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Options {
    /// What is decided: go, hold, roll-back, exception or sign-off.
    #[arg(value_name = "DECISION", value_parser = word)]
    word: Word,
    #[command(flatten)]
    recording: RecordingArg,
    /// The group.
    #[arg(long, value_name = "GROUP")]
    group: String,
    /// Who decides.
    #[arg(long, value_name = "NAME")]
    by: String,
    /// In which role; the wave of the group may name the roles that may.
    #[arg(long, value_name = "ROLE", default_value = "")]
    role: String,
    /// Why.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// The criterion that is excepted.
    #[arg(long, value_name = "ID")]
    criterion: Option<String>,
    /// When the exception ends: a day (its first instant, UTC) or an RFC 3339 time.
    #[arg(long, value_name = "DATE", value_parser = gate::time)]
    until: Option<Micros>,
    /// How many failures the exception covers.
    #[arg(long, value_name = "COUNT")]
    at_most: Option<u64>,
    /// Who answers for the exception, if it is not who decides.
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// The file with the gate's criteria, if not the recording's.
    #[arg(long, value_name = "FILE")]
    gate: Option<PathBuf>,
    /// The group once more, for scripts; without it you are asked to type it.
    #[arg(long, value_name = "GROUP")]
    confirm: Option<String>,
    /// Move the chargers with open transactions, too, instead of waiting for their end.
    #[arg(long)]
    now: bool,
    /// Only write it down: the tap moves nobody.
    #[arg(long)]
    only_record: bool,
    /// A program that is run afterwards with the decision, the group and the recording as arguments; its output is kept.
    #[arg(long, value_name = "PROGRAM")]
    hook: Option<PathBuf>,
    /// How long that may take.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "5m")]
    hook_timeout: Duration,
}

fn word(text: &str) -> Result<Word, String> {
    Word::from_word(text).ok_or_else(|| "go, hold, roll-back, exception or sign-off".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "a duration such as 30s or 5m".to_owned())
}

/// Runs the verb.
pub fn run(options: &Options) -> Result<Exit, CliError> {
    let dir = options.recording.existing()?;
    judging::bring_up_to_date(&dir)?;
    let reader = judging::ledger(&dir)?;
    let (decided, report) = considered(options, (&dir, &*reader))?;
    confirmed(options, &report)?;
    let seq = noting::write(&dir, Kind::Decision, super::to_json(&decided)?)?;
    super::say(&said(&decided, &report, seq))?;
    let moved = moving::carry_out(options, &reader, (&dir, seq));
    if let Ok(says) = &moved {
        super::say(says)?;
    }
    if let Some(program) = &options.hook {
        run_hook(options, program, (&dir, seq))?;
    }
    judging::bring_up_to_date(&dir)?;
    noting::wait_until_judged(&dir, seq)?;
    moved.map(|_| Exit::Parity)
}

/// Decides what somebody filled in, by the criteria of `gate` or the recording's; says what was recorded and begun. The
/// group's name was typed.
pub fn write(dir: &Path, gate: Option<&Path>, wish: &Wish) -> Result<String, CliError> {
    let options = filled_in(gate, wish)?;
    judging::catch_up(dir)?;
    let reader = judging::ledger(dir)?;
    let (decided, report) = considered(&options, (dir, &*reader))?;
    confirmed(&options, &report)?;
    let seq = noting::write(dir, Kind::Decision, super::to_json(&decided)?)?;
    let moved = moving::carry_out(&options, &reader, (dir, seq));
    judging::catch_up(dir)?;
    let said = said(&decided, &report, seq);
    let first = said.lines().next().unwrap_or_default();
    Ok(match moved {
        Ok(says) if says.is_empty() => first.to_owned(),
        Ok(says) => format!("{first}; {}", says.trim_end()),
        Err(error) => format!("{first}, but nobody is moved: {}", error.message),
    })
}

/// What was filled in, as the command line says it.
fn filled_in(gate: Option<&Path>, wish: &Wish) -> Result<Options, CliError> {
    let wrong = |message| CliError::new(Exit::Usage, "DEC-003", message);
    let (mut criterion, mut until, mut at_most) = (None, None, None);
    if let Some(exception) = &wish.exception {
        let cap = || format!("{:?} is no number of failures", exception.at_most);
        criterion = Some(exception.criterion.clone());
        until = Some(gate::time(&exception.until).map_err(wrong)?);
        at_most = Some(exception.at_most.parse().map_err(|_| wrong(cap()))?);
    }
    Ok(Options {
        word: wish.word,
        recording: RecordingArg::default(),
        group: wish.group.clone(),
        by: wish.by.clone(),
        role: wish.role.clone(),
        reason: wish.reason.clone(),
        criterion,
        until,
        at_most,
        owner: None,
        gate: gate.map(Path::to_owned),
        confirm: Some(wish.group.clone()),
        now: false,
        only_record: false,
        hook: None,
        hook_timeout: Duration::ZERO,
    })
}

/// The decision with what it rests on, if it may be taken now.
fn considered(
    options: &Options,
    (dir, reader): (&Path, &Reader),
) -> Result<(Decided, Report), CliError> {
    let now = Clock::system().now();
    let criteria = gate::criteria(dir, options.gate.as_deref())?;
    let look = (Some(options.group.as_str()), now, false);
    let report = gate::weigh((dir, reader), &criteria, look)?;
    let evidence = reader.evidence(Some(&options.group))?;
    allowed(options, &report, &evidence, now)?;
    let decided = Decided {
        group: options.group.clone(),
        word: options.word,
        by: options.by.trim().to_owned(),
        role: options.role.trim().to_owned(),
        reason: options.reason.trim().to_owned(),
        exception: exception(options, &criteria, now)?,
        evidence: frozen(&report)?,
    };
    Ok((decided, report))
}

fn allowed(
    options: &Options,
    report: &Report,
    evidence: &Weighed,
    now: Micros,
) -> Result<(), CliError> {
    let lacks_reason =
        options.reason.trim().is_empty() && !matches!(options.word, Word::Hold | Word::RollBack);
    if options.by.trim().is_empty() || lacks_reason {
        let message = format!("{} needs a name and a reason", options.word.word());
        return Err(
            CliError::new(Exit::Usage, "DEC-001", message).help("give --by NAME --reason TEXT")
        );
    }
    let hashes = (report.evidence.gate_hash.as_str(), evidence.rules.as_str());
    let standing = Standing::of(&evidence.decisions, now, hashes);
    let who = (options.by.trim(), options.role.trim());
    let refused = standing.may(options.word, who, (report, evidence.wave.as_ref()));
    refused.map_err(|refusal| {
        let exit = match (&refusal, report.verdict) {
            (Refusal::Verdict(_) | Refusal::Evidence(_), Verdict::Hold) => Exit::Evidence,
            (Refusal::Verdict(_) | Refusal::Evidence(_), _) => Exit::Divergence,
            _ => Exit::Usage,
        };
        let help = format!(
            "`evenkeel gate --group {}` says what is missing; hold and roll-back are always possible",
            super::printable(&options.group)
        );
        CliError::new(exit, "DEC-002", refusal.to_string()).help(help)
    })
}

/// What is excepted, if that is decided.
fn exception(
    options: &Options,
    criteria: &Criteria,
    now: Micros,
) -> Result<Option<Exception>, CliError> {
    if options.word != Word::Exception {
        return Ok(None);
    }
    let wrong = |message: String| {
        let help = "give --criterion ID --until DATE --at-most COUNT, and --owner NAME if it is not who decides";
        CliError::new(Exit::Usage, "DEC-003", message).help(help)
    };
    let (Some(criterion), Some(until), Some(at_most)) =
        (&options.criterion, options.until, options.at_most)
    else {
        return Err(wrong(
            "an exception needs a criterion, an end and a cap".to_owned(),
        ));
    };
    if !criteria
        .gate
        .criteria
        .iter()
        .any(|known| known.id == *criterion)
    {
        return Err(wrong(format!("the gate has no criterion {criterion:?}")));
    }
    if until <= now {
        return Err(wrong(format!("{} is over", rfc3339(until))));
    }
    let owner = options.owner.as_ref().unwrap_or(&options.by);
    Ok(Some(Exception {
        criterion: criterion.clone(),
        owner: owner.trim().to_owned(),
        until,
        at_most,
    }))
}

/// What the decision rests on: hashes that `gate` and `verify` can make again.
fn frozen(report: &Report) -> Result<Evidence, CliError> {
    let looked = &report.evidence;
    let result = super::hex(&Sha256::digest(super::to_json(report)?));
    Ok(Evidence {
        ledger: looked.ledger.clone(),
        judged: looked.judged,
        verdict: report.says.clone(),
        result: format!("sha256:{result}"),
        gate: looked.gate_hash.clone(),
        rules: looked.rules.clone(),
        build: looked.build.clone(),
    })
}

/// Whoever decides types the group's name.
fn confirmed(options: &Options, report: &Report) -> Result<(), CliError> {
    let typed = match &options.confirm {
        Some(typed) => typed.clone(),
        None => asked(options, report)?,
    };
    if typed.trim() == options.group {
        return Ok(());
    }
    Err(CliError::new(
        Exit::Usage,
        "DEC-004",
        "the group's name was not typed: nothing is decided",
    )
    .help("type it as it is, or give --confirm GROUP in scripts"))
}

fn asked(options: &Options, report: &Report) -> Result<String, CliError> {
    let unanswered = |error: std::io::Error| {
        CliError::new(Exit::Environment, "ENV-002", format!("cannot ask: {error}"))
    };
    if !std::io::stdin().is_terminal() {
        return Ok(String::new());
    }
    eprint!(
        "{} {}: the verdict is {}, {} chargers, {} sessions under way. Type the group's name: ",
        options.word.word(),
        super::printable(&options.group),
        report.says,
        report.evidence.chargers,
        report.undo.open_sessions
    );
    std::io::stderr().flush().map_err(unanswered)?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed).map_err(unanswered)?;
    Ok(typed)
}

fn run_hook(options: &Options, program: &Path, (dir, seq): (&Path, u64)) -> Result<(), CliError> {
    let args = [
        options.word.word().as_ref(),
        options.group.as_ref(),
        dir.as_os_str(),
    ];
    let ran = hook::run(program, &args, options.hook_timeout, seq);
    noting::write(dir, Kind::HookRan, super::to_json(&ran)?)?;
    if ran.is_fine() {
        super::say(&format!("{} has ended well\n", program.display()))?;
        return Ok(());
    }
    let message = format!("{}: {}", program.display(), super::printable(&ran.says()));
    Err(CliError::new(Exit::Environment, "DEC-005", message).help(
        "the decision is recorded; what the program did, it did. Look before you run it again",
    ))
}

/// What was recorded, and how it is undone.
fn said(decided: &Decided, report: &Report, seq: u64) -> String {
    let group = super::printable(&decided.group);
    let undo = match decided.word {
        Word::Go => format!("undo: {}", report.undo.steps.join("; ")),
        Word::RollBack => "nothing goes until somebody has signed off anew".to_owned(),
        Word::Exception => {
            "it ends by itself; another one for the same criterion replaces it".to_owned()
        }
        Word::Hold | Word::SignOff => "another decision may follow".to_owned(),
    };
    format!(
        "recorded as fact {seq}: {} for {group}, verdict {}\n{undo}\n",
        decided.word.word(),
        decided.evidence.verdict
    )
}
