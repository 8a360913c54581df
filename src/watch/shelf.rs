//! What the source thread keeps between two questions, as long as nothing was written: a key that moves a cursor must not
//! read a night again.

use std::cell::RefCell;
use std::sync::Arc;

use super::books::{Books, BooksError};
use super::trace;
use crate::estate::switches::Switch;
use crate::facts::Kind;
use crate::facts::authority::Journal;
use crate::judge::Rules;
use crate::ledger::filter::Where;
use crate::ledger::query::{Filter, Finding};
use crate::ledger::sessions::{Totals, totals};
use crate::ledger::views::{self, Cause};
use crate::report::{causes, rules, verdict};

/// Findings that are read at most, worst first: what people can look through.
pub const FINDINGS: usize = 5_000;

/// States of the recording that something was read at.
type Seen = (i64, i64);

/// The things that are kept.
#[derive(Default)]
pub struct Shelf {
    rules: RefCell<Option<(u64, Arc<Rules>)>>,
    journal: RefCell<Option<(u64, Arc<Journal>)>>,
    switches: RefCell<Option<(u64, Arc<Vec<Switch>>)>>,
    findings: RefCell<Option<(Seen, Arc<Vec<Finding>>)>>,
    cause: RefCell<Option<(Seen, String, Option<Cause>)>>,
    trace: RefCell<Option<(Seen, trace::Scope, Arc<trace::Base>)>>,
    totals: RefCell<Option<(Seen, Where, Arc<Totals>)>>,
}

impl Shelf {
    /// The rules that the recording is judged by. They are read again only when others were loaded.
    pub fn rules(&self, books: &Books) -> Result<Arc<Rules>, BooksError> {
        let newest = books.facts().newest(Kind::RulesLoaded, u64::MAX, 1)?;
        let last = newest.first().map_or(0, |fact| fact.seq);
        if let Some((of, rules)) = &*self.rules.borrow()
            && *of == last
        {
            return Ok(Arc::clone(rules));
        }
        let read = Arc::new(rules::of_recording(books.facts())?);
        *self.rules.borrow_mut() = Some((last, Arc::clone(&read)));
        Ok(read)
    }

    /// Where switches have brought chargers. They are read again only when there was another step.
    pub fn journal(&self, books: &Books) -> Result<Arc<Journal>, BooksError> {
        let newest = books.facts().newest(Kind::AuthorityChanged, u64::MAX, 1)?;
        let last = newest.first().map_or(0, |fact| fact.seq);
        if let Some((of, journal)) = &*self.journal.borrow()
            && *of == last
        {
            return Ok(Arc::clone(journal));
        }
        let read = Arc::new(Journal::read(books.facts())?);
        *self.journal.borrow_mut() = Some((last, Arc::clone(&read)));
        Ok(read)
    }

    /// How each switch went, oldest first. They are read again only when there was another step.
    pub fn switches(&self, books: &Books) -> Result<Arc<Vec<Switch>>, BooksError> {
        let newest = books.facts().newest(Kind::AuthorityChanged, u64::MAX, 1)?;
        let last = newest.first().map_or(0, |fact| fact.seq);
        if let Some((of, switches)) = &*self.switches.borrow()
            && *of == last
        {
            return Ok(Arc::clone(switches));
        }
        let read = Arc::new(verdict::switches(books.facts())?);
        *self.switches.borrow_mut() = Some((last, Arc::clone(&read)));
        Ok(read)
    }

    /// Every finding, worst and most frequent first.
    pub fn findings(&self, books: &Books) -> Result<Arc<Vec<Finding>>, BooksError> {
        if let Some((seen, findings)) = &*self.findings.borrow()
            && *seen == books.seen()
        {
            return Ok(Arc::clone(findings));
        }
        let mut read = books.ledger()?.findings(&Filter::default())?;
        read.truncate(FINDINGS);
        let read = Arc::new(read);
        *self.findings.borrow_mut() = Some((books.seen(), Arc::clone(&read)));
        Ok(read)
    }

    /// What most likely brings a finding about, where that can be said.
    pub fn cause(&self, books: &Books, finding: &Finding) -> Result<Option<Cause>, BooksError> {
        if let Some((seen, id, cause)) = &*self.cause.borrow()
            && *seen == books.seen()
            && *id == finding.id
        {
            return Ok(cause.clone());
        }
        let mut found = [views::Finding::from(finding.clone())];
        causes::add(books.dir(), books.ledger()?, &mut found)?;
        let [found] = found;
        let kept = (books.seen(), finding.id.clone(), found.cause.clone());
        *self.cause.borrow_mut() = Some(kept);
        Ok(found.cause)
    }

    /// What a trace is made of, whatever is selected in it.
    pub fn trace(
        &self,
        books: &Books,
        scope: &trace::Scope,
    ) -> Result<Arc<trace::Base>, BooksError> {
        if let Some((seen, of, base)) = &*self.trace.borrow()
            && *seen == books.seen()
            && of == scope
        {
            return Ok(Arc::clone(base));
        }
        let read = Arc::new(trace::Base::read(books, scope)?);
        let kept = (books.seen(), scope.clone(), Arc::clone(&read));
        *self.trace.borrow_mut() = Some(kept);
        Ok(read)
    }

    /// What the books of sessions come to that fit a condition.
    pub fn totals(&self, books: &Books, condition: &Where) -> Result<Arc<Totals>, BooksError> {
        if let Some((seen, of, totals)) = &*self.totals.borrow()
            && *seen == books.seen()
            && of == condition
        {
            return Ok(Arc::clone(totals));
        }
        let read = Arc::new(totals(books.ledger()?, condition)?);
        let kept = (books.seen(), condition.clone(), Arc::clone(&read));
        *self.totals.borrow_mut() = Some(kept);
        Ok(read)
    }
}
