//! Where the lines come from: the newest of what was judged, and of what happened to connections and the tap.

use super::{Data, Event, Question};
use crate::clock::Micros;
use crate::facts::Kind;
use crate::ledger::filter::Value;
use crate::ledger::query::{Recent, Source};
use crate::watch::board::happening;
use crate::watch::books::{Books, BooksError};

/// Rows that are looked at for one question: a filter that matches nothing must not read a million.
const BUDGET: usize = 20_000;

/// Rows that are read at once.
const PAGE: usize = 1_000;

/// Facts that are events.
const EVENTS: [Kind; 9] = [
    Kind::TapStarted,
    Kind::TapStopped,
    Kind::PlaneStarted,
    Kind::ConnOpened,
    Kind::ConnClosed,
    Kind::ConnRefused,
    Kind::Gap,
    Kind::Decision,
    Kind::AuthorityChanged,
];

/// Reads the lines of a question.
pub fn read(books: &Books, question: &Question) -> Result<Data, BooksError> {
    let until = question.until.unwrap_or(u64::MAX);
    let now = books.last()?;
    let mut lines = Vec::new();
    let (mut before, mut looked) = (until, 0);
    let mut back_to = None;
    while lines.len() < question.most && looked < BUDGET {
        let page = books.ledger()?.recent(before, PAGE.min(BUDGET - looked))?;
        looked += page.len();
        back_to = page
            .last()
            .map(|line| (line.id, line.at))
            .filter(|(id, _)| *id > 1);
        let ended = page.len() < PAGE;
        for line in page {
            if lines.len() < question.most && passes(question, &line, now) {
                lines.push(event(books, line)?);
            }
        }
        match back_to {
            Some((id, _)) if !ended => before = id - 1,
            _ => {
                back_to = None;
                break;
            }
        }
    }
    if !question.divergent {
        let floor = if lines.len() < question.most {
            0
        } else {
            lines.last().map_or(0, |line| line.id)
        };
        add_events(books, question, (floor, until, now), &mut lines)?;
    }
    lines.sort_by_key(|line| line.id);
    let surplus = lines.len().saturating_sub(question.most);
    lines.drain(..surplus);
    Ok(Data { lines, back_to })
}

fn passes(question: &Question, line: &Recent, now: Micros) -> bool {
    let value = |field: &'static str| match field {
        "outcome" => Value::Text(&line.outcome),
        "severity" => line.severity.map_or(Value::Nothing, Value::Severity),
        "action" => Value::Text(&line.action),
        "charger" => Value::Text(&line.charger),
        "reason" => Value::Text(&line.detail),
        "id" => Value::Number(line.id as i64),
        "authority" => line.answered_us.0.map_or(Value::Nothing, Value::Number),
        "shadow" => line.answered_us.1.map_or(Value::Nothing, Value::Number),
        "at" | "since" | "until" => Value::At(line.at),
        _ => Value::Nothing,
    };
    (!question.divergent || line.outcome == "divergent") && question.sieve.lets(now, &value)
}

fn event(books: &Books, line: Recent) -> Result<Event, BooksError> {
    let says = if line.outcome == "divergent" && line.source != Source::Handshake {
        let shown = books.ledger()?.shows(line.id)?;
        let words = shown
            .into_iter()
            .map(|(_, id, title)| format!("{id} {title}"));
        words.collect::<Vec<_>>().join("; ")
    } else {
        line.detail
    };
    let what = match line.source {
        Source::Exchange => line.action,
        Source::Command => format!("command {}", line.action),
        Source::Handshake => "shadow handshake".to_owned(),
    };
    Ok(Event {
        id: line.id,
        at: line.at,
        charger: line.charger,
        what,
        outcome: line.outcome,
        says,
        severity: line.severity,
        answered_us: line.answered_us,
    })
}

fn add_events(
    books: &Books,
    question: &Question,
    (floor, until, now): (u64, u64, Micros),
    lines: &mut Vec<Event>,
) -> Result<(), BooksError> {
    for kind in EVENTS {
        let facts = books.facts().newest(kind, until, question.most)?;
        for fact in facts.iter().filter(|fact| fact.seq >= floor) {
            let Some(happened) = happening(fact) else {
                continue;
            };
            let value = |field: &'static str| match field {
                "charger" => Value::Text(&happened.charger),
                "action" => Value::Text(kind.word()),
                "reason" => Value::Text(&happened.says),
                "id" => Value::Number(fact.seq as i64),
                "at" | "since" | "until" => Value::At(fact.at),
                _ => Value::Nothing,
            };
            if question.sieve.lets(now, &value) {
                lines.push(Event {
                    id: fact.seq,
                    at: happened.at,
                    charger: happened.charger,
                    what: kind.word().to_owned(),
                    outcome: String::new(),
                    says: happened.says,
                    severity: None,
                    answered_us: (None, None),
                });
            }
        }
    }
    Ok(())
}
