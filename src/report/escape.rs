//! Foreign text made harmless: what chargers and backends say must not speak to a terminal.

use std::fmt::Write as _;

/// Text from outside as people may see it: control characters are spelled out, and so are those that have no width or
/// turn the direction of what follows, with which one text can look like another.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        push(&mut shown, c);
    }
    shown
}

/// Bytes from outside: as text where they are UTF-8, the others as `\xNN`.
pub fn printable_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        chunk.valid().chars().for_each(|c| push(&mut shown, c));
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

fn push(shown: &mut String, c: char) {
    if c.is_control() || deceives(c) {
        shown.extend(c.escape_default());
    } else {
        shown.push(c);
    }
}

/// Whether a character is not seen itself but changes what is: no width, another direction, a line of its own.
const fn deceives(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_obeys_nobody_else() {
        assert_eq!(printable("a\u{1b}[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert_eq!(printable("tag\u{202e}gat"), "tag\\u{202e}gat");
        assert_eq!(printable("Ladesäule 充电"), "Ladesäule 充电");
    }

    #[test]
    fn bytes_that_are_no_text_are_spelled_out() {
        assert_eq!(printable_bytes(b"ok\xff\xfe\x07"), "ok\\xff\\xfe\\u{7}");
    }
}
