//! Text to filter: one pass, and complaints that say where and what else.

use super::fields::{Field, Kind, find, nearest};
use super::{Expr, FilterError, LONGEST, Op, Pattern, Term, values};

/// How deep parentheses and negations may go.
const DEEPEST: usize = 32;

/// Understands a text.
pub(super) fn parse(text: &str, fields: &'static [Field]) -> Result<Expr, FilterError> {
    if text.len() > LONGEST {
        return Err(FilterError {
            at: 0,
            len: 0,
            message: format!("a filter of {} bytes is too long", text.len()),
            hint: format!("at most {LONGEST} bytes"),
        });
    }
    if let Some((at, control)) = text
        .char_indices()
        .find(|(_, c)| c.is_control() && !c.is_whitespace())
    {
        return Err(FilterError {
            at,
            len: control.len_utf8(),
            message: "a filter holds no control characters".to_owned(),
            hint: "leave it out, or write `?` for it".to_owned(),
        });
    }
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
        fields,
    };
    parser.blanks();
    if parser.is_over() {
        return Ok(Expr::All(Vec::new()));
    }
    let expr = parser.any()?;
    if parser.is_over() {
        Ok(expr)
    } else {
        Err(parser.wrong(parser.at, 1, "a closing parenthesis too many", "remove it"))
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
    fields: &'static [Field],
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn is_over(&self) -> bool {
        self.at == self.text.len()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn takes(&mut self, token: &str) -> bool {
        let is_next = self.rest().starts_with(token);
        if is_next {
            self.at += token.len();
        }
        is_next
    }

    /// Whether this word comes next, standing alone.
    fn sees(&self, word: &str) -> bool {
        let Some((start, after)) = self.rest().split_at_checked(word.len()) else {
            return false;
        };
        let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')');
        start.eq_ignore_ascii_case(word) && after.chars().next().is_none_or(ends)
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let is_next = self.sees(word);
        if is_next {
            self.at += word.len();
            self.blanks();
        }
        is_next
    }

    fn wrong(
        &self,
        at: usize,
        len: usize,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> FilterError {
        FilterError {
            at: at.min(self.text.len()),
            len,
            message: message.into(),
            hint: hint.into(),
        }
    }

    fn any(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.all()?];
        while self.takes_word("or") {
            parts.push(self.all()?);
        }
        Ok(Expr::any(parts))
    }

    fn all(&mut self) -> Result<Expr, FilterError> {
        let mut parts = vec![self.one()?];
        loop {
            self.blanks();
            if self.takes_word("and") {
                parts.push(self.one()?);
            } else if self.is_over() || self.peek() == Some(')') || self.sees("or") {
                return Ok(Expr::all(parts));
            } else {
                parts.push(self.one()?);
            }
        }
    }

    fn one(&mut self) -> Result<Expr, FilterError> {
        self.blanks();
        let begin = self.at;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.wrong(
                begin,
                1,
                "too many levels of parentheses and `not`",
                "say it in fewer",
            ));
        }
        let expr = if self.takes_word("not") || self.takes("!") {
            Expr::Not(Box::new(self.one()?))
        } else if self.takes("(") {
            let inner = self.any()?;
            self.blanks();
            if !self.takes(")") {
                return Err(self.wrong(begin, 1, "a parenthesis that is not closed", "add `)`"));
            }
            inner
        } else {
            self.term()?
        };
        self.depth -= 1;
        self.blanks();
        Ok(expr)
    }

    fn term(&mut self) -> Result<Expr, FilterError> {
        let begin = self.at;
        if self.is_over() || self.peek() == Some(')') || self.sees("or") || self.sees("and") {
            return Err(self.wrong(begin, 0, "a term is missing", self.example()));
        }
        if self.peek() == Some('"') {
            let text = self.in_quotes()?;
            self.ends()?;
            return Ok(Expr::Word(Pattern { text, exact: true }));
        }
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
        let long = self
            .rest()
            .find(|c| !is_name(c))
            .unwrap_or(self.rest().len());
        let name = &self.rest()[..long];
        self.at += long;
        let field = find(self.fields, name);
        if let Some((op, sign)) = self.operator(field.is_some()) {
            let Some(field) = field else {
                return Err(self.unknown(begin, name));
            };
            return self.values(field, op, sign).map(Expr::Term);
        }
        self.at = begin;
        let word = self.bare();
        self.ends()?;
        Ok(Expr::Word(Pattern {
            text: word.to_owned(),
            exact: false,
        }))
    }

    /// The operator that comes next, and where it is; behind blanks only after a field.
    fn operator(&mut self, after_field: bool) -> Option<(Op, (usize, usize))> {
        const SIGNS: [(&str, Op); 8] = [
            ("!=", Op::IsNot),
            (">=", Op::AtLeast),
            ("<=", Op::AtMost),
            (":", Op::Is),
            ("=", Op::Is),
            (">", Op::Above),
            ("<", Op::Below),
            ("~", Op::Has),
        ];
        let begin = self.at;
        if after_field {
            self.blanks();
        }
        let apart = self.at > begin;
        for (sign, op) in SIGNS {
            let at = self.at;
            if !(apart && sign == ":") && self.takes(sign) {
                if sign != ":" {
                    self.blanks();
                }
                return Some((op, (at, sign.len())));
            }
        }
        self.at = begin;
        None
    }

    fn values(
        &mut self,
        field: &'static Field,
        op: Op,
        (sign, long): (usize, usize),
    ) -> Result<Term, FilterError> {
        let known = match field.kind {
            Kind::Text => matches!(op, Op::Is | Op::IsNot | Op::Has),
            Kind::Choice(_) => matches!(op, Op::Is | Op::IsNot),
            Kind::Since | Kind::Until => op == Op::Is,
            Kind::Number | Kind::Span | Kind::Severity | Kind::Instant => op != Op::Has,
        };
        if !known {
            let message = format!("{} is not compared like this", field.name);
            return Err(self.wrong(
                sign,
                long,
                message,
                format!("expected {}", field.kind.operators()),
            ));
        }
        let mut found = Vec::new();
        loop {
            let begin = self.at;
            let exact = self.peek() == Some('"');
            let text = if exact {
                self.in_quotes()?
            } else {
                self.bare_value().to_owned()
            };
            if text.is_empty() && !exact {
                let message = format!("{} has no value", field.name);
                return Err(self.wrong(
                    begin,
                    0,
                    message,
                    format!("write for example {}", field.example),
                ));
            }
            let operand = values::operand(field, &text, exact).map_err(|hint| {
                let message = format!("{text:?} is no value of {}", field.name);
                self.wrong(begin, self.at - begin, message, hint)
            })?;
            found.push(operand);
            let is_single = matches!(field.kind, Kind::Since | Kind::Until)
                || !matches!(op, Op::Is | Op::IsNot | Op::Has);
            if self.peek() == Some(',') && is_single {
                let message = format!("{} is compared with one value here", field.name);
                return Err(self.wrong(self.at, 1, message, "expected a blank"));
            }
            if !self.takes(",") {
                break;
            }
        }
        self.ends()?;
        Ok(Term {
            field,
            op,
            values: found,
        })
    }

    /// Text in quotes; a backslash takes a quote or a backslash as it is.
    fn in_quotes(&mut self) -> Result<String, FilterError> {
        let begin = self.at;
        let mut text = String::new();
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at += at + 1;
                    return Ok(text);
                }
                '\\' => match chars.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    _ => {
                        return Err(self.wrong(
                            begin + at,
                            1,
                            "a backslash before nothing special",
                            "write `\\\\` for a backslash",
                        ));
                    }
                },
                c => text.push(c),
            }
        }
        Err(self.wrong(begin, 1, "quotes that are not closed", "add `\"`"))
    }

    fn bare(&mut self) -> &'t str {
        self.run(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"'))
    }

    fn bare_value(&mut self) -> &'t str {
        self.run(|c| c.is_whitespace() || matches!(c, '(' | ')' | '"' | ','))
    }

    fn run(&mut self, ends: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let long = rest.find(ends).unwrap_or(rest.len());
        self.at += long;
        &rest[..long]
    }

    /// A term ends at a blank, at a parenthesis or with the text.
    fn ends(&self) -> Result<(), FilterError> {
        match self.peek() {
            Some(c) if !c.is_whitespace() && c != ')' => Err(self.wrong(
                self.at,
                c.len_utf8(),
                "two terms that touch",
                "expected a blank",
            )),
            _ => Ok(()),
        }
    }

    fn unknown(&self, at: usize, name: &str) -> FilterError {
        if name.is_empty() {
            return self.wrong(at, 1, "an operator without a field", self.example());
        }
        let names = self
            .fields
            .iter()
            .flat_map(|field| [&[field.name], field.aliases].concat());
        let hint = if let Some(near) = nearest(name, names) {
            format!("did you mean {near}?")
        } else {
            let names: Vec<_> = self.fields.iter().map(|field| field.name).collect();
            format!(
                "expected one of {}; text goes into quotes",
                names.join(", ")
            )
        };
        self.wrong(at, name.len(), format!("no field is called {name:?}"), hint)
    }

    fn example(&self) -> String {
        let example = self.fields.first().map_or("word", |field| field.example);
        format!("write for example {example}")
    }
}
