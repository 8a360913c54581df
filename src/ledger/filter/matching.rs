//! A filter asked of a row.

use super::fields::{Field, Kind};
use super::values::is_same;
use super::{Expr, Op, Operand, Pattern, Term};
use crate::clock::Micros;
use crate::ocpp::Severity;

/// What a row has in a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value<'a> {
    /// Nothing: only what asks for something else holds.
    Nothing,
    /// Text.
    Text(&'a str),
    /// Several texts, of which one is enough.
    Texts(&'a [String]),
    /// The same, put together for the question.
    Several(Vec<&'a str>),
    /// A number, or a length of time in µs.
    Number(i64),
    /// A severity.
    Severity(Severity),
    /// An instant, µs.
    At(Micros),
}

type Row<'r, 'a> = &'r dyn Fn(&'static str) -> Value<'a>;

/// Whether an expression holds for a row.
pub(super) fn holds(expr: &Expr, fields: &'static [Field], now: Micros, row: Row<'_, '_>) -> bool {
    match expr {
        Expr::All(parts) => parts.iter().all(|part| holds(part, fields, now, row)),
        Expr::Any(parts) => parts.iter().any(|part| holds(part, fields, now, row)),
        Expr::Not(part) => !holds(part, fields, now, row),
        Expr::Term(term) => fits(term, now, row),
        Expr::Word(pattern) => fields
            .iter()
            .filter(|field| field.kind.is_text())
            .any(|field| any_text(&row(field.name), |text| pattern.is_in(text))),
    }
}

pub(super) fn fits(term: &Term, now: Micros, row: Row<'_, '_>) -> bool {
    let value = row(term.field.name);
    let any = |op| {
        term.values
            .iter()
            .any(|operand| compares(&value, term.field.kind, op, operand, now))
    };
    match term.op {
        Op::IsNot => !any(Op::Is),
        op => any(op),
    }
}

fn compares(value: &Value<'_>, kind: Kind, op: Op, operand: &Operand, now: Micros) -> bool {
    match (operand, value) {
        (Operand::Pattern(pattern), value) => any_text(value, |text| {
            if op == Op::Has {
                pattern.is_in(text)
            } else {
                pattern.is(text)
            }
        }),
        (Operand::Word(word), value) => any_text(value, |text| is_same(text, word)),
        (Operand::Number(wanted) | Operand::Span(wanted), Value::Number(number)) => {
            is_within(op, *number, (*wanted, wanted.saturating_add(1)))
        }
        // Worse severities come first, and are greater.
        (Operand::Severity(wanted), Value::Severity(severity)) => {
            let wanted = -(*wanted as i64);
            is_within(op, -(*severity as i64), (wanted, wanted + 1))
        }
        (Operand::When(when), Value::At(at)) => {
            let op = match kind {
                Kind::Since => Op::AtLeast,
                Kind::Until => Op::Below,
                _ => op,
            };
            is_within(op, *at, when.stretch(now))
        }
        _ => false,
    }
}

/// A value against a stretch: from, up to and without.
fn is_within(op: Op, value: i64, (from, to): (i64, i64)) -> bool {
    match op {
        Op::Above => value >= to,
        Op::AtLeast => value >= from,
        Op::Below => value < from,
        Op::AtMost => value < to,
        Op::Is | Op::IsNot | Op::Has => (from..to).contains(&value),
    }
}

fn any_text(value: &Value<'_>, is: impl Fn(&str) -> bool) -> bool {
    match value {
        Value::Text(text) => is(text),
        Value::Texts(texts) => texts.iter().any(|text| is(text)),
        Value::Several(texts) => texts.iter().any(|text| is(text)),
        _ => false,
    }
}

impl Pattern {
    fn is(&self, text: &str) -> bool {
        if self.exact {
            self.text == text
        } else {
            is_like(self.text.as_bytes(), text.as_bytes())
        }
    }

    fn is_in(&self, text: &str) -> bool {
        if self.exact {
            return text.contains(&self.text);
        }
        // Beginning at each character; what follows the pattern does not matter.
        let mut places = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        places.any(|at| begins_like(self.text.as_bytes(), &text.as_bytes()[at..]))
    }
}

/// Whether the whole text is like the pattern.
fn is_like(pattern: &[u8], text: &[u8]) -> bool {
    like(pattern, text, false)
}

/// Whether the text begins with something like the pattern.
fn begins_like(pattern: &[u8], text: &[u8]) -> bool {
    like(pattern, text, true)
}

/// `*` is any text, `?` any character, letters in either case. Goes back to the last `*` only, so that no pattern takes
/// long.
fn like(pattern: &[u8], text: &[u8], open_end: bool) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    loop {
        match pattern.get(p) {
            None if open_end || t == text.len() => return true,
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
                continue;
            }
            Some(b'?') if t < text.len() => {
                p += 1;
                t += char_long(text[t]);
                continue;
            }
            Some(letter)
                if text
                    .get(t)
                    .is_some_and(|byte| byte.eq_ignore_ascii_case(letter)) =>
            {
                p += 1;
                t += 1;
                continue;
            }
            _ => {}
        }
        match star {
            Some((at, from)) if from < text.len() => {
                star = Some((at, from + char_long(text[from])));
                p = at + 1;
                t = from + char_long(text[from]);
            }
            _ => return false,
        }
    }
}

/// How many bytes the character has that begins with this one.
const fn char_long(byte: u8) -> usize {
    match byte {
        0xC0..=0xDF => 2,
        0xE0..=0xEF => 3,
        0xF0..=0xFF => 4,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_like_globs() {
        for (pattern, text, whole, part) in [
            ("b-22", "B-22", true, true),
            ("b-22", "B-221", false, true),
            ("b*1", "B-221", true, true),
            ("b?22*", "B-22", true, true),
            ("*", "", true, true),
            ("?", "", false, false),
            ("?", "é", true, true),
            ("a*b*c", "a-b-b-c", true, true),
            ("a*b*d", "a-b-b-c", false, false),
            ("22", "B-22", false, true),
            ("é", "É", false, false),
        ] {
            let pattern = Pattern {
                text: pattern.to_owned(),
                exact: false,
            };
            assert_eq!(
                (pattern.is(text), pattern.is_in(text)),
                (whole, part),
                "{pattern:?} {text}"
            );
        }
        let exact = Pattern {
            text: "B*".to_owned(),
            exact: true,
        };
        assert!(!exact.is("B-22") && exact.is("B*") && exact.is_in("a B*") && !exact.is("b*"));
    }
}
