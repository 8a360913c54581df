//! Values word by word: what one side has and the other has not is set apart, and long ones are broken into lines.

use similar::{Algorithm, ChangeTag, capture_diff_slices};

use crate::watch::text::width;

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    /// What it says.
    pub(super) text: String,
    /// Whether the other side does not say it.
    pub(super) apart: bool,
}

impl Piece {
    /// A value that nothing is said about.
    pub(super) fn same(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            apart: false,
        }
    }
}

/// Both values, each in pieces.
pub(super) fn differing(legacy: &str, candidate: &str) -> [Vec<Piece>; 2] {
    let (ours, theirs) = (words(legacy), words(candidate));
    let mut sides = [Vec::new(), Vec::new()];
    for op in capture_diff_slices(Algorithm::Myers, &ours, &theirs) {
        for change in op.iter_changes(&ours, &theirs) {
            let apart = change.tag() != ChangeTag::Equal;
            let [legacy, candidate] = &mut sides;
            if change.tag() != ChangeTag::Insert {
                push(legacy, change.value(), apart);
            }
            if change.tag() != ChangeTag::Delete {
                push(candidate, change.value(), apart);
            }
        }
    }
    sides
}

fn push(pieces: &mut Vec<Piece>, word: &str, apart: bool) {
    match pieces.last_mut() {
        Some(last) if last.apart == apart => last.text.push_str(word),
        _ => pieces.push(Piece {
            text: word.to_owned(),
            apart,
        }),
    }
}

/// Runs of letters and digits, and everything else one by one.
fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    for (at, c) in text.char_indices() {
        let letter = c.is_alphanumeric();
        if !(letter && in_word) && at > start {
            words.push(&text[start..at]);
            start = at;
        }
        in_word = letter;
    }
    if start < text.len() {
        words.push(&text[start..]);
    }
    words
}

/// As much of the beginning of `text` as fits into `room` columns.
pub(super) fn first(text: &str, room: usize) -> &str {
    let mut used = 0;
    for (at, c) in text.char_indices() {
        used += width(c.encode_utf8(&mut [0; 4]));
        if used > room {
            return &text[..at];
        }
    }
    text
}

/// The pieces broken into lines of at most `room` columns; always at least one line.
pub(super) fn wrapped(pieces: Vec<Piece>, room: usize) -> Vec<Vec<Piece>> {
    let mut lines = vec![Vec::new()];
    let mut used = 0;
    for piece in pieces {
        let mut rest = piece.text.as_str();
        while !rest.is_empty() {
            let mut head = first(rest, room - used);
            if head.is_empty() && used == 0 {
                // A character that is wider than the room has to stand somewhere.
                let end = rest.chars().next().map_or(rest.len(), char::len_utf8);
                head = &rest[..end];
            }
            if head.is_empty() {
                lines.push(Vec::new());
                used = 0;
                continue;
            }
            used = (used + width(head)).min(room);
            rest = &rest[head.len()..];
            if let Some(line) = lines.last_mut() {
                line.push(Piece {
                    text: head.to_owned(),
                    apart: piece.apart,
                });
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pieces: &[Piece]) -> String {
        let mark = |piece: &Piece| {
            if piece.apart {
                format!("[{}]", piece.text)
            } else {
                piece.text.clone()
            }
        };
        pieces.iter().map(mark).collect()
    }

    #[test]
    fn only_the_words_that_differ_are_set_apart() {
        let [legacy, candidate] = differing("2026-01-01T00:00:00Z", "2026-01-02T00:00:00.5Z");
        assert_eq!(shown(&legacy), "2026-01-[01T00]:00:[00Z]");
        assert_eq!(shown(&candidate), "2026-01-[02T00]:00:[00.5Z]");
        let [legacy, candidate] = differing("same", "same");
        assert_eq!(
            (shown(&legacy), shown(&candidate)),
            ("same".into(), "same".into())
        );
    }

    #[test]
    fn long_values_are_broken_where_the_room_ends() {
        let lines = wrapped(
            vec![
                Piece::same("abcdef"),
                Piece {
                    text: "gh".into(),
                    apart: true,
                },
            ],
            4,
        );
        let said: Vec<String> = lines.iter().map(|line| shown(line)).collect();
        assert_eq!(said, ["abcd", "ef[gh]"]);
        assert_eq!(wrapped(Vec::new(), 4).len(), 1);
        assert_eq!(wrapped(vec![Piece::same("充电")], 1).len(), 2);
    }
}
