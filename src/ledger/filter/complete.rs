//! What may be written at a place of a filter.

use std::ops::Range;

use super::fields::{Field, Kind, find};
use super::show::quoted;
use super::values::{SEVERITIES, hyphened};
use crate::ocpp::Severity;

/// Something that may be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Completion {
    /// What it takes the place of, in bytes of the text.
    pub replace: Range<usize>,
    /// What is written there.
    pub text: String,
    /// What it means; empty if it speaks for itself.
    pub help: &'static str,
}

/// What may be written at `cursor`: fields, and the values that the table knows.
pub fn complete(text: &str, cursor: usize, fields: &'static [Field]) -> Vec<Completion> {
    complete_from(text, cursor, fields, &|_| Vec::new())
}

/// The same, with what `known` tells of a field by its name: chargers, models, ...
pub fn complete_from(
    text: &str,
    cursor: usize,
    fields: &'static [Field],
    known: &dyn Fn(&'static str) -> Vec<String>,
) -> Vec<Completion> {
    let cursor = floor(text, cursor);
    let begin = token(&text[..cursor]);
    let typed = &text[begin..cursor];
    let sign = typed.find([':', '=', '!', '>', '<', '~']);
    match sign {
        Some(at) if at > 0 => {
            let Some(field) = find(fields, &typed[..at]) else {
                return Vec::new();
            };
            let values = typed
                .rfind([':', '=', '>', '<', '~', ',', '!'])
                .map_or(at, |at| at + 1);
            let typed = &typed[values..];
            let replace = cursor - typed.len()..cursor;
            let matching = values_of(field, known)
                .into_iter()
                .filter(|(text, _)| begins(text, typed));
            matching
                .map(|(text, help)| Completion {
                    replace: replace.clone(),
                    text,
                    help,
                })
                .collect()
        }
        _ => {
            // `!` stands before a field.
            let typed = typed.trim_start_matches('!');
            names(typed, fields, cursor - typed.len()..cursor)
        }
    }
}

fn names(typed: &str, fields: &'static [Field], replace: Range<usize>) -> Vec<Completion> {
    let is_meant = |field: &&Field| {
        begins(field.name, typed) || field.aliases.iter().any(|alias| begins(alias, typed))
    };
    let found = fields.iter().filter(is_meant).map(|field| Completion {
        replace: replace.clone(),
        text: format!("{}:", field.name),
        help: field.help,
    });
    let words = [
        ("or", "one side or the other"),
        ("not", "turns the next term around"),
    ];
    let words = words
        .into_iter()
        .filter(|(word, _)| begins(word, typed))
        .map(|(word, help)| Completion {
            replace: replace.clone(),
            text: format!("{word} "),
            help,
        });
    found.chain(words).collect()
}

fn values_of(
    field: &'static Field,
    known: &dyn Fn(&'static str) -> Vec<String>,
) -> Vec<(String, &'static str)> {
    match field.kind {
        Kind::Choice(words) => words.iter().map(|word| (hyphened(word), "")).collect(),
        Kind::Severity => {
            let codes = Severity::ALL.map(|severity| (severity.code().to_owned(), severity.word()));
            let words = SEVERITIES.map(|(word, severity)| (word.to_owned(), severity.word()));
            codes.into_iter().chain(words).collect()
        }
        Kind::Instant | Kind::Since | Kind::Until => ["10m", "1h", "8h", "1d"]
            .map(|span| (span.to_owned(), "before the last fact"))
            .to_vec(),
        Kind::Text | Kind::Number | Kind::Span => {
            let bare = |text: &String| {
                !text.is_empty()
                    && !text.contains(|c: char| c.is_whitespace() || "()\",*?".contains(c))
            };
            let written = |text: String| if bare(&text) { text } else { quoted(&text) };
            known(field.name)
                .into_iter()
                .map(|text| (written(text), ""))
                .collect()
        }
    }
}

fn begins(text: &str, typed: &str) -> bool {
    let head = text.get(..typed.len());
    head.is_some_and(|head| head.eq_ignore_ascii_case(typed))
}

/// Where the last token begins: behind the last blank or parenthesis that is not in quotes.
fn token(text: &str) -> usize {
    let (mut begin, mut in_quotes, mut escaped) = (0, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_quotes => escaped = true,
            '"' => in_quotes = !in_quotes,
            c if !in_quotes && (c.is_whitespace() || matches!(c, '(' | ')')) => {
                begin = at + c.len_utf8();
            }
            _ => {}
        }
    }
    begin
}

fn floor(text: &str, cursor: usize) -> usize {
    let mut cursor = cursor.min(text.len());
    while !text.is_char_boundary(cursor) {
        cursor -= 1;
    }
    cursor
}

#[cfg(test)]
mod tests {
    use super::super::{FINDINGS, Filter};
    use super::*;

    fn offered(text: &str) -> Vec<String> {
        let known = |field: &str| match field {
            "model" => vec!["C-1".to_owned(), "Wall Box 22".to_owned()],
            _ => Vec::new(),
        };
        complete_from(text, text.len(), &FINDINGS, &known)
            .into_iter()
            .map(|found| format!("{}{}", &text[..found.replace.start], found.text))
            .collect()
    }

    #[test]
    fn fields_and_values_are_offered_where_they_may_stand() {
        assert_eq!(offered("sta"), ["state:"]);
        assert_eq!(offered("fw"), ["firmware:"]);
        assert_eq!(offered("new !stat"), ["new !state:"]);
        assert_eq!(offered("(own"), ["(owner:"]);
        assert_eq!(offered("o"), ["owner:", "of:", "or "]);
        assert_eq!(offered("state:re"), ["state:regressed"]);
        assert_eq!(offered("state!=new,acc"), ["state!=new,accepted"]);
        assert_eq!(offered("sev>=cri"), ["sev>=critical", "sev>=crit"]);
        assert_eq!(offered("model:"), ["model:C-1", "model:\"Wall Box 22\""]);
        assert_eq!(offered("model:\"Wall Box 22\""), ["model:\"Wall Box 22\""]);
        assert_eq!(offered("nosuch:"), [""; 0]);
        assert_eq!(offered("title:\"not a sta"), [""; 0]);
    }

    #[test]
    fn a_place_inside_a_letter_is_none() {
        assert_eq!(complete("é", 1, &FINDINGS).len(), FINDINGS.len() + 2);
    }

    #[test]
    fn values_that_are_offered_can_be_read() {
        for field in &FINDINGS {
            let text = format!("{}:", field.name);
            for found in complete(&text, text.len(), &FINDINGS) {
                let whole = format!("{text}{}", found.text);
                assert!(Filter::parse(&whole, &FINDINGS).is_ok(), "{whole}");
            }
        }
    }
}
