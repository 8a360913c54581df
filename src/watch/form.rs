//! What the dialogs that are filled in have in common: fields and buttons that one key after the other goes through.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::Clear;

use super::keys::Key;
use super::pane;
use super::screen::Look;
use super::text::shown;
use super::theme::Tone;

/// The place that lies so many steps behind `place`, around the end.
pub(super) fn step<P: Copy + PartialEq>(places: &[P], place: P, by: usize) -> P {
    let at = places.iter().position(|known| *known == place);
    places[(at.unwrap_or(0) + by) % places.len()]
}

/// Which of so many words a key chooses, where one of them was chosen.
pub(super) const fn choose(key: Key, chosen: usize, of: usize) -> usize {
    match key {
        Key::Left => (chosen + of - 1) % of,
        Key::Right | Key::Char(' ') => (chosen + 1) % of,
        _ => chosen,
    }
}

/// A box of `height` rows at the lower end of `area`; the place inside of it.
pub(super) fn boxed(
    frame: &mut Frame<'_>,
    area: Rect,
    height: u16,
    title: &str,
    look: &Look<'_>,
) -> Rect {
    let height = height.min(area.height);
    let place = Rect {
        y: area.y + area.height - height,
        height,
        ..area
    };
    frame.render_widget(Clear, place);
    pane::boxed(frame, place, (title, "Tab next, Esc cancels"), true, look)
}

/// A field: its name, padded to the longest of the form, its text and what to write.
pub(super) fn field(
    (name, text, more): (String, &str, &str),
    is_here: bool,
    look: &Look<'_>,
) -> Line<'static> {
    let tone = if is_here { Tone::Selected } else { Tone::Plain };
    Line::from(vec![
        Span::styled(name, look.theme.style(Tone::Dim)),
        Span::styled(format!("[{:<32}]", shown(text)), look.theme.style(tone)),
        Span::styled(format!(" {more}"), look.theme.style(Tone::Dim)),
    ])
}

/// A button.
pub(super) fn button(name: &str, is_here: bool, look: &Look<'_>) -> Span<'static> {
    if is_here {
        Span::styled(format!("> {name} <"), look.theme.style(Tone::Selected))
    } else {
        Span::raw(format!("  {name}  "))
    }
}
