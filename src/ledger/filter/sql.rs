//! A filter as a condition of the database. What people wrote is bound, never written into the statement.

use rusqlite::types::Value;

use super::fields::{Field, Kind};
use super::{Expr, Op, Operand, Pattern, Term};
use crate::clock::Micros;
use crate::ledger::schema::rank;

/// Where the database has a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// An expression.
    One(&'static str),
    /// A query with several rows, whose column is called `value`.
    Each(&'static str),
}

/// Where the database has the fields of a view; names are those of the statement that the condition is put into.
pub type Columns = &'static [(&'static str, Column)];

/// A condition and what is bound in it, in order; each parameter is a plain `?`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Where {
    /// What goes behind `WHERE`, in parentheses.
    pub sql: String,
    /// What is bound.
    pub params: Vec<Value>,
}

impl Where {
    /// The condition that always holds.
    pub(super) fn everything() -> Self {
        Self {
            sql: "TRUE".to_owned(),
            params: Vec::new(),
        }
    }

    /// Both.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.sql = format!("{} AND {}", self.sql, other.sql);
        self.params.extend(other.params);
        self
    }
}

/// The condition, unless it asks for what is no column.
pub(super) fn condition(
    expr: &Expr,
    fields: &'static [Field],
    now: Micros,
    columns: Columns,
) -> Option<Where> {
    let mut built = Where::default();
    write(
        expr,
        &Ask {
            fields,
            now,
            columns,
        },
        &mut built,
    )?;
    Some(built)
}

struct Ask {
    fields: &'static [Field],
    now: Micros,
    columns: Columns,
}

impl Ask {
    fn column(&self, name: &str) -> Option<Column> {
        let found = self.columns.iter().find(|(known, _)| *known == name);
        found.map(|(_, column)| *column)
    }
}

fn write(expr: &Expr, ask: &Ask, out: &mut Where) -> Option<()> {
    match expr {
        Expr::All(parts) => joined(parts.iter(), (" AND ", "TRUE"), out, |part, out| {
            write(part, ask, out)
        }),
        Expr::Any(parts) => joined(parts.iter(), (" OR ", "FALSE"), out, |part, out| {
            write(part, ask, out)
        }),
        Expr::Not(part) => {
            out.sql.push_str("(NOT ");
            write(part, ask, out)?;
            out.sql.push(')');
            Some(())
        }
        Expr::Term(term) => {
            if term.op == Op::IsNot {
                out.sql.push_str("(NOT ");
            }
            let column = ask.column(term.field.name)?;
            within(column, out, |column, out| {
                joined(term.values.iter(), (" OR ", "FALSE"), out, |value, out| {
                    compare(column, term, value, ask.now, out);
                    Some(())
                })
            })?;
            if term.op == Op::IsNot {
                out.sql.push(')');
            }
            Some(())
        }
        Expr::Word(pattern) => {
            let texts = ask.fields.iter().filter(|field| field.kind.is_text());
            joined(texts, (" OR ", "FALSE"), out, |field, out| {
                within(ask.column(field.name)?, out, |column, out| {
                    has(column, pattern, out);
                    Some(())
                })
            })
        }
    }
}

fn joined<T>(
    parts: impl Iterator<Item = T>,
    (between, of_none): (&str, &str),
    out: &mut Where,
    mut write: impl FnMut(T, &mut Where) -> Option<()>,
) -> Option<()> {
    out.sql.push('(');
    let mut any = false;
    for part in parts {
        if any {
            out.sql.push_str(between);
        }
        any = true;
        write(part, out)?;
    }
    if !any {
        out.sql.push_str(of_none);
    }
    out.sql.push(')');
    Some(())
}

/// A condition on a column that is never null: there are two answers, so that `NOT` turns one into the other.
fn within(
    column: Column,
    out: &mut Where,
    write: impl FnOnce(&str, &mut Where) -> Option<()>,
) -> Option<()> {
    let (open, name, close) = match column {
        Column::One(sql) => (format!("({sql} IS NOT NULL AND "), sql, ")"),
        Column::Each(query) => {
            let open = format!("EXISTS (SELECT 1 FROM ({query}) WHERE value IS NOT NULL AND ");
            (open, "value", ")")
        }
    };
    out.sql.push_str(&open);
    write(name, out)?;
    out.sql.push_str(close);
    Some(())
}

fn compare(column: &str, term: &Term, operand: &Operand, now: Micros, out: &mut Where) {
    match operand {
        Operand::Pattern(pattern) if term.op == Op::Has => has(column, pattern, out),
        Operand::Pattern(pattern) if pattern.exact => {
            bound(out, &format!("{column} = ?"), pattern.text.clone());
        }
        Operand::Pattern(pattern) => like(column, &translated(&pattern.text), out),
        Operand::Word(word) => bound(out, &format!("{column} = ?"), (*word).to_owned()),
        Operand::Number(number) | Operand::Span(number) => {
            stretch(column, term.op, (*number, number.saturating_add(1)), out);
        }
        Operand::Severity(severity) => {
            let worse = i64::from(rank(*severity));
            stretch(&format!("-({column})"), term.op, (-worse, 1 - worse), out);
        }
        Operand::When(when) => {
            let op = match term.field.kind {
                Kind::Since => Op::AtLeast,
                Kind::Until => Op::Below,
                _ => term.op,
            };
            stretch(column, op, when.stretch(now), out);
        }
    }
}

fn bound(out: &mut Where, sql: &str, value: impl Into<Value>) {
    out.sql.push_str(sql);
    out.params.push(value.into());
}

/// A value against a stretch: from, up to and without.
fn stretch(column: &str, op: Op, (from, to): (i64, i64), out: &mut Where) {
    match op {
        Op::Above => bound(out, &format!("{column} >= ?"), to),
        Op::AtLeast => bound(out, &format!("{column} >= ?"), from),
        Op::Below => bound(out, &format!("{column} < ?"), from),
        Op::AtMost => bound(out, &format!("{column} < ?"), to),
        Op::Is | Op::IsNot | Op::Has => {
            bound(out, &format!("({column} >= ?"), from);
            bound(out, &format!(" AND {column} < ?)"), to);
        }
    }
}

fn has(column: &str, pattern: &Pattern, out: &mut Where) {
    if pattern.exact {
        bound(
            out,
            &format!("instr({column}, ?) > 0"),
            pattern.text.clone(),
        );
    } else {
        like(column, &format!("%{}%", translated(&pattern.text)), out);
    }
}

fn like(column: &str, pattern: &str, out: &mut Where) {
    bound(
        out,
        &format!("{column} LIKE ? ESCAPE '\\'"),
        pattern.to_owned(),
    );
}

/// Wildcards as the database knows them.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        match c {
            '*' => out.push('%'),
            '?' => out.push('_'),
            '%' | '_' | '\\' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}
