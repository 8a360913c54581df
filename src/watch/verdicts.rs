//! What the gate says of each group, for every screen: weighed again when more was judged, but seldom while much is.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::books::{Books, BooksError};
use super::sieve::Sieve;
use crate::clock::Micros;
use crate::estate::gate::{Outcome, Report, Verdict};
use crate::estate::switches::Switch;
use crate::ledger::row::EVERYBODY;
use crate::report::verdict::Criteria;

/// Time between two looks at a group's evidence while more and more is judged.
const SELDOM: Duration = Duration::from_secs(5);

/// Evidence grows old even when nothing is judged.
const OLD: Duration = Duration::from_mins(1);

/// What stands for the one group of a recording without groups.
pub const ALL: &str = "all chargers";

/// What the gate says of one group.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// The group, as the ledger names it.
    pub group: String,
    /// What is said.
    pub report: Arc<Report>,
    /// Since when none of its chargers has been connected, µs; none if it is not silent.
    pub silent: Option<Micros>,
    /// Its last switch, if it ever was moved.
    pub switch: Option<Switch>,
}

/// The word that stands in a verdict's place when nothing is known of now.
pub const STALE: &str = "STALE";

impl Said {
    /// The group as people call it.
    pub fn name(&self) -> &str {
        match self.group.as_str() {
            EVERYBODY => ALL,
            name => name,
        }
    }

    /// The verdict in a word. What was said of a group that is silent now holds no longer.
    pub fn word(&self) -> &str {
        match self.silent {
            Some(_) => STALE,
            None => &self.report.says,
        }
    }

    /// That its chargers are silent, in words; none if they are not.
    pub fn silence(&self) -> Option<String> {
        self.silent?;
        Some(match self.report.evidence.chargers {
            1 => "its charger is silent".to_owned(),
            chargers => format!("all {chargers} chargers are silent"),
        })
    }

    /// Greater is worse.
    pub fn rank(&self) -> (Verdict, u64, u64) {
        let failed = self.report.counts.get(&Outcome::Failed);
        match self.silent {
            Some(_) => (Verdict::Hold, u64::MAX, 0),
            None => (
                self.report.verdict,
                failed.copied().unwrap_or_default(),
                self.report.exceptions,
            ),
        }
    }
}

/// The criteria, and what was weighed by them.
#[derive(Default)]
pub struct Verdicts {
    named: Option<Arc<Criteria>>,
    recorded: RefCell<Option<(u64, Arc<Criteria>)>>,
    kept: RefCell<BTreeMap<String, Kept>>,
    owed: Cell<bool>,
}

struct Kept {
    judged: u64,
    weighed: Instant,
    report: Arc<Report>,
}

impl Verdicts {
    /// By these criteria, whatever was recorded.
    pub fn by(criteria: Arc<Criteria>) -> Self {
        Self {
            named: Some(criteria),
            ..Self::default()
        }
    }

    /// By the same criteria, with nothing weighed yet.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self {
            named: self.named.clone(),
            ..Self::default()
        }
    }

    /// Whether what was said last should be weighed again, although nothing more may have been written.
    pub fn are_due(&self) -> bool {
        let pause = if self.owed.get() { SELDOM } else { OLD };
        let kept = self.kept.borrow();
        kept.values().any(|kept| kept.weighed.elapsed() >= pause)
    }

    /// Whether there are criteria, understood or not.
    pub fn have_criteria(&self, books: &Books) -> Result<bool, BooksError> {
        Ok(self.named.is_some() || books.ledger()?.gate_file()?.is_some())
    }

    /// What is said of each group that has chargers, the worst first; none without criteria.
    pub fn of_groups(&self, books: &Books) -> Result<Option<Vec<Said>>, BooksError> {
        let Some(criteria) = self.criteria(books)? else {
            return Ok(None);
        };
        let judged = books.ledger()?.cursor()?.seq;
        let last = books.last()?;
        let switches = books.shelf().switches(books)?;
        self.owed.set(false);
        let mut said = Vec::new();
        for (group, chargers) in books.ledger()?.members()? {
            said.push(Said {
                report: self.report(books, &criteria, (&group, judged))?,
                switch: switches.iter().rev().find_map(|it| it.of(&chargers)),
                silent: books.connections()?.silent_since(&chargers, last),
                group,
            });
        }
        let named: Vec<&str> = said.iter().map(|said| said.group.as_str()).collect();
        let mut kept = self.kept.borrow_mut();
        kept.retain(|group, _| named.contains(&group.as_str()));
        said.sort_by_key(|said| Reverse(said.rank()));
        Ok(Some(said))
    }

    /// A filter with what it asks of verdicts put in terms of groups.
    pub fn meant(&self, books: &Books, sieve: &Sieve) -> Result<Sieve, BooksError> {
        let Some(filter) = sieve.filter().filter(|it| it.asks_for_verdicts()) else {
            return Ok(sieve.clone());
        };
        let said = self.of_groups(books)?.unwrap_or_default();
        let words = said
            .iter()
            .map(|it| (it.group.clone(), it.word().to_owned()));
        let words: Vec<(String, String)> = words.collect();
        Ok(sieve.meaning(filter.clone().with_verdicts(&words)))
    }

    fn report(
        &self,
        books: &Books,
        criteria: &Criteria,
        (group, judged): (&str, u64),
    ) -> Result<Arc<Report>, BooksError> {
        if let Some(kept) = self.kept.borrow().get(group) {
            let age = kept.weighed.elapsed();
            if age < SELDOM || (kept.judged == judged && age < OLD) {
                self.owed.set(self.owed.get() || kept.judged != judged);
                return Ok(Arc::clone(&kept.report));
            }
        }
        let look = (Some(group), books.now(), false);
        let switches = books.shelf().switches(books)?;
        let report = Arc::new(criteria.weigh((books.ledger()?, &switches), look)?);
        let kept = Kept {
            judged,
            weighed: Instant::now(),
            report: Arc::clone(&report),
        };
        self.kept.borrow_mut().insert(group.to_owned(), kept);
        Ok(report)
    }

    /// The criteria that were named, else those that were recorded last.
    fn criteria(&self, books: &Books) -> Result<Option<Arc<Criteria>>, BooksError> {
        if let Some(named) = &self.named {
            return Ok(Some(Arc::clone(named)));
        }
        let Some(file) = books.ledger()?.gate_file()? else {
            return Ok(None);
        };
        if let Some((id, criteria)) = &*self.recorded.borrow()
            && *id == file.id
        {
            return Ok(Some(Arc::clone(criteria)));
        }
        let read = Criteria::parse(&file.text)
            .map_err(|mistake| BooksError::Gate(file.file.clone(), mistake.what))?;
        let read = Arc::new(read);
        self.kept.borrow_mut().clear();
        *self.recorded.borrow_mut() = Some((file.id, Arc::clone(&read)));
        Ok(Some(read))
    }
}
