//! What the screen of findings is made of.

use super::{Chosen, Data, Exemplar, Question, is_settled};
use crate::clock::Micros;
use crate::ledger::filter;
use crate::ledger::query::{Finding, Judged};
use crate::ledger::row::{State, Subject};
use crate::ledger::sessions::View;
use crate::report::comparison::{Row, Section};
use crate::report::{Comparison, Evidence, printable};
use crate::watch::books::{Books, BooksError};
use crate::watch::text::shown;

/// Rules that are told besides the one that decided.
const TRIED: usize = 6;

/// Reads what the screen shows.
pub fn read(books: &Books, question: &Question) -> Result<Data, BooksError> {
    let findings = books.shelf().findings(books)?;
    let question = &Question {
        sieve: books.verdicts().meant(books, &question.sieve)?,
        ..question.clone()
    };
    let now = books.last()?;
    let mut data = Data {
        all: findings.len(),
        ..Data::default()
    };
    for finding in findings
        .iter()
        .filter(|finding| lets(question, finding, now))
    {
        if is_settled(finding) && !question.gone {
            let state = finding.life.state().word();
            data.folded.push((finding.id.clone(), state.to_owned()));
        } else {
            data.listed.push(finding.clone());
        }
    }
    let chosen = question.chosen.as_ref();
    let found = data
        .listed
        .iter()
        .find(|finding| Some(&finding.id) == chosen);
    if let Some(finding) = found.or(data.listed.first()) {
        data.chosen = Some(of_finding(books, finding, question.exemplar)?);
    }
    Ok(data)
}

/// Whether a finding is listed, as of the recording's last fact.
fn lets(question: &Question, finding: &Finding, now: Micros) -> bool {
    let undecided = matches!(finding.life.state(), State::New | State::Regressed);
    (undecided || !question.open) && question.sieve.lets(now, &filter::finding(finding))
}

fn of_finding(books: &Books, finding: &Finding, number: u64) -> Result<Chosen, BooksError> {
    let seen_in = books.ledger()?.exemplar(&finding.id, number)?;
    Ok(Chosen {
        finding: finding.id.clone(),
        cause: books.shelf().cause(books, finding)?,
        number,
        exemplar: match seen_in {
            Some((subject, id)) => exemplar(books, finding, subject, id)?,
            None => None,
        },
    })
}

fn exemplar(
    books: &Books,
    finding: &Finding,
    subject: Subject,
    id: u64,
) -> Result<Option<Exemplar>, BooksError> {
    let ledger = books.ledger()?;
    match subject {
        Subject::Session => Ok(ledger.session(id)?.map(|session| {
            let (at, charger) = (session.at, session.charger.clone());
            let view = View::from(session);
            Exemplar {
                subject,
                id,
                at,
                charger,
                comparison: Comparison::of_session(&view),
                rules: vec![decided(finding)],
                session: Some(view),
            }
        })),
        Subject::Handshake => handshake(books, finding, id),
        Subject::Exchange | Subject::Command => match ledger.judged(id)? {
            Some(judged) => judged_one(books, finding, judged).map(Some),
            None => Ok(None),
        },
    }
}

fn judged_one(books: &Books, finding: &Finding, judged: Judged) -> Result<Exemplar, BooksError> {
    let rules = books.shelf().rules(books)?;
    let evidence = Evidence::of(books.facts(), &rules, judged)?;
    Ok(Exemplar {
        subject: evidence.judged.subject,
        id: evidence.judged.id,
        at: evidence.judged.at,
        charger: evidence.judged.charger.clone(),
        comparison: Comparison::of(&evidence),
        rules: trace(finding, &evidence),
        session: None,
    })
}

fn handshake(books: &Books, finding: &Finding, id: u64) -> Result<Option<Exemplar>, BooksError> {
    let ledger = books.ledger()?;
    let Some(charger) = ledger.charger_of(Subject::Handshake, id)? else {
        return Ok(None);
    };
    let items = ledger.around(&charger, id, (0, 1))?;
    let Some(item) = items.into_iter().find(|item| item.id == id) else {
        return Ok(None);
    };
    let section = Section {
        title: "handshake".to_owned(),
        rows: vec![Row {
            mark: crate::watch::ladder::mark(&item),
            path: "(handshake)".to_owned(),
            wire: None,
            legacy: Some(printable(&finding.legacy)),
            candidate: Some(printable(&item.detail)),
            why: format!("rule {}", printable(&finding.rule)),
        }],
        ..Section::default()
    };
    Ok(Some(Exemplar {
        subject: Subject::Handshake,
        id,
        at: item.at,
        charger,
        comparison: Comparison {
            title: format!("handshake seq {id}"),
            sections: vec![section],
            raw: Vec::new(),
        },
        rules: vec![decided(finding)],
        session: None,
    }))
}

fn decided(finding: &Finding) -> String {
    format!("{}: {}", shown(&finding.rule), shown(&finding.reason))
}

/// Which rule decided at the finding's place, and why those before it did not.
fn trace(finding: &Finding, evidence: &Evidence) -> Vec<String> {
    let is_there = |pointer: &str| starred(pointer) == finding.path;
    let place = evidence
        .places
        .iter()
        .find(|place| is_there(&place.pointer));
    let Some(place) = place else {
        return vec![decided(finding)];
    };
    let at = |file: &str, line: usize| match line {
        0 => shown(file).into_owned(),
        line => format!("{}:{line}", shown(file)),
    };
    let rule = &place.decided;
    let mut lines = vec![format!(
        "{} ({}), compares {}",
        shown(&rule.id),
        at(&rule.file, rule.line),
        rule.compare
    )];
    let tried = place.tried.iter().take(TRIED);
    lines.extend(tried.map(|tried| format!("not {}: {}", shown(&tried.id), shown(&tried.why))));
    let more = place.tried.len().saturating_sub(TRIED);
    if more > 0 {
        lines.push(format!(
            "and {more} more: evenkeel diffs --explain {}",
            finding.id
        ));
    }
    lines
}

/// A pointer with `*` for indexes, as findings have it.
fn starred(pointer: &str) -> String {
    let token = |token: &str| {
        let index = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
        if index {
            "*".to_owned()
        } else {
            token.to_owned()
        }
    };
    pointer.split('/').map(token).collect::<Vec<_>>().join("/")
}
