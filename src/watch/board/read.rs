//! Where the board's numbers come from.

use super::{Data, Group, HOURS, Happening, Question};
use crate::clock::Micros;
use crate::facts::{Fact, Kind};
use crate::ledger::row::{State, Subject};
use crate::ocpp::Severity;
use crate::watch::books::{Books, BooksError};
use crate::watch::text::count_of;

/// The name of the one row while no groups are configured.
pub(super) const ALL: &str = "all chargers";

/// An hour, µs.
const HOUR: Micros = 3_600_000_000;

/// Rows of lists that nobody scrolls.
const FEW: usize = 12;

/// Reads what the board shows.
pub fn read(books: &Books, _question: &Question) -> Result<Data, BooksError> {
    let ledger = books.ledger()?;
    let pulse = books.pulse()?;
    let last = pulse.last.unwrap_or_default();
    let since = (last / HOUR + 1) * HOUR - HOURS as Micros * HOUR;
    let counts = ledger.finding_counts()?;
    let open = |severe: bool| {
        let is_open = |state: &str| state == State::New.word() || state == State::Regressed.word();
        let counted = counts
            .iter()
            .filter(|count| is_open(&count.state) && (!severe || count.severity <= Severity::S1));
        counted.map(|count| count.findings).sum()
    };
    let first = books.facts().by_seq(1)?.map_or(last, |fact| fact.at);
    let all = Group {
        name: ALL.to_owned(),
        stage: if pulse.authority == "legacy" {
            "shadow"
        } else {
            "watch"
        }
        .to_owned(),
        verdict: None,
        open: open(false),
        severe: open(true),
        connected: (pulse.open, pulse.chargers.max(pulse.open)),
        sessions: ledger.outcomes(Subject::Session)?.comparable(),
        watched: last - first,
    };
    Ok(Data {
        groups: vec![all],
        needs: ledger.concerns(Severity::S2, FEW)?,
        sessions: chart(&ledger.sessions_by_hour(since)?, since),
        findings: chart(&ledger.findings_by_hour(since)?, since),
        events: events(books)?,
    })
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

fn events(books: &Books) -> Result<Vec<Happening>, BooksError> {
    let mut events = Vec::new();
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
        Kind::Decision => ("DEC", "decision recorded".to_owned()),
        Kind::Triage => ("DEC", "triage note recorded".to_owned()),
        Kind::AuthorityChanged => (
            "DEC",
            format!("authority changed to {}", word_of("authority")),
        ),
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
