//! Boxes around parts of a screen, and the three sentences for what is not there.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::{Block, Borders, Paragraph, Wrap};

use super::screen::{Look, Room};
use super::snapshot::Known;
use super::theme::Tone;

/// Draws a box with a title at the left and a word at the right of its upper edge; gives back the room in it. Where there is
/// room for text only, there is no box: the title is a line.
pub fn boxed(
    frame: &mut Frame<'_>,
    area: Rect,
    (left, right): (&str, &str),
    focused: bool,
    look: &Look<'_>,
) -> Rect {
    let tone = if focused { Tone::Head } else { Tone::Dim };
    if look.room <= Room::Small || area.height < 3 || area.width < 4 {
        let title = Line::styled(left.to_owned(), look.theme.style(Tone::Head));
        frame.render_widget(
            title,
            Rect {
                height: area.height.min(1),
                ..area
            },
        );
        return Rect {
            y: area.y + area.height.min(1),
            height: area.height.saturating_sub(1),
            ..area
        };
    }
    let mut block = Block::new()
        .borders(Borders::ALL)
        .border_set(look.theme.border())
        .border_style(look.theme.style(tone))
        .title(Line::from(Span::styled(
            format!(" {left} "),
            look.theme.style(Tone::Head),
        )));
    if !right.is_empty() {
        let right = Line::from(Span::styled(format!(" {right} "), look.theme.style(tone)));
        block = block.title(right.right_aligned());
    }
    let inside = block.inner(area);
    frame.render_widget(block, area);
    inside
}

/// Text that breaks between words.
pub fn prose(frame: &mut Frame<'_>, area: Rect, text: impl Into<Text<'static>>) {
    frame.render_widget(Paragraph::new(text.into()).wrap(Wrap { trim: true }), area);
}

/// Text broken between words into lines of at most `width` columns; words that are longer are broken too.
pub fn broken(text: &str, width: u16, style: Style) -> Vec<Line<'static>> {
    let room = usize::from(width).max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split_inclusive(' ') {
        let wide = super::text::width(word.trim_end());
        if used > 0 && used + wide > room {
            lines.push(String::new());
            used = 0;
        }
        for c in word.chars() {
            let wide = super::text::width(c.encode_utf8(&mut [0; 4]));
            if used + wide > room && used > 0 {
                if c == ' ' {
                    continue;
                }
                lines.push(String::new());
                used = 0;
            }
            used += wide;
            if let Some(line) = lines.last_mut() {
                line.push(c);
            }
        }
    }
    let styled = |line: String| Line::styled(line.trim_end().to_owned(), style);
    lines.into_iter().map(styled).collect()
}

/// A line in so many columns; what is cut ends with `..`.
pub fn cut(line: Line<'static>, width: u16) -> Line<'static> {
    let room = usize::from(width);
    if line.width() <= room {
        return line;
    }
    let mut left = room.saturating_sub(2);
    let mut spans = Vec::new();
    for span in line.spans {
        let has = span.width();
        let fits = u16::try_from(left.min(has)).unwrap_or(width);
        if has <= left {
            left -= has;
            spans.push(span);
            continue;
        }
        // Two more columns, which the cut mark takes.
        let text = super::table::padded(&span.content, fits.saturating_add(2), false);
        spans.push(Span::styled(text, span.style));
        break;
    }
    Line::from(spans).style(line.style)
}

/// Draws lines, so many of them scrolled away; the last stays in sight.
pub fn scrolled(frame: &mut Frame<'_>, area: Rect, lines: Vec<Line<'static>>, scroll: u16) {
    let height = usize::from(area.height);
    let last = lines.len().saturating_sub(height);
    let shown = lines
        .into_iter()
        .skip(usize::from(scroll).min(last))
        .take(height);
    frame.render_widget(Text::from(shown.collect::<Vec<_>>()), area);
}

/// Says that something is being read or why it cannot be; false if it is there.
pub fn absent<T>(frame: &mut Frame<'_>, area: Rect, known: &Known<T>, look: &Look<'_>) -> bool {
    let (tone, says) = match known {
        Known::Ready(_) => return false,
        Known::Loading => (Tone::Dim, "Reading the recording ...".to_owned()),
        Known::Failed(why) => (
            Tone::Bad,
            format!(
                "Cannot be read: {why}. It is tried again when the recording changes; 6 shows the tap."
            ),
        ),
    };
    prose(frame, area, Line::styled(says, look.theme.style(tone)));
    true
}
