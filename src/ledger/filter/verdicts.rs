//! What the gate says of groups, in filters: neither a row nor a table knows it, so it is put in terms of the groups.

use super::fields::find;
use super::matching::fits;
use super::{Expr, Filter, Op, Operand, Pattern, Term, Value};

/// The field that asks for it.
const VERDICT: &str = "verdict";

impl Filter {
    /// Whether it asks what the gate says.
    pub fn asks_for_verdicts(&self) -> bool {
        asks(&self.expr)
    }

    /// The same in terms of groups, of which `said` tells the name and what the gate says.
    #[must_use]
    pub fn with_verdicts(self, said: &[(String, String)]) -> Self {
        let Some(group) = find(self.fields, "group") else {
            return self;
        };
        let of_groups = |term: &Term| {
            let positive = Term {
                op: if term.op == Op::Has { Op::Has } else { Op::Is },
                ..term.clone()
            };
            let meant = said
                .iter()
                .filter(|(_, word)| fits(&positive, 0, &|_| Value::Text(word)));
            let names = meant.map(|(name, _)| {
                let (text, exact) = (name.clone(), true);
                Operand::Pattern(Pattern { text, exact })
            });
            let values: Vec<Operand> = names.collect();
            let moved = if values.is_empty() {
                Expr::Any(Vec::new())
            } else {
                let op = Op::Is;
                Expr::Term(Term {
                    field: group,
                    op,
                    values,
                })
            };
            match term.op {
                Op::IsNot => Expr::Not(Box::new(moved)),
                _ => moved,
            }
        };
        Self {
            expr: replaced(self.expr, &of_groups),
            fields: self.fields,
        }
    }
}

fn asks(expr: &Expr) -> bool {
    match expr {
        Expr::All(parts) | Expr::Any(parts) => parts.iter().any(asks),
        Expr::Not(part) => asks(part),
        Expr::Term(term) => term.field.name == VERDICT,
        Expr::Word(_) => false,
    }
}

fn replaced(expr: Expr, by: &dyn Fn(&Term) -> Expr) -> Expr {
    let each = |parts: Vec<Expr>| parts.into_iter().map(|part| replaced(part, by)).collect();
    match expr {
        Expr::All(parts) => Expr::All(each(parts)),
        Expr::Any(parts) => Expr::Any(each(parts)),
        Expr::Not(part) => Expr::Not(Box::new(replaced(*part, by))),
        Expr::Term(term) if term.field.name == VERDICT => by(&term),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{FINDINGS, Filter, Value};

    /// Whether a finding that is seen in one group gets through.
    fn lets(text: &str, group: &str) -> bool {
        let said = [("a", "GO"), ("b", "NO-GO"), ("c", "GO+1")];
        let said = said.map(|(name, word)| (name.to_owned(), word.to_owned()));
        let filter = Filter::parse(text, &FINDINGS).unwrap();
        assert!(filter.asks_for_verdicts());
        let filter = filter.with_verdicts(&said);
        assert!(!filter.asks_for_verdicts());
        filter.matches(0, &|field| match field {
            "group" => Value::Text(group),
            _ => Value::Nothing,
        })
    }

    #[test]
    fn a_verdict_is_that_of_the_groups() {
        let through = |text: &str| -> Vec<&str> {
            ["a", "b", "c", "d"]
                .into_iter()
                .filter(|group| lets(text, group))
                .collect()
        };
        assert_eq!(through("verdict:GO"), ["a"]);
        assert_eq!(through("verdict:GO*"), ["a", "c"]);
        assert_eq!(through("verdict:NO-GO,GO"), ["a", "b"]);
        assert_eq!(through("verdict!=GO"), ["b", "c", "d"]);
        assert_eq!(through("not verdict:GO or group:a"), ["a", "b", "c", "d"]);
        assert!(through("verdict:HOLD").is_empty());
    }
}
