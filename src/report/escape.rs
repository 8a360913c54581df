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

/// Text for HTML and XML, inside elements and quoted attributes; characters that XML does not have become question marks.
pub fn markup(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c if c.is_control() => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

/// Text for a line of Markdown: whatever would be read as a mark is escaped, and lines are not broken.
pub fn markdown(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in printable(text).chars() {
        if matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&'
        ) {
            out.push('\\');
        }
        out.push(c);
    }
    out
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
    fn foreign_text_is_no_markup() {
        assert_eq!(markup("<b a='1'>&\u{1b}"), "&lt;b a=&#39;1&#39;&gt;&amp;?");
        assert_eq!(markdown("a|b\n[x](y) <i>"), "a\\|b\\\\n\\[x\\](y) \\<i\\>");
    }

    #[test]
    fn bytes_that_are_no_text_are_spelled_out() {
        assert_eq!(printable_bytes(b"ok\xff\xfe\x07"), "ok\\xff\\xfe\\u{7}");
    }
}
