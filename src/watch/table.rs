//! Tables that grow narrow with grace: columns say how long they stay, rows come through a window.

use std::borrow::Cow;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use super::keys::Action;
use super::screen::Look;
use super::text::width;
use super::theme::Tone;

/// One column.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    /// Its head.
    pub head: &'static str,
    /// How wide it is at least.
    pub width: u16,
    /// Whether it takes what is left.
    pub grows: bool,
    /// Whether its cells stand at the right: numbers.
    pub right: bool,
    /// How soon it is dropped: 0 never, 9 first.
    pub drop: u8,
    /// The field of the filter language that it shows; empty if there is none.
    pub field: &'static str,
}

/// A column of text.
pub const fn text(head: &'static str, width: u16, drop: u8, field: &'static str) -> Column {
    Column {
        head,
        width,
        grows: false,
        right: false,
        drop,
        field,
    }
}

/// A column of numbers.
pub const fn number(head: &'static str, width: u16, drop: u8, field: &'static str) -> Column {
    Column {
        head,
        width,
        grows: false,
        right: true,
        drop,
        field,
    }
}

/// A column of text that takes what is left.
pub const fn wide(head: &'static str, width: u16, drop: u8, field: &'static str) -> Column {
    Column {
        head,
        width,
        grows: true,
        right: false,
        drop,
        field,
    }
}

/// One cell.
#[derive(Debug, Clone)]
pub struct Cell<'a> {
    /// What it says.
    pub text: Cow<'a, str>,
    /// How it looks.
    pub tone: Tone,
}

impl<'a, T: Into<Cow<'a, str>>> From<T> for Cell<'a> {
    fn from(text: T) -> Self {
        Self {
            text: text.into(),
            tone: Tone::Plain,
        }
    }
}

/// A cell with a tone.
pub fn toned<'a>(text: impl Into<Cow<'a, str>>, tone: Tone) -> Cell<'a> {
    Cell {
        text: text.into(),
        tone,
    }
}

/// Where somebody is in a list: the selected row, counted over all of it, and the selected column.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The selected row.
    pub row: u64,
    /// The selected column, among all columns.
    pub column: usize,
}

/// Rows that a page moves by.
const PAGE: u64 = 10;

/// Windows begin at multiples of this: a question changes rarely while somebody moves.
const STRIDE: u64 = 100;

impl Cursor {
    /// Moves in a list of so many rows and columns; false if the action does not move.
    pub fn act(&mut self, action: Action, rows: u64, columns: usize) -> bool {
        let last = rows.saturating_sub(1);
        match action {
            Action::Up => self.row = self.row.saturating_sub(1),
            Action::Down => self.row += 1,
            Action::PageUp => self.row = self.row.saturating_sub(PAGE),
            Action::PageDown => self.row += PAGE,
            Action::First => self.row = 0,
            Action::Last => self.row = last,
            Action::Left => self.column = self.column.saturating_sub(1),
            Action::Right => self.column = (self.column + 1).min(columns.saturating_sub(1)),
            _ => return false,
        }
        self.row = self.row.min(last);
        true
    }

    /// The rows to ask for, so that those on a screen of this height are among them: how many to leave out, and how many.
    pub fn window(&self, height: u16) -> (u64, u64) {
        let offset = (self.row / STRIDE * STRIDE).saturating_sub(STRIDE);
        (offset, 3 * STRIDE + u64::from(height))
    }
}

/// The columns that fit into a width, with the width of each.
pub fn fit(columns: &[Column], width: u16) -> Vec<(usize, u16)> {
    let mut kept: Vec<usize> = (0..columns.len()).collect();
    let taken = |kept: &[usize]| -> u16 { kept.iter().map(|at| columns[*at].width + 1).sum() };
    while taken(&kept) > width {
        let Some(worst) = kept
            .iter()
            .copied()
            .filter(|at| columns[*at].drop > 0)
            .max_by_key(|at| (columns[*at].drop, *at))
        else {
            break;
        };
        kept.retain(|at| *at != worst);
    }
    let mut left = width.saturating_sub(taken(&kept));
    let growing = kept.iter().filter(|at| columns[**at].grows).count() as u16;
    kept.into_iter()
        .map(|at| {
            let share = if columns[at].grows && growing > 0 {
                left / growing
            } else {
                0
            };
            let share = share.min(left);
            if growing == 1 && columns[at].grows {
                left = 0;
            }
            (at, columns[at].width + share)
        })
        .collect()
}

/// A text cut or filled to a width; what is cut ends with `..`.
pub fn padded(text: &str, room: u16, right: bool) -> String {
    let room = usize::from(room);
    let has = width(text);
    if has <= room {
        let fill = " ".repeat(room - has);
        return if right {
            fill + text
        } else {
            text.to_owned() + &fill
        };
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = width(c.encode_utf8(&mut [0; 4]));
        if used + wide > room.saturating_sub(2) {
            break;
        }
        used += wide;
        out.push(c);
    }
    for _ in used..room {
        out.push(if used + 2 > width(&out) { '.' } else { ' ' });
    }
    out
}

/// Draws a table into `area`: a head, then rows. `first` is the number of the first of `rows`; `cursor` is kept in sight.
pub fn draw(
    frame: &mut Frame<'_>,
    area: Rect,
    columns: &[Column],
    (first, rows): (u64, &[Vec<Cell<'_>>]),
    cursor: Option<Cursor>,
    look: &Look<'_>,
) {
    if area.height == 0 || area.width < 4 {
        return;
    }
    let fitted = fit(columns, area.width.saturating_sub(2));
    let head: String = fitted
        .iter()
        .map(|(at, width)| padded(columns[*at].head, *width, columns[*at].right) + " ")
        .collect();
    let mut lines = vec![Line::styled(
        format!("  {head}"),
        look.theme.style(Tone::Head),
    )];
    let height = u64::from(area.height.saturating_sub(1));
    let end = first + rows.len() as u64;
    let at = cursor.map_or(first, |cursor| cursor.row);
    let top = top_of(at, height, first, end);
    for number in top..(top + height).min(end) {
        let row = &rows[(number - first) as usize];
        let chosen = cursor.filter(|cursor| cursor.row == number);
        lines.push(line(columns, &fitted, row, chosen, look));
    }
    frame.render_widget(ratatui::text::Text::from(lines), area);
}

/// The first row in sight, so that row `at` is, too, if it can be.
fn top_of(at: u64, height: u64, first: u64, end: u64) -> u64 {
    let half = at.saturating_sub(height / 2);
    half.min(end.saturating_sub(height)).max(first)
}

fn line<'a>(
    columns: &[Column],
    fitted: &[(usize, u16)],
    row: &[Cell<'a>],
    chosen: Option<Cursor>,
    look: &Look<'_>,
) -> Line<'a> {
    let over = if chosen.is_some() {
        look.theme.style(Tone::Selected)
    } else {
        Style::new()
    };
    let mut spans = vec![Span::styled(
        if chosen.is_some() { "> " } else { "  " },
        over,
    )];
    for (at, width) in fitted {
        let Some(cell) = row.get(*at) else { continue };
        let mut style = if chosen.is_some() {
            over
        } else {
            look.theme.style(cell.tone)
        };
        if chosen.is_some_and(|cursor| cursor.column == *at) {
            style = style.add_modifier(ratatui::style::Modifier::UNDERLINED);
        }
        spans.push(Span::styled(
            padded(&cell.text, *width, columns[*at].right),
            style,
        ));
        spans.push(Span::styled(" ", over));
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: &[Column] = &[
        text("SEV", 4, 0, ""),
        wide("WHERE", 10, 0, ""),
        number("COUNT", 6, 2, ""),
        text("OWNER", 8, 9, ""),
    ];

    #[test]
    fn narrow_tables_drop_what_matters_least_first() {
        let kept = |width| {
            fit(COLUMNS, width)
                .into_iter()
                .map(|(at, _)| COLUMNS[at].head)
                .collect::<Vec<_>>()
        };
        assert_eq!(kept(60), ["SEV", "WHERE", "COUNT", "OWNER"]);
        assert_eq!(kept(28), ["SEV", "WHERE", "COUNT"]);
        assert_eq!(kept(18), ["SEV", "WHERE"]);
        assert_eq!(kept(1), ["SEV", "WHERE"]);
        assert_eq!(fit(COLUMNS, 60)[1], (1, 10 + 60 - 32));
    }

    #[test]
    fn cells_have_the_width_they_are_given() {
        assert_eq!(padded("ab", 4, false), "ab  ");
        assert_eq!(padded("ab", 4, true), "  ab");
        assert_eq!(padded("abcdef", 4, false), "ab..");
        assert_eq!(width(&padded("日本語", 5, false)), 5);
        assert_eq!(padded("abc", 0, false), "");
        assert_eq!(padded("abc", 1, false), ".");
    }

    #[test]
    fn the_cursor_stays_in_the_list() {
        let mut cursor = Cursor::default();
        assert!(cursor.act(Action::PageDown, 3, 2));
        assert_eq!(cursor.row, 2);
        cursor.act(Action::Down, 0, 0);
        assert_eq!(cursor.row, 0);
        assert!(!cursor.act(Action::Open, 3, 2));
    }
}
