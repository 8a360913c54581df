//! What a trace is made of: the ledger's rows of one charger, the texts near what is selected, and what else happened.

use super::{Data, Detail, Question, Scope};
use crate::facts::{Fact, Kind, Reader};
use crate::ledger::query::{self, Item};
use crate::ledger::row::{Session, Subject};
use crate::ledger::sessions::View;
use crate::ledger::views::rfc3339;
use crate::ocpp::Envelope;
use crate::report::comparison::{Row, Section};
use crate::report::evidence::gist;
use crate::report::ladder::read::texts;
use crate::report::{Comparison, Evidence, printable};
use crate::watch::books::{Books, BooksError};
use crate::watch::ladder::{Event, Story, mark};
use crate::watch::text::count_of;

/// Items before and after the fact that a trace is around.
const AROUND: (usize, usize) = (60, 140);

/// Items before the first of a session, and after it: a night of samples every minute.
const SESSION: (usize, usize) = (4, 1_200);

/// Items that are shown after the end of a session.
const AFTERMATH: usize = 3;

/// Texts are read of so many items before and after the selected one.
const NEAR: usize = 60;

/// Events that are looked through at most for those of one charger.
const EVENTS: usize = 2_000;

/// What does not depend on what is selected.
pub struct Base {
    charger: String,
    session: Option<View>,
    items: Vec<Item>,
    events: Vec<Event>,
    /// The item to begin with.
    home: Option<u64>,
}

/// Reads what the screen shows.
pub fn read(books: &Books, question: &Question) -> Result<Data, BooksError> {
    let base = books.shelf().trace(books, &question.scope)?;
    let chosen = question.chosen.or(base.home);
    let begins = base.items.first().map(|item| item.at);
    let at = base
        .items
        .partition_point(|item| item.id < chosen.unwrap_or_default());
    let near = at.saturating_sub(NEAR)..(at + NEAR).min(base.items.len());
    let (said, fates) = texts(books.facts(), &base.items[near], gist)?;
    let selected = base.items.get(at).filter(|item| Some(item.id) == chosen);
    Ok(Data {
        charger: base.charger.clone(),
        session: base.session.clone(),
        story: Story {
            items: base.items.clone(),
            said,
            fates,
            events: base.events.clone(),
        },
        origin: begins.unwrap_or_default(),
        chosen,
        detail: match selected {
            Some(item) => Some(detail(books, item)?),
            None => None,
        },
    })
}

impl Base {
    /// Looks for it in the recording.
    pub fn read(books: &Books, scope: &Scope) -> Result<Self, BooksError> {
        let ledger = books.ledger()?;
        let resolved = match scope {
            Scope::Sighting(finding, number) => ledger.exemplar(finding, *number)?,
            _ => None,
        };
        let resolved = resolved.map(|(subject, id)| Scope::Item(subject, id));
        let scope = resolved.as_ref().unwrap_or(scope);
        let session = match scope {
            Scope::Session(id) | Scope::Item(Subject::Session, id) => ledger.session(*id)?,
            _ => None,
        };
        let charger = match (scope, &session) {
            (_, Some(session)) => session.charger.clone(),
            (Scope::Charger(charger, _), None) => charger.clone(),
            (Scope::Item(subject, id), None) => {
                ledger.charger_of(*subject, *id)?.unwrap_or_default()
            }
            // A sighting that the ledger no longer knows: it is being judged again.
            (Scope::Session(_) | Scope::Sighting(..), None) => String::new(),
        };
        let (around, most) = match scope {
            Scope::Session(id) | Scope::Item(Subject::Session, id) => (*id, SESSION),
            Scope::Item(_, id) => (*id, AROUND),
            Scope::Charger(_, fact) => (*fact, AROUND),
            Scope::Sighting(..) => (0, AROUND),
        };
        let mut items = if charger.is_empty() {
            Vec::new()
        } else {
            ledger.around(&charger, around, most)?
        };
        if let Some(session) = &session
            && let Some(end) = end_of(books.facts(), session, &items)?
        {
            items.truncate(end + 1 + AFTERMATH);
        }
        let whole = items.iter().filter(|item| item.id >= around).count() < most.1;
        let mut events = events(books.facts(), &charger, &items, whole && session.is_none())?;
        events.extend(session.iter().flat_map(records));
        events.sort_by_key(|event| event.seq);
        Ok(Self {
            home: home(scope, &items),
            charger,
            session: session.map(View::from),
            items,
            events,
        })
    }
}

/// What is selected at first: what the trace is around, or of a session what differs first.
fn home(scope: &Scope, items: &[Item]) -> Option<u64> {
    let first = items.first().map(|item| item.id);
    let id = match scope {
        Scope::Session(id) | Scope::Item(Subject::Session, id) => {
            let of_session = || items.iter().filter(|item| item.id >= *id);
            let differs = of_session().find(|item| mark(item) == crate::ledger::Mark::Divergent);
            return differs
                .or_else(|| of_session().next())
                .map(|item| item.id)
                .or(first);
        }
        Scope::Item(_, id) => *id,
        Scope::Charger(_, fact) => *fact,
        Scope::Sighting(..) => return first,
    };
    // The shadow's twin of a command, or an answer, is not what its item is called.
    let holds = |item: &&Item| item.id == id || item.facts.contains(&id) || item.sent == id;
    let exact = items.iter().find(holds);
    let before = || items.iter().rfind(|item| item.id <= id);
    exact.or_else(before).map(|item| item.id).or(first)
}

/// The place of the message that ended a session; none if it has not ended, or not within what was read.
fn end_of(facts: &Reader, session: &Session, items: &[Item]) -> Result<Option<usize>, BooksError> {
    let names = match session.authority.as_ref() {
        "candidate" => &session.candidate_names,
        _ => &session.legacy_names,
    };
    for (place, item) in items.iter().enumerate() {
        let may = matches!(item.action.as_str(), "StopTransaction" | "TransactionEvent");
        if !may || item.id < session.id {
            continue;
        }
        let text = facts.by_seq(item.id)?;
        if text
            .as_ref()
            .and_then(Fact::text)
            .is_some_and(|text| ends(text, names))
        {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// Whether a CALL ends a transaction of one of these names. In 2.x the charger has named it, and so have both backends.
fn ends(text: &str, names: &[String]) -> bool {
    use crate::judge::rules::literal;
    use crate::judge::tree::Node;
    let Ok(envelope) = Envelope::parse(text) else {
        return false;
    };
    let Ok(node) = Node::parse(envelope.payload) else {
        return false;
    };
    let id = node.at("/transactionId").or_else(|| {
        let ended = node.at("/eventType").and_then(Node::text) == Some("Ended");
        node.at("/transactionInfo/transactionId").filter(|_| ended)
    });
    id.is_some_and(|id| names.contains(&literal(id)))
}

/// What happened to the charger besides messages, within the ladder; behind it too if that is where the charger's story ends.
fn events(
    facts: &Reader,
    charger: &str,
    items: &[Item],
    to_the_end: bool,
) -> Result<Vec<Event>, BooksError> {
    let (Some(first), Some(last)) = (items.first(), items.last()) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for kind in [Kind::Gap, Kind::ConnOpened, Kind::ConnClosed] {
        let until = if to_the_end {
            u64::MAX
        } else {
            last.facts.into_iter().fold(last.id, u64::max)
        };
        let page = facts.of_kind(kind, first.id.saturating_sub(1), EVENTS)?;
        let here = page
            .into_iter()
            .filter(|fact| fact.seq <= until && *fact.charger == *charger);
        found.extend(here.map(|fact| event(&fact)));
    }
    Ok(found)
}

fn event(fact: &Fact) -> Event {
    let note = fact.note_json();
    let word = |key: &str| note[key].as_str().map(printable).unwrap_or_default();
    let says = match fact.kind {
        Kind::Gap => format!(
            "gap: {} not recorded ({})",
            count_of(fact.frames, "frame"),
            word("why")
        ),
        Kind::ConnOpened => "the charger connected".to_owned(),
        _ => match word("by").as_str() {
            "" => "the connection ended".to_owned(),
            by => format!("the connection ended, by the {by}"),
        },
    };
    Event {
        seq: fact.seq,
        at: fact.at,
        says,
        loss: fact.kind == Kind::Gap,
    }
}

/// The records that both backends keep of a session.
fn records(session: &Session) -> Vec<Event> {
    let mut found = Vec::new();
    for (who, book) in [
        ("legacy", &session.legacy),
        ("candidate", &session.candidate),
    ] {
        let Some(book) = book else { continue };
        let energy = book.energy_wh.as_deref().unwrap_or("no energy");
        let cost = match (&book.incl_vat, &book.excl_vat) {
            (Some(cost), _) | (None, Some(cost)) => {
                format!(", {cost} {}", book.currency.as_deref().unwrap_or_default())
            }
            (None, None) => String::new(),
        };
        found.extend(book.facts.first().map(|seq| Event {
            seq: *seq,
            at: book.end.or(book.start).unwrap_or(session.at),
            says: format!("{who} {}: {energy} Wh{cost}", book.source),
            loss: false,
        }));
    }
    found
}

/// One item with all that there is to know of it.
pub(in crate::watch) fn detail(books: &Books, item: &Item) -> Result<Detail, BooksError> {
    let ledger = books.ledger()?;
    let judged = match item.subject {
        Subject::Exchange | Subject::Command => ledger.judged(item.id)?,
        Subject::Handshake | Subject::Session => None,
    };
    let (comparison, answers) = match judged {
        Some(judged) => {
            let evidence = Evidence::of(books.facts(), &*books.shelf().rules(books)?, judged)?;
            (Comparison::of(&evidence), sources(&evidence))
        }
        None => (handshake(item), String::new()),
    };
    let mut findings = Vec::new();
    for id in &item.findings {
        findings.extend(
            ledger
                .finding(id)?
                .map(|finding: query::Finding| (finding.severity, finding.id, finding.title)),
        );
    }
    Ok(Detail {
        id: item.id,
        outcome: item.outcome.clone(),
        comparison,
        findings,
        answers,
    })
}

/// Where the answers came from.
fn sources(evidence: &Evidence) -> String {
    let real = evidence.sides().into_iter().flatten().count();
    let synthetic = usize::from(evidence.fate.stand_in.is_some());
    format!("{real} real, {synthetic} synthetic")
}

/// A handshake has no texts: what happened is one row.
fn handshake(item: &Item) -> Comparison {
    let shadow_is_candidate = item.authority != "candidate";
    let row = |theirs: String| {
        let ours = "accepted".to_owned();
        let (legacy, candidate) = if shadow_is_candidate {
            (ours, theirs)
        } else {
            (theirs, ours)
        };
        Row {
            mark: mark(item),
            path: "(handshake)".to_owned(),
            wire: None,
            legacy: Some(legacy),
            candidate: Some(candidate),
            why: item.reason.clone(),
        }
    };
    Comparison {
        title: format!("handshake seq {}", item.id),
        sections: vec![Section {
            title: "handshake".to_owned(),
            note: format!("at {}", rfc3339(item.at)),
            rows: vec![row(printable(&item.detail))],
            ..Section::default()
        }],
        raw: Vec::new(),
    }
}
