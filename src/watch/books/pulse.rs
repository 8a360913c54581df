//! The head of every screen and the alarms, read with a handful of cheap queries.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Books, BooksError};
use crate::clock::Micros;
use crate::facts::authority::Step;
use crate::facts::{Fact, Kind};
use crate::ledger::query;
use crate::ocpp::Severity;
use crate::watch::snapshot::{Alarm, Leg, Pulse};
use crate::watch::text::count_of;
use crate::watch::verdicts::Said;

/// How far back gaps and losses are alarming, µs: the last hour of the recording.
const RECENT: Micros = 3_600_000_000;

/// Handshakes and exchanges that tell how the candidate is.
const LOOK_BACK: usize = 40;

/// Alarms that are listed; more would hide the worst.
const MOST: usize = 12;

/// Reads it.
pub(super) fn read(books: &Books) -> Result<Pulse, BooksError> {
    let facts = books.facts();
    let last = facts.last_seq()?;
    let newest = facts.by_seq(last)?;
    let started = first(facts.newest(Kind::TapStarted, last, 1)?);
    let stopped = first(facts.newest(Kind::TapStopped, last, 1)?);
    let ended = stopped.filter(|stopped| {
        started
            .as_ref()
            .is_none_or(|started| started.seq < stopped.seq)
    });
    let tick =
        first(facts.newest(Kind::Tick, last, 1)?).filter(|tick| is_of(started.as_ref(), tick));
    let note = tick.as_ref().map(Fact::note_json).unwrap_or_default();
    let mut pulse = Pulse {
        recording: books
            .dir()
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
        facts: last,
        judged: 0,
        first: facts.read(0, 1)?.first().map(|fact| fact.at),
        last: newest.map(|fact| fact.at),
        stopped: ended.map(|fact| fact.at),
        authority: started.map_or_else(String::new, |fact| word(&fact.note_json()["authority"])),
        legacy: Leg::default(),
        candidate: Leg::default(),
        open: books.connections()?.open(),
        chargers: 0,
        shed: count(&note, "/live/lost") + count(&note, "/recorder/lost_frames"),
        alarms: Vec::new(),
        verdict: None,
    };
    if pulse.authority.is_empty() {
        "legacy".clone_into(&mut pulse.authority);
    }
    if let Ok(ledger) = books.ledger() {
        pulse.judged = ledger.cursor()?.seq;
        pulse.chargers = ledger.known_chargers()?;
    }
    let said = verdicts(books, &mut pulse)?;
    legs(books, &mut pulse)?;
    pulse.alarms = alarms(books, &pulse, &note)?;
    pulse.alarms.extend(missing(books)?);
    pulse.alarms.extend(said.iter().filter_map(silence));
    pulse
        .alarms
        .sort_by_key(|alarm| (alarm.severity, std::cmp::Reverse(alarm.since)));
    pulse.alarms.truncate(MOST);
    Ok(pulse)
}

/// What the gate says of all groups; the worst is told everywhere. Criteria that are not understood let nobody go.
fn verdicts(books: &Books, pulse: &mut Pulse) -> Result<Vec<Said>, BooksError> {
    let said = match books.verdicts().of_groups(books) {
        Ok(said) => said.unwrap_or_default(),
        Err(error @ BooksError::Gate(..)) => {
            pulse.verdict = Some(("HOLD".to_owned(), error.to_string()));
            return Ok(Vec::new());
        }
        Err(BooksError::NoLedger) => Vec::new(),
        Err(error) => return Err(error),
    };
    pulse.verdict = said.first().map(|said| {
        let why = said.report.why.first().cloned();
        let why = said.silence().or(why).unwrap_or_default();
        (said.word().to_owned(), format!("{}  {why}", said.name()))
    });
    Ok(said)
}

/// A group that has fallen silent is an alarm: nobody else would say so.
fn silence(said: &Said) -> Option<Alarm> {
    let since = said.silent?;
    Some(Alarm {
        keys: vec![format!("silent {} {since}", said.group)],
        severity: Severity::S1,
        since,
        says: format!("{}: {}", said.name(), said.silence()?),
        chargers: Vec::new(),
    })
}

/// Chargers that a switch sent away and that are not back in time, an alarm for each switch. It sounds again for each that is
/// missing besides, and not when one of them is back.
fn missing(books: &Books) -> Result<Vec<Alarm>, BooksError> {
    let journal = books.shelf().journal(books)?;
    let mut switches: BTreeMap<i64, (Micros, Vec<&str>)> = BTreeMap::new();
    for (charger, standing) in &journal.chargers {
        if standing.step == Step::Missing {
            let (since, names) = switches.entry(standing.switch).or_default();
            *since = standing.at.max(*since);
            names.push(charger);
        }
    }
    let alarm = |(switch, (since, names)): (i64, (Micros, Vec<&str>))| Alarm {
        keys: (names.iter())
            .map(|name| format!("missing {switch} {name}"))
            .collect(),
        severity: Severity::S0,
        since,
        says: format!(
            "{} not back after the switch: {}",
            count_of(names.len() as u64, "charger"),
            names.join(", ")
        ),
        chargers: names.into_iter().map(str::to_owned).collect(),
    };
    Ok(switches.into_iter().map(alarm).collect())
}

fn first(facts: Vec<Fact>) -> Option<Fact> {
    facts.into_iter().next()
}

/// Whether a tick belongs to the run that started last.
fn is_of(started: Option<&Fact>, tick: &Fact) -> bool {
    started.is_none_or(|started| started.seq < tick.seq)
}

fn count(note: &Value, pointer: &str) -> u64 {
    note.pointer(pointer)
        .and_then(Value::as_u64)
        .unwrap_or_default()
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// How the backends are, from what chargers and the shadow's handshakes met last.
fn legs(books: &Books, pulse: &mut Pulse) -> Result<(), BooksError> {
    let facts = books.facts();
    let accepted = facts
        .newest(Kind::ConnOpened, u64::MAX, 1)?
        .first()
        .map_or(0, |fact| fact.seq);
    let refused = facts
        .newest(Kind::ConnRefused, u64::MAX, 1)?
        .first()
        .map_or(0, |fact| fact.seq);
    let authority = match (accepted, refused) {
        (0, 0) => leg("?", true),
        (accepted, refused) if refused > accepted => leg("refuses", false),
        _ => leg("ok", true),
    };
    let shadow = match books.ledger() {
        Ok(ledger) => shadow(ledger)?,
        Err(_) => leg("?", true),
    };
    let authority_is_legacy = pulse.authority == "legacy";
    (pulse.legacy, pulse.candidate) = if authority_is_legacy {
        (authority, shadow)
    } else {
        (shadow, authority)
    };
    Ok(())
}

fn shadow(ledger: &query::Reader) -> Result<Leg, BooksError> {
    let (opened, refused) = ledger.last_handshakes(LOOK_BACK)?;
    let recent = ledger.recent(u64::MAX, LOOK_BACK)?;
    let exchanges = recent
        .iter()
        .filter(|line| line.source == query::Source::Exchange);
    let (mut reached, mut missed) = (0, 0);
    for line in exchanges {
        match (line.answered_us.1, line.detail.as_str()) {
            (Some(_), _) => reached += 1,
            (None, "shadow-gap") => missed += 1,
            _ => {}
        }
    }
    Ok(if reached == 0 && missed > 0 {
        leg("away", false)
    } else if opened == 0 && refused > 0 {
        leg("refuses", false)
    } else if reached == 0 && opened == 0 {
        leg("?", true)
    } else {
        leg("ok", true)
    })
}

fn leg(word: &str, well: bool) -> Leg {
    Leg {
        word: word.to_owned(),
        well,
    }
}

fn alarms(books: &Books, pulse: &Pulse, note: &Value) -> Result<Vec<Alarm>, BooksError> {
    let mut alarms = Vec::new();
    let alarm = |key: String, severity, since, says| Alarm {
        keys: vec![key],
        severity,
        since,
        says,
        chargers: Vec::new(),
    };
    let last = pulse.last.unwrap_or_default();
    if pulse.stopped.is_none() {
        for (name, leg) in [("legacy", &pulse.legacy), ("candidate", &pulse.candidate)] {
            if !leg.well {
                let says = format!("{name} {}", leg.word);
                alarms.push(alarm(says.clone(), Severity::S1, last, says));
            }
        }
    }
    let dropped = count(note, "/recorder/lost_facts");
    if dropped > 0 {
        let says = format!("the recorder lost {}", count_of(dropped, "fact"));
        alarms.push(alarm(format!("lost {dropped}"), Severity::S1, last, says));
    }
    let gaps: Vec<Fact> = books.facts().newest(Kind::Gap, u64::MAX, MOST)?;
    for gap in gaps.iter().filter(|gap| last - gap.at < RECENT).take(3) {
        let frames = count_of(gap.frames, "frame");
        let why = word(&gap.note_json()["why"]);
        alarms.push(Alarm {
            keys: vec![format!("gap {}", gap.seq)],
            severity: Severity::S3,
            since: gap.at,
            says: format!("gap of {frames} on {}: {why}", gap.charger),
            chargers: vec![gap.charger.to_string()],
        });
    }
    if let Ok(ledger) = books.ledger() {
        for concern in ledger.concerns(Severity::S1, MOST)? {
            let says = format!("{} {} {}", concern.state, concern.id, concern.title);
            let (severity, since) = (concern.severity, concern.first_seen);
            alarms.push(alarm(concern.id, severity, since, says));
        }
    }
    Ok(alarms)
}
