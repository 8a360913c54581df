//! A report as plain data, which every form of it shows: schema `evenkeel.report/1`.
//!
//! It is read from the ledger and the facts behind it, and everything foreign in it has passed the [`Veil`] before it gets
//! here. Two reports of the same recording for the same recipient are the same, bit for bit: nothing in them is of now.

pub mod books;
pub mod card;
pub mod health;
pub mod settled;
pub mod since;
pub mod summary;

mod head;

use std::path::Path;

use serde::Serialize;

use super::since::Earlier;
use super::survey::Survey;
use super::veil::Veil;
use super::{ReportError, causes};
use crate::clock::Micros;
use crate::estate::gate;
use crate::facts;
use crate::judge::Rules;
use crate::ledger::query::{Filter, Reader};
use crate::ledger::views;
use since::Now;

pub use books::Books;
pub use card::Card;
pub use head::Head;
pub use health::Health;
pub use settled::Settled;
pub use since::Since;
pub use summary::Summary;

/// Name and version of the form.
pub const SCHEMA: &str = "evenkeel.report/1";

/// Whom a report is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// Who makes the candidate: what differs, and how to see it again.
    Vendor,
    /// Who signs: the decision first.
    SignOff,
}

/// What is wanted of a report.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Whom it is for.
    pub audience: Audience,
    /// The recipient's name, which decides the pseudonyms.
    pub recipient: String,
    /// Who makes it; empty if nobody said.
    pub by: String,
    /// The group that it is about; none for all chargers.
    pub group: Option<String>,
    /// Which findings.
    pub findings: Filter,
    /// What the gate says, in reports for sign-off.
    pub gate: Option<gate::Report>,
    /// An earlier report to hold it against.
    pub since: Option<Earlier>,
}

/// A report.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// `R-` and twelve characters: the same recording, rules, recipient and question have the same.
    pub id: String,
    /// Whom it is for.
    pub audience: Audience,
    /// What was compared, by whom, and how names were hidden.
    pub head: Head,
    /// What the gate says; absent in reports for vendors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate: Option<gate::Report>,
    /// The whole in numbers and a few sentences.
    pub summary: Summary,
    /// What has changed since an earlier report; absent if none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// What differs, worst first.
    pub findings: Vec<Card>,
    /// Sessions and CDRs.
    pub books: Books,
    /// What rules explain, and what people accepted.
    pub settled: Settled,
    /// What was exercised.
    pub coverage: Exercised,
    /// What the candidate would have done to chargers, had it been let.
    pub withheld: Vec<views::Attempt>,
    /// What shadow traffic cannot prove, whatever this report says.
    pub unproven: Vec<&'static str>,
    /// Whether the instrument can be trusted.
    pub health: Health,
}

/// Every action on every model.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Exercised {
    /// Models; the empty name is for chargers that have not told theirs.
    pub models: Vec<String>,
    /// Actions, commands with `command ` before their names.
    pub actions: Vec<Action>,
    /// Messages of chargers that were judged, and those of them that were compared.
    pub messages: [u64; 2],
    /// Those that were not, by reason.
    pub not_comparable: std::collections::BTreeMap<String, u64>,
}

/// One action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Action {
    /// Its name.
    pub name: String,
    /// What came of it, in the order of the models.
    pub cells: Vec<Cell>,
}

/// What came of an action on a model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// Equal or explained.
    pub matching: u64,
    /// Divergent.
    pub divergent: u64,
    /// Not comparable.
    pub not_comparable: u64,
}

/// What a report is read from.
pub struct World<'a> {
    /// The recording.
    pub dir: &'a Path,
    /// Its facts.
    pub facts: &'a facts::Reader,
    /// Its ledger, up to date; of a report about a group, that group's part of it.
    pub ledger: &'a Reader,
    /// The ledger of all chargers.
    pub whole: &'a Reader,
    /// The rules that it was judged by.
    pub rules: &'a Rules,
    /// What a pass over all facts told.
    pub survey: &'a Survey,
    /// What hides names.
    pub veil: &'a Veil,
}

impl Report {
    /// Reads a report.
    pub fn of(world: &World<'_>, wanted: &Wanted) -> Result<Self, ReportError> {
        let mut findings = views::diffs(world.ledger, &wanted.findings)?;
        if wanted.group.is_some() {
            // What waits to be judged is counted for all chargers together only.
            findings.outcomes.pending = None;
            findings.commands.pending = None;
        }
        // What separates a group's chargers is often seen on those of others.
        causes::add(world.dir, world.whole, &mut findings.findings)?;
        if wanted.audience == Audience::SignOff {
            // Who signs must read what the group is called.
            for group in world.ledger.groups()? {
                world.veil.spare(&group.name);
            }
        }
        let matrix = world.ledger.matrix()?;
        let (open, closed): (Vec<_>, Vec<_>) = (findings.findings.iter())
            .partition(|finding| finding.counts() || finding.is_undecided());
        let mut cards = open
            .iter()
            .map(|finding| Card::of(world, &matrix, finding))
            .collect::<Result<Vec<_>, _>>()?;
        let coverage = Exercised::of(&matrix, &findings.coverage);
        let attempts = findings.would_have_changed.iter();
        let mut summary = Summary::of(world, &findings, &cards)?;
        let since = match &wanted.since {
            Some(earlier) => {
                let now = Now {
                    key: &world.veil.key_id(),
                    settled: (closed.iter())
                        .map(|finding| (finding.id.as_str(), finding.state))
                        .collect(),
                    all: world.whole.finding_ids()?,
                    coverage: &coverage,
                    summary: &summary,
                };
                Some(Since::of(earlier, &mut cards, &now))
            }
            None => None,
        };
        summary.words.extend(since.as_ref().map(Since::says));
        Ok(Self {
            schema: SCHEMA,
            id: head::id(world, wanted, &findings.digest),
            audience: wanted.audience,
            head: Head::of(world, wanted, &findings.digest)?,
            gate: wanted.gate.clone().map(|gate| veiled(gate, world.veil)),
            summary,
            since,
            books: Books::of(world)?,
            settled: Settled::of(world, &closed)?,
            coverage,
            withheld: attempts.map(|it| attempt(it, world.veil)).collect(),
            unproven: gate::UNPROVEN.to_vec(),
            health: Health::of(world, &findings)?,
            findings: cards,
        })
    }
}

impl Exercised {
    fn of(matrix: &crate::ledger::query::Matrix, coverage: &views::Coverage) -> Self {
        let models: Vec<String> = matrix.models.keys().cloned().collect();
        let actions = matrix.cells.iter().map(|(name, cells)| Action {
            name: super::printable(name),
            cells: models
                .iter()
                .map(|model| {
                    cells.get(model).map_or_else(Cell::default, |seen| Cell {
                        matching: seen.equal + seen.explained,
                        divergent: seen.divergent,
                        not_comparable: seen.not_comparable.values().sum(),
                    })
                })
                .collect(),
        });
        Self {
            actions: actions.collect(),
            models: models.iter().map(|model| super::printable(model)).collect(),
            messages: [coverage.all, coverage.comparable],
            not_comparable: coverage.not_comparable.clone(),
        }
    }
}

/// A command of the shadow's with pseudonyms in it.
fn attempt(attempt: &views::Attempt, veil: &Veil) -> views::Attempt {
    let fields = attempt.fields.split(' ').map(|field| {
        let (name, value) = field.split_once('=').unwrap_or(("", field));
        let value = veil.value(name, value);
        if name.is_empty() {
            value
        } else {
            format!("{name}={value}")
        }
    });
    views::Attempt {
        fields: fields.collect::<Vec<_>>().join(" "),
        notice: attempt.notice.as_deref().map(|it| veil.prose(it)),
        chargers: attempt
            .chargers
            .iter()
            .map(|it| veil.pseudonym(it))
            .collect(),
        first_seen: veil.prose(&attempt.first_seen),
        last_seen: veil.prose(&attempt.last_seen),
        ..attempt.clone()
    }
}

/// What the gate says, with pseudonyms for chargers. People who decide stand in it by the names that they signed with.
fn veiled(mut gate: gate::Report, veil: &Veil) -> gate::Report {
    let prose = |text: &mut String| *text = veil.prose(text);
    gate.why.iter_mut().for_each(prose);
    gate.to_go.iter_mut().for_each(prose);
    for criterion in &mut gate.criteria {
        [
            &mut criterion.seen,
            &mut criterion.why,
            &mut criterion.to_go,
        ]
        .into_iter()
        .chain(&mut criterion.blame)
        .for_each(prose);
    }
    for told in &mut gate.decisions {
        prose(&mut told.reason);
    }
    gate
}

/// A time as RFC 3339, shifted as the veil shifts.
pub(super) fn told(veil: &Veil, at: Micros) -> String {
    views::rfc3339(veil.time(at))
}
