//! The trace on the screen: ladder and detail side by side, or one above the other.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};

use super::{Data, Detail, Scope, Trace};
use crate::watch::ladder;
use crate::watch::pane;
use crate::watch::screen::{Look, Room};
use crate::watch::side_by_side;
use crate::watch::table::{self, Cursor};
use crate::watch::text::{shown, span};
use crate::watch::theme::Tone;

/// The width from which on lanes can be told apart.
const LANES: u16 = 66;

pub(super) fn draw(trace: &Trace, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let [left, right] = if look.expanded {
        if look.focus == 1 {
            [Rect::default(), area]
        } else {
            [area, Rect::default()]
        }
    } else if look.room == Room::Wide {
        Layout::horizontal([Constraint::Percentage(60), Constraint::Min(0)]).areas(area)
    } else {
        let rows = trace.steps().0.len() as u16 + 3;
        let upper = rows.clamp(4, (area.height / 2).max(4));
        Layout::vertical([Constraint::Length(upper), Constraint::Min(0)]).areas(area)
    };
    if left.height > 0 {
        story(trace, frame, left, look);
    }
    if right.height > 0 {
        selected(trace, frame, right, look);
    }
}

fn story(trace: &Trace, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let data = trace.data();
    let (title, right) = data.map_or_else(
        || ("TRACE".to_owned(), String::new()),
        |data| head(data, look),
    );
    let inside = pane::boxed(frame, area, (&title, &right), look.focus == 0, look);
    if pane::absent(frame, inside, &trace.known, look) {
        return;
    }
    let Some(data) = data else { return };
    let (steps, at) = trace.steps();
    if steps.is_empty() {
        let says = match &trace.scope {
            Scope::Session(_) => {
                "No charger told of this session: only the backends' books know it. Tab shows them."
            }
            _ => {
                "Nothing was judged of this charger around here. Its messages may be too far away, or not judged yet."
            }
        };
        pane::prose(frame, inside, says);
        return;
    }
    if look.room == Room::Wide || (look.expanded && inside.width >= LANES) {
        lanes(data, (&steps, at), frame, inside, look);
    } else {
        let rows = ladder::rows(&data.story, &steps, look.zone);
        let cursor = Cursor {
            row: at as u64,
            column: usize::MAX,
        };
        table::draw(
            frame,
            inside,
            ladder::COLUMNS,
            (0, &rows),
            Some(cursor),
            look,
        );
    }
}

/// What the ladder is of, and how long it took.
fn head(data: &Data, look: &Look<'_>) -> (String, String) {
    let charger = look.mask.charger(&data.charger);
    let Some(session) = &data.session else {
        let last = data.story.items.last().map_or(data.origin, |item| item.at);
        return (format!("TRACE {charger}"), span(last - data.origin));
    };
    let tag = look.mask.tag(&session.token);
    let title = format!(
        "SESSION {} {charger} connector {} {tag}",
        session.id,
        shown(&session.connector)
    );
    (title, session.state.clone())
}

fn lanes(
    data: &Data,
    (steps, at): (&[ladder::Step], usize),
    frame: &mut Frame<'_>,
    area: Rect,
    look: &Look<'_>,
) {
    let charger = look.mask.charger(&data.charger);
    let room = usize::from(area.width.saturating_sub(1));
    let lines = ladder::lanes(
        &data.story,
        steps,
        (&charger, data.origin),
        room,
        look.theme,
    );
    let height = usize::from(area.height.saturating_sub(1));
    let chosen = lines
        .iter()
        .position(|line| line.step == Some(at))
        .unwrap_or(1);
    let top = chosen
        .saturating_sub(height / 2)
        .clamp(1, lines.len().saturating_sub(height).max(1));
    let shown = lines
        .iter()
        .take(1)
        .chain(lines.iter().skip(top).take(height));
    let mut first = true;
    let drawn = shown.map(|line| {
        let is_chosen = line.step == Some(at);
        let mut style = look.theme.style(line.tone);
        if is_chosen {
            style = look.theme.style(Tone::Selected);
        }
        let mark = if is_chosen && std::mem::take(&mut first) {
            ">"
        } else {
            " "
        };
        Line::from(vec![
            Span::styled(mark, style),
            Span::styled(look.mask.text(&line.text), style),
        ])
    });
    frame.render_widget(Text::from(drawn.collect::<Vec<_>>()), area);
}

fn selected(trace: &Trace, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let detail = trace.data().and_then(|data| data.detail.as_ref());
    let title = detail.map_or_else(
        || "SELECTED".to_owned(),
        |detail| detail.comparison.title.clone(),
    );
    let right = detail.map_or_else(String::new, |detail| {
        side_by_side::summary(&detail.comparison)
    });
    let inside = pane::boxed(frame, area, (&title, &right), look.focus == 1, look);
    let Some(data) = trace.data() else { return };
    let lines = text(trace, data, inside.width, look);
    pane::scrolled(frame, inside, lines, trace.scroll);
}

/// Everything that is told of the selected step.
fn text(trace: &Trace, data: &Data, width: u16, look: &Look<'_>) -> Vec<Line<'static>> {
    let dim = look.theme.style(Tone::Dim);
    let mut lines = Vec::new();
    match &data.detail {
        Some(detail) if trace.chosen.is_none_or(|chosen| chosen == detail.id) => {
            lines.extend(message(detail, trace, width, look));
        }
        _ if data.chosen != trace.chosen => lines.push(Line::styled("Reading the texts ...", dim)),
        _ => lines.push(Line::styled("No message: nothing to compare.", dim)),
    }
    if let Some(session) = &data.session {
        let books = crate::report::Comparison::of_session(session);
        lines.push(Line::raw(""));
        lines.extend(side_by_side::lines(&books, width, trace.fold, look));
    }
    lines
}

fn message(detail: &Detail, trace: &Trace, width: u16, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for (severity, id, title) in &detail.findings {
        lines.extend(pane::broken(
            &format!("{} {id} {}", severity.code(), look.mask.text(title)),
            width,
            look.theme.style(Tone::Bad),
        ));
    }
    lines.extend(side_by_side::lines(
        &detail.comparison,
        width,
        trace.fold,
        look,
    ));
    if !detail.answers.is_empty() {
        let says = format!("evidence  answers: {}; {}", detail.answers, detail.outcome);
        lines.extend(pane::broken(&says, width, look.theme.style(Tone::Dim)));
    }
    lines
}
