//! The filter language that every view shares: `severity>=S2 model:"C-1" since:2h not state:accepted`.
//!
//! Terms stand side by side (all must hold), or with `or` between them; `not` or `!` turns a term around, parentheses
//! group. A term is `field:value`, or a bare word that is looked for in every field of text. The fields of a view are a
//! table ([`Field`]); help, completion and complaints come from it. What a filter says can be asked of a row
//! ([`Filter::matches`]) or of the database ([`Filter::to_sql`]), with the same result.
//!
//! Instants that are relative (`since:2h`, `since:02:14`) count from the recording's last fact, never from the clock on the
//! wall: a filter finds the same in a recording whenever it is asked.

mod complete;
mod fields;
mod matching;
mod parse;
mod rows;
mod show;
mod sql;
mod tables;
mod values;
mod verdicts;

use std::fmt::Write as _;

use crate::clock::Micros;
use crate::ocpp::Severity;

pub use complete::{Completion, complete, complete_from};
pub use fields::{Field, Kind, help, nearest};
pub use matching::Value;
pub use rows::{Home, divergence, exchange, finding, session};
pub use show::quoted;
pub use sql::{Column, Columns, Where};
pub use tables::{
    CHARGERS, DIVERGENCE_COLUMNS, DIVERGENCES, EXCHANGE_COLUMNS, EXCHANGES, FINDING_COLUMNS,
    FINDINGS, SESSION_COLUMNS, SESSIONS,
};

/// How long a filter's text may be, bytes: what it costs the database is bounded with it.
pub const LONGEST: usize = 1024;

/// A filter that has been understood. The default one lets everything through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    expr: Expr,
    fields: &'static [Field],
}

/// Why a text is no filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FilterError {
    /// Where the trouble begins, in bytes of the text.
    pub at: usize,
    /// How long it is, in bytes; 0 at a place where something is missing.
    pub len: usize,
    /// What is wrong, as a sentence fragment.
    pub message: String,
    /// What would be right.
    pub hint: String,
}

/// What must hold.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Expr {
    /// Each of these; of none, everything holds.
    All(Vec<Expr>),
    /// At least one of these.
    Any(Vec<Expr>),
    /// This must not.
    Not(Box<Expr>),
    /// A field has a value.
    Term(Term),
    /// Some field of text holds this.
    Word(Pattern),
}

/// `field:value` and its kin; of several values one is enough.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Term {
    field: &'static Field,
    op: Op,
    values: Vec<Operand>,
}

/// How a field is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    /// `:` or `=`.
    Is,
    /// `!=`.
    IsNot,
    /// `>`; of severities: worse.
    Above,
    /// `>=`; of severities: at least as bad.
    AtLeast,
    /// `<`.
    Below,
    /// `<=`.
    AtMost,
    /// `~`: a part of the text.
    Has,
}

/// What a field is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Operand {
    /// Text.
    Pattern(Pattern),
    /// One of the words that the field knows.
    Word(&'static str),
    /// A number.
    Number(i64),
    /// A length of time, µs.
    Span(Micros),
    /// A severity.
    Severity(Severity),
    /// A stretch of time.
    When(When),
}

/// Text to compare with: as it is written in quotes; without them in either case, with `*` for any text and `?` for any
/// character.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    text: String,
    exact: bool,
}

/// An instant as people write it: as long as the unit that they wrote last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// So long before the recording's last fact, µs.
    Ago(Micros),
    /// The last time that a clock showed this, up to the recording's last fact: µs of the day (UTC), and how long.
    Clock(Micros, Micros),
    /// A stretch of the calendar: its beginning, µs, and how long.
    Calendar(Micros, Micros),
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            expr: Expr::All(Vec::new()),
            fields: &[],
        }
    }
}

impl Filter {
    /// Understands `text` by the fields of a view.
    pub fn parse(text: &str, fields: &'static [Field]) -> Result<Self, FilterError> {
        let expr = parse::parse(text, fields)?;
        Ok(Self { expr, fields })
    }

    /// Whether everything gets through.
    pub fn is_everything(&self) -> bool {
        self.expr == Expr::All(Vec::new())
    }

    /// Both: this one and `other`, which is about the same fields.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let fields = if self.fields.is_empty() {
            other.fields
        } else {
            self.fields
        };
        Self {
            expr: Expr::all(vec![self.expr, other.expr]),
            fields,
        }
    }

    /// Whether a row gets through. `row` tells the values of its fields by their names in the table, `now` is when the
    /// recording's last fact was.
    pub fn matches<'a>(&self, now: Micros, row: &dyn Fn(&'static str) -> Value<'a>) -> bool {
        matching::holds(&self.expr, self.fields, now, row)
    }

    /// The same as a condition of the database, if each field that it asks for is among the `columns`.
    pub fn to_sql(&self, now: Micros, columns: Columns) -> Option<Where> {
        sql::condition(&self.expr, self.fields, now, columns)
    }

    /// What of this filter `columns` can say, as a condition of the database: never lets through less than this filter does.
    /// Terms that all must hold are told apart, nothing else is.
    pub fn narrowing(&self, now: Micros, columns: Columns) -> Where {
        let parts = match &self.expr {
            Expr::All(parts) => parts.as_slice(),
            part => std::slice::from_ref(part),
        };
        let said = |part| sql::condition(part, self.fields, now, columns);
        parts
            .iter()
            .filter_map(said)
            .fold(Where::everything(), Where::and)
    }
}

impl Expr {
    fn all(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::All(parts) => flat.extend(parts),
                part => flat.push(part),
            }
        }
        match flat.len() {
            1 => flat.remove(0),
            _ => Self::All(flat),
        }
    }

    fn any(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Any(parts) => flat.extend(parts),
                part => flat.push(part),
            }
        }
        match flat.len() {
            1 => flat.remove(0),
            _ => Self::Any(flat),
        }
    }
}

impl FilterError {
    /// The text with a caret under the place, and what would be right: for a terminal.
    pub fn caret(&self, text: &str) -> String {
        let before = text.get(..self.at).unwrap_or(text).chars().count();
        let place = text.get(self.at..self.at + self.len).unwrap_or_default();
        let mut out = format!(
            "{text}\n{}{}",
            " ".repeat(before),
            "^".repeat(place.chars().count().max(1))
        );
        let _ = write!(out, " {}", self.hint);
        out
    }
}

impl When {
    /// The stretch: from, up to and without.
    fn stretch(self, now: Micros) -> (Micros, Micros) {
        match self {
            Self::Ago(span) => {
                let at = now.saturating_sub(span);
                (at, at.saturating_add(1))
            }
            Self::Clock(clock, long) => {
                let today = now.div_euclid(values::DAY) * values::DAY + clock;
                let from = if today > now {
                    today - values::DAY
                } else {
                    today
                };
                (from, from + long)
            }
            Self::Calendar(from, long) => (from, from + long),
        }
    }
}
