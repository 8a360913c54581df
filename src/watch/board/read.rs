//! Where the board's numbers come from.

use std::collections::BTreeMap;

use super::{Data, Group, HOURS, Happening, Question, Verdict, needs};
use crate::clock::Micros;
use crate::facts::authority::{Change, Step};
use crate::facts::{Fact, Kind};
use crate::ledger::query;
use crate::ledger::row::{Decided, EVERYBODY, Subject, Wave, Word};
use crate::watch::books::{Books, BooksError};
use crate::watch::text::count_of;
use crate::watch::verdicts::{ALL, Said};

/// An hour, µs.
const HOUR: Micros = 3_600_000_000;

/// Rows of lists that nobody scrolls.
const FEW: usize = 12;

/// Reads what the board shows.
pub fn read(books: &Books, _question: &Question) -> Result<Data, BooksError> {
    let ledger = books.ledger()?;
    let last = books.last()?;
    let since = (last / HOUR + 1) * HOUR - HOURS as Micros * HOUR;
    // The gate's own page says why criteria are not understood; everything else here does not depend on them.
    let said = match books.verdicts().of_groups(books) {
        Err(BooksError::Gate(..)) => Vec::new(),
        said => said?.unwrap_or_default(),
    };
    let wave = wave(ledger, last)?;
    Ok(Data {
        groups: groups(books, &said, last)?,
        has_gate: books.verdicts().have_criteria(books)?,
        last_safe: wave.as_ref().and_then(|wave| last_safe(&said, wave)),
        wave,
        outcomes: outcomes(ledger)?,
        needs: needs::read(books, &said)?,
        sessions: chart(&ledger.sessions_by_hour(since)?, since),
        findings: chart(&ledger.findings_by_hour(since)?, since),
        events: events(books, &said)?,
    })
}

/// Groups with what is known of their chargers, the worst first; one row for all while there are none.
fn groups(books: &Books, said: &[Said], last: Micros) -> Result<Vec<Group>, BooksError> {
    let ledger = books.ledger()?;
    let journal = books.shelf().journal(books)?;
    let pulse = books.pulse()?;
    let waves: BTreeMap<String, String> = ledger
        .groups()?
        .into_iter()
        .map(|group| (group.name, group.wave))
        .collect();
    let first = books.facts().by_seq(1)?.map_or(last, |fact| fact.at);
    let connections = books.connections()?;
    let mut groups = Vec::new();
    for crowd in ledger.crowds()? {
        let said = said.iter().find(|said| said.group == crowd.name);
        let open = crowd
            .chargers
            .iter()
            .filter(|charger| connections.is_open(charger))
            .count() as u64;
        groups.push(Group {
            stage: match needs::moved(&crowd.chargers, &journal) {
                Some(moved) => moved.to_owned(),
                None => stage(ledger, &crowd.name, &pulse.authority)?,
            },
            wave: waves.get(&crowd.name).cloned().unwrap_or_default(),
            verdict: said.map(Verdict::of),
            silent: connections.silent_since(&crowd.chargers, last),
            open: crowd.open,
            severe: crowd.severe,
            connected: (open, crowd.chargers.len() as u64),
            sessions: crowd.sessions,
            watched: last - first,
            name: if crowd.name == EVERYBODY {
                ALL.to_owned()
            } else {
                crowd.name
            },
        });
    }
    groups.sort_by(|a, b| {
        (b.rank(), b.severe, b.open, &a.name).cmp(&(a.rank(), a.severe, a.open, &b.name))
    });
    Ok(groups)
}

/// Where a group is on its way, from what was decided about it last.
fn stage(ledger: &query::Reader, group: &str, authority: &str) -> Result<String, BooksError> {
    let decisions = ledger.decisions(Some(group))?;
    let moves = decisions.iter().rev().map(|decision| decision.decided.word);
    let last = moves
        .into_iter()
        .find(|word| matches!(word, Word::Go | Word::RollBack | Word::Hold));
    let word = match last {
        Some(Word::Go) => "go",
        Some(Word::RollBack) => "rolled back",
        Some(Word::Hold) => "held",
        _ if authority == "candidate" => "watch",
        _ => "shadow",
    };
    Ok(word.to_owned())
}

fn outcomes(ledger: &query::Reader) -> Result<Vec<(&'static str, query::Outcomes)>, BooksError> {
    let subjects = [
        ("exchanges", Subject::Exchange),
        ("commands", Subject::Command),
        ("handshakes", Subject::Handshake),
        ("sessions", Subject::Session),
    ];
    let counted = subjects.map(|(name, subject)| Ok((name, ledger.outcomes(subject)?)));
    counted.into_iter().collect()
}

/// The wave of this day or of the next that is planned.
fn wave(ledger: &query::Reader, last: Micros) -> Result<Option<Wave>, BooksError> {
    let day: String = crate::ledger::views::rfc3339(last)
        .chars()
        .take(10)
        .collect();
    let mut waves = ledger.waves()?;
    waves.retain(|wave| wave.date >= day);
    waves.sort_by(|a, b| a.date.cmp(&b.date));
    Ok(waves.into_iter().next())
}

/// The earliest of the instants at which a group of the wave must begin to come back.
fn last_safe(said: &[Said], wave: &Wave) -> Option<String> {
    let of_wave = said
        .iter()
        .filter(|said| said.report.people.wave == wave.name);
    let starts = of_wave.filter_map(|said| said.report.undo.last_safe_start.clone());
    starts.min()
}

fn chart(hours: &[(Micros, u64)], since: Micros) -> Vec<u64> {
    let mut counts = vec![0; HOURS];
    for (hour, count) in hours {
        if let Some(slot) = usize::try_from((hour - since) / HOUR)
            .ok()
            .and_then(|at| counts.get_mut(at))
        {
            *slot = *count;
        }
    }
    counts
}

fn events(books: &Books, said: &[Said]) -> Result<Vec<Happening>, BooksError> {
    let silent = said.iter().filter_map(|said| {
        Some(Happening {
            at: said.silent?,
            word: "ALERT",
            charger: String::new(),
            says: format!("{}: {}", said.name(), said.silence()?),
        })
    });
    let mut events: Vec<Happening> = silent.collect();
    for kind in [
        Kind::TapStarted,
        Kind::TapStopped,
        Kind::PlaneStarted,
        Kind::ConnRefused,
        Kind::Gap,
        Kind::Decision,
        Kind::Triage,
        Kind::AuthorityChanged,
        Kind::RulesLoaded,
    ] {
        events.extend(
            books
                .facts()
                .newest(kind, u64::MAX, FEW)?
                .iter()
                .filter_map(happening),
        );
    }
    for finding in books.ledger()?.newest_findings(FEW)? {
        events.push(Happening {
            at: finding.first_seen,
            word: "NEW",
            charger: String::new(),
            says: format!(
                "{} {} {}",
                finding.severity.code(),
                finding.id,
                finding.title
            ),
        });
    }
    events.sort_by(|a, b| (b.at, a.word, &a.says).cmp(&(a.at, b.word, &b.says)));
    events.truncate(FEW);
    Ok(events)
}

/// What a fact is to the people of the night; none if nothing happened.
pub(in crate::watch) fn happening(fact: &Fact) -> Option<Happening> {
    let note = fact.note_json();
    let word_of = |key: &str| note[key].as_str().unwrap_or_default().to_owned();
    let (word, says) = match fact.kind {
        Kind::TapStarted => (
            "INFO",
            format!("tap started, authority {}", word_of("authority")),
        ),
        Kind::TapStopped => ("INFO", "tap stopped in order".to_owned()),
        Kind::PlaneStarted if note["restart"] == true => {
            ("ALERT", "shadow plane started again".to_owned())
        }
        Kind::ConnOpened => ("INFO", format!("connected, {}", word_of("subprotocol"))),
        Kind::ConnClosed => (
            "INFO",
            format!("disconnected by {} ({})", word_of("by"), word_of("how")),
        ),
        Kind::ConnRefused => ("ALERT", format!("refused: {}", word_of("why"))),
        Kind::Gap => (
            "ALERT",
            format!(
                "gap of {}: {}",
                count_of(fact.frames, "frame"),
                word_of("why")
            ),
        ),
        Kind::Decision => ("DEC", decided(fact)),
        Kind::Triage => ("DEC", "triage note recorded".to_owned()),
        Kind::AuthorityChanged => switched(&Change::read(fact)?)?,
        Kind::RulesLoaded if !word_of("file").is_empty() => {
            ("INFO", format!("rules loaded from {}", word_of("file")))
        }
        _ => return None,
    };
    Some(Happening {
        at: fact.at,
        word,
        charger: fact.charger.to_string(),
        says: says.trim_end_matches([' ', ':']).to_owned(),
    })
}

/// A step of a switch in words, where it is one that people wait for.
fn switched(change: &Change) -> Option<(&'static str, String)> {
    let to = change.to.word();
    Some(match (change.step, change.counts) {
        (Step::Begun, _) => ("DEC", format!("switch to {to} begun")),
        (Step::Acting, _) => ("INFO", format!("sent to {to}")),
        (Step::Done, _) => ("INFO", format!("back, at {to}")),
        (Step::Missing, _) => ("ALERT", format!("not back after the switch to {to}")),
        (Step::Recalled, _) => ("INFO", format!("back to {to} for a while: {}", change.why)),
        (Step::Kept, _) => ("ALERT", format!("not switched: {}", change.why)),
        (Step::Over, Some([moved, kept, missing])) => (
            if kept + missing > 0 { "ALERT" } else { "INFO" },
            format!("switch to {to} over: {moved} moved, {kept} kept, {missing} missing"),
        ),
        (Step::Over, None) => ("INFO", format!("switch to {to} over")),
        (Step::Admitted | Step::Renamed | Step::Settled, _) => return None,
    })
}

/// What was decided, in words.
fn decided(fact: &Fact) -> String {
    let decided = fact
        .text()
        .and_then(|text| serde_json::from_str::<Decided>(text).ok());
    decided.map_or_else(
        || "a decision that cannot be read".to_owned(),
        |decided| {
            format!(
                "{} for {} by {}: {}",
                decided.word.word(),
                decided.group,
                decided.by,
                decided.reason
            )
        },
    )
}
