//! The frame around every screen: head, tabs, banners, status line, footer.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Clear, Paragraph, Wrap};

use super::app::{App, Overlay, Prompt, Purpose};
use super::keys::{self, Binding};
use super::pane;
use super::screen::{Look, Room};
use super::snapshot::{Freshness, Leg, Pulse};
use super::text::{shown, span, width};
use super::theme::Tone;
use super::tour;

/// The numbered screens.
pub(super) const TABS: [&str; 6] = ["Board", "Diffs", "Sessions", "Gate", "Feed", "Tap"];

/// Draws everything.
pub(super) fn draw(app: &App, frame: &mut Frame<'_>) {
    let look = app.look();
    let area = frame.area();
    if look.room == Room::Tiny {
        tiny(app, frame, area, &look);
        return;
    }
    let heads = if look.room == Room::Small { 1 } else { 2 };
    let [head, body, status, foot] = Layout::vertical([
        Constraint::Length(heads),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(1),
    ])
    .areas(area);
    header(app, frame, head, &look);
    let body = banners(app, frame, body, &look);
    app.screen().draw(frame, body, &look);
    status_line(app, frame, status, &look);
    footer(app, frame, foot, &look);
    overlay(app, frame, body, status, &look);
}

/// Two lines: the worst verdict, and how much room is needed. Nothing else could be trusted to be seen.
fn tiny(app: &App, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let (verdict, says) = app.pulse.as_ref().map_or_else(
        || ("no data".to_owned(), String::new()),
        |pulse| pulse.worst(app.now),
    );
    let alarms = app.alarms().len();
    let first = format!("{verdict}  ALERTS {alarms}  {}", look.mask.text(&says));
    let second = format!("needs 60x15, is {}x{}", area.width, area.height);
    let lines = [
        Line::styled(first, look.theme.style(Tone::Head)),
        Line::raw(second),
    ];
    for (at, line) in lines.into_iter().enumerate().take(usize::from(area.height)) {
        let row = Rect {
            y: area.y + at as u16,
            height: 1,
            ..area
        };
        frame.render_widget(line, row);
    }
}

fn header(app: &App, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let [upper, lower] = Layout::vertical([Constraint::Length(1), Constraint::Min(0)]).areas(area);
    ends(frame, upper, identity(app, look), state(app, look));
    if lower.height > 0 {
        ends(frame, lower, tabs(app, look), alerts(app, look));
    }
}

/// A line with something at both ends; the right end is kept when there is not room for both.
fn ends(frame: &mut Frame<'_>, area: Rect, left: Line<'_>, right: Line<'_>) {
    let wide = right.width() as u16;
    let gap = u16::from(wide > 0);
    let [at_left, _, at_right] = Layout::horizontal([
        Constraint::Min(0),
        Constraint::Length(gap),
        Constraint::Length(wide.min(area.width)),
    ])
    .areas(area);
    let cut = left.width() > usize::from(at_left.width) && at_left.width > 2;
    frame.render_widget(left, at_left);
    if cut {
        let last = Rect {
            x: at_left.right() - 2,
            width: 2,
            ..at_left
        };
        frame.render_widget("..", last);
    }
    frame.render_widget(right, at_right);
}

fn identity(app: &App, look: &Look<'_>) -> Line<'static> {
    let mut spans = vec![
        Span::raw(" "),
        Span::styled("evenkeel", look.theme.style(Tone::Head)),
    ];
    if app.setup.demo {
        spans.push(Span::styled(" DEMO ", look.theme.style(Tone::Alarm)));
    }
    if let Some(pulse) = &app.pulse {
        let phase = if pulse.authority == "legacy" {
            "SHADOW"
        } else {
            "REVERSE SHADOW"
        };
        // The name comes last: it is the operator's, and may be long.
        spans.push(Span::raw(format!(
            "  {phase}  {}  {}",
            app.setup.operator.as_deref().map_or_else(
                || "view only".to_owned(),
                |operator| format!("OPERATE {}", shown(operator))
            ),
            shown(&pulse.recording)
        )));
    }
    Line::from(spans)
}

/// Backends, age of the data, the time. Age and alarms are never dropped.
fn state(app: &App, look: &Look<'_>) -> Line<'static> {
    let Some(pulse) = &app.pulse else {
        return Line::raw(format!("{} ", look.zone.both(app.now)));
    };
    let mut spans = match look.room {
        Room::Wide => legs(["legacy", "candidate"], pulse, look),
        Room::Narrow => legs(["leg", "cand"], pulse, look),
        Room::Small | Room::Tiny => alerts(app, look).spans,
    };
    spans.push(Span::raw(" "));
    if look.room == Room::Wide {
        spans.push(Span::raw(format!(
            "open {}  shed {}  ",
            pulse.open, pulse.shed
        )));
    }
    let (says, tone) = match pulse.freshness(app.now) {
        Freshness::Empty => ("no data yet".to_owned(), Tone::Warn),
        Freshness::Live(age) => (format!("data {}", span(age)), Tone::Plain),
        Freshness::Stale(age) => (format!("STALE {}", span(age)), Tone::Alarm),
        Freshness::Ended(at) => (format!("ended {}", look.zone.day(at)), Tone::Plain),
    };
    spans.push(Span::styled(says, look.theme.style(tone)));
    let clock = if look.room == Room::Wide {
        look.zone.both(app.now)
    } else {
        look.zone.minute(app.now)
    };
    spans.push(Span::raw(format!("  {clock} ")));
    Line::from(spans)
}

fn legs(names: [&str; 2], pulse: &Pulse, look: &Look<'_>) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    for (name, Leg { word, well }) in names.into_iter().zip([&pulse.legacy, &pulse.candidate]) {
        let tone = if *well { Tone::Plain } else { Tone::Alarm };
        spans.push(Span::styled(
            format!("{name} {word}"),
            look.theme.style(tone),
        ));
        spans.push(Span::raw("  "));
    }
    spans
}

fn tabs(app: &App, look: &Look<'_>) -> Line<'static> {
    let open = usize::from(app.screen().number());
    let mut spans = vec![Span::raw(" ")];
    for (at, name) in TABS.iter().enumerate() {
        let number = at + 1;
        let here = number == open;
        let text = match (here, look.room) {
            (true, _) => format!("[{number} {name}] "),
            (false, Room::Wide) => format!(" {number} {name}  "),
            (false, _) => format!("{number} "),
        };
        spans.push(Span::styled(
            text,
            look.theme.style(if here { Tone::Head } else { Tone::Dim }),
        ));
    }
    let crumbs = app.crumbs();
    if crumbs.len() > 1 {
        spans.push(Span::raw(crumbs.join(" > ")));
    }
    Line::from(spans)
}

fn alerts(app: &App, look: &Look<'_>) -> Line<'static> {
    let count = app.alarms().len();
    let tone = if count > 0 { Tone::Alarm } else { Tone::Dim };
    Line::from(vec![
        Span::styled(format!("ALERTS {count}"), look.theme.style(tone)),
        Span::raw(" "),
    ])
}

/// What must never scroll away: the screen is frozen, the data are stale, the recording cannot be read.
fn banners(app: &App, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) -> Rect {
    let mut lines = Vec::new();
    if let Some(why) = &app.failed {
        lines.push(format!(
            "The recording cannot be read: {}. It is tried again; q leaves.",
            shown(why)
        ));
    }
    if let Some(pulse) = &app.pulse
        && let Freshness::Stale(age) = pulse.freshness(app.now)
    {
        let since = pulse.last.unwrap_or_default();
        lines.push(format!(
            "STALE {}: no data since {}. Last values are kept; verdicts are HOLD until it returns. 6 shows the tap, :reconnect tries now",
            span(age),
            look.zone.clock(since)
        ));
    }
    if let Some(rewinding) = &app.rewinding {
        lines.push(rewinding.says(look.zone));
    }
    if let Some(frozen) = &app.frozen {
        let behind = app
            .pulse
            .as_ref()
            .map_or(0, |pulse| pulse.facts.saturating_sub(frozen.facts));
        let alarms = app.alarms();
        let shown = alarms.first().map_or_else(String::new, |alarm| {
            format!(": {}", look.mask.text(&alarm.says))
        });
        lines.push(format!(
            "FROZEN {}, {behind} facts behind, {} alarms{shown}   Space resumes",
            span(app.now - frozen.since),
            alarms.len()
        ));
    }
    let height = (lines.len() as u16).min(area.height.saturating_sub(1));
    let [above, below] =
        Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(area);
    for (at, line) in lines.into_iter().enumerate().take(usize::from(height)) {
        let row = Rect {
            y: above.y + at as u16,
            height: 1,
            ..above
        };
        let filled = super::table::padded(&format!(" {line}"), row.width, false);
        frame.render_widget(Line::styled(filled, look.theme.style(Tone::Alarm)), row);
    }
    below
}

fn status_line(app: &App, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let left = match (&app.notice, app.screen().filter()) {
        (Some((_, says)), _) => Line::styled(format!(" {says}"), look.theme.style(Tone::Head)),
        (None, filter) => {
            let chip = if filter.is_empty() {
                "none".to_owned()
            } else {
                look.mask.text(filter)
            };
            Line::from(vec![
                Span::styled(" filter: ", look.theme.style(Tone::Dim)),
                Span::raw(format!("{chip}   {}", app.screen().status(look))),
            ])
        }
    };
    let masked = if look.mask.is_on() {
        "ids masked"
    } else {
        "IDS SHOWN"
    };
    let slow = if app.is_slow() { "slow  " } else { "" };
    ends(frame, area, left, Line::raw(format!("{slow}{masked} ")));
}

/// Keys by their rank, as many as fit; the way out stands at the right end.
fn footer(app: &App, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let bindings = keys::footer(&app.scopes());
    let way_out = if look.room == Room::Wide {
        "q leave (tap keeps running)"
    } else {
        "q leave"
    };
    let way_out = if app.overlay.is_some() { "" } else { way_out };
    let mut room = usize::from(area.width).saturating_sub(width(way_out) + 3);
    let mut ranked: Vec<(usize, &Binding)> = bindings
        .into_iter()
        .filter(|binding| app.overlay.is_some() || binding.action != keys::Action::Leave)
        .enumerate()
        .collect();
    ranked.sort_by_key(|(at, binding)| (std::cmp::Reverse(binding.rank), *at));
    let mut kept = Vec::new();
    for (at, binding) in ranked {
        let needs = width(&binding.key.word()) + binding.word.len() + 3;
        if needs > room {
            break;
        }
        room -= needs;
        kept.push((at, binding));
    }
    kept.sort_by_key(|(at, _)| *at);
    let mut spans = vec![Span::raw(" ")];
    for (_, binding) in kept {
        spans.push(Span::styled(
            binding.key.word(),
            look.theme.style(Tone::Key),
        ));
        spans.push(Span::raw(format!(" {}  ", binding.word)));
    }
    ends(
        frame,
        area,
        Line::from(spans),
        Line::raw(format!("{way_out} ")),
    );
}

fn overlay(app: &App, frame: &mut Frame<'_>, body: Rect, status: Rect, look: &Look<'_>) {
    match &app.overlay {
        None => {}
        Some(Overlay::Help(help)) => help.draw(app, frame, body, look),
        Some(Overlay::Prompt(prompt)) => {
            draw_prompt(prompt, frame, status, look);
            // What is said while somebody writes stands above the line: completions, for example.
            if let Some((_, says)) = &app.notice {
                let area = at_bottom(body, 1);
                frame.render_widget(Clear, area);
                frame.render_widget(
                    Line::styled(format!(" {says}"), look.theme.style(Tone::Head)),
                    area,
                );
            }
        }
        Some(Overlay::Menu(menu)) => {
            let area = at_bottom(body, menu.rows.len() as u16 + 2);
            frame.render_widget(Clear, area);
            let inside = pane::boxed(frame, area, ("SAVED FILTERS", ""), true, look);
            let lines: Vec<Line<'_>> = menu
                .rows
                .iter()
                .enumerate()
                .map(|(at, (name, filter))| {
                    let chosen = at == menu.row;
                    let (name, filter) = (shown(name), look.mask.text(filter));
                    let text = format!("{} {name:<16} {filter}", if chosen { ">" } else { " " });
                    Line::styled(
                        text,
                        look.theme
                            .style(if chosen { Tone::Selected } else { Tone::Plain }),
                    )
                })
                .collect();
            frame.render_widget(ratatui::text::Text::from(lines), inside);
        }
        Some(Overlay::Triage(dialog)) => dialog.draw(frame, body, look),
        Some(Overlay::Decide(dialog)) => dialog.draw(frame, body, look),
        Some(Overlay::Tour(step)) => {
            let area = at_bottom(body, 6);
            frame.render_widget(Clear, area);
            let title = format!("TOUR {} of {}", step + 1, tour::STEPS.len());
            let inside = pane::boxed(
                frame,
                area,
                (&title, "Enter goes on, Esc ends it"),
                true,
                look,
            );
            let says = tour::STEPS.get(*step).map_or("", |step| step.says);
            frame.render_widget(Paragraph::new(says).wrap(Wrap { trim: true }), inside);
        }
    }
}

fn at_bottom(area: Rect, height: u16) -> Rect {
    let height = height.min(area.height);
    Rect {
        y: area.y + area.height - height,
        height,
        ..area
    }
}

/// The line that is being written, with what is wrong with it.
fn draw_prompt(prompt: &Prompt, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    frame.render_widget(Clear, area);
    let sign = match prompt.purpose {
        Purpose::Filter => "/",
        Purpose::Command => ":",
    };
    let text = prompt.input.value();
    let mut spans = vec![Span::styled(
        format!(" {sign}"),
        look.theme.style(Tone::Key),
    )];
    let verdict = match &prompt.fault {
        None => {
            spans.push(Span::raw(shown(text).into_owned()));
            String::new()
        }
        Some(fault) => {
            let start = floor(text, fault.at);
            let end = floor(text, fault.at + fault.len.max(1));
            spans.push(Span::raw(shown(&text[..start]).into_owned()));
            spans.push(Span::styled(
                shown(&text[start..end]).into_owned(),
                look.theme.style(Tone::Alarm),
            ));
            spans.push(Span::raw(shown(&text[end..]).into_owned()));
            let hint = if fault.hint.is_empty() {
                String::new()
            } else {
                format!(" ({})", fault.hint)
            };
            format!("invalid: {}{hint} ", fault.message)
        }
    };
    let valid = if prompt.fault.is_none() && prompt.purpose == Purpose::Filter {
        "valid "
    } else {
        ""
    };
    ends(
        frame,
        area,
        Line::from(spans),
        Line::styled(format!("{verdict}{valid}"), look.theme.style(Tone::Head)),
    );
    let before: String = text.chars().take(prompt.input.cursor()).collect();
    let x = area.x + 2 + width(&shown(&before)) as u16;
    if x < area.right() {
        frame.set_cursor_position((x, area.y));
    }
}

/// The last place in a text that is not beyond `at` and not inside a character.
fn floor(text: &str, at: usize) -> usize {
    let at = at.min(text.len());
    (0..=at)
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or_default()
}
