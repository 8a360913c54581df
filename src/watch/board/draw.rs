//! How the board looks, from the whole screen to a handful of lines.
//!
//! ```text
//! +- GROUPS --------------------------++- NEEDS A PERSON ----+
//! | table, worst first                || findings            |
//! | why                               |+---------------------+
//! | charts                            |+- TONIGHT -----------+
//! +-----------------------------------++---------------------+
//! +- EVENTS ------------------------------------------------ +
//! ```

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::{Board, Data, Group, Happening, Need};
use crate::ledger::query::Outcomes;
use crate::ocpp::Severity;
use crate::watch::pane;
use crate::watch::screen::{Look, Room};
use crate::watch::table::{self, Cell, Column, number, text, toned, wide};
use crate::watch::text::{grouped, shown, span};
use crate::watch::theme::{Mark, Tone, of_verdict, tone_of};
use crate::watch::verdicts::STALE;

/// The columns of the groups.
pub(super) const COLUMNS: &[Column] = &[
    text("", 1, 0, ""),
    wide("GROUP", 16, 0, "group"),
    text("STAGE", 8, 6, "stage"),
    text("VERDICT", 13, 0, "verdict"),
    text("CRITERIA", 8, 5, ""),
    number("OPEN", 4, 2, ""),
    number("S0-1", 4, 1, ""),
    number("CONN", 7, 3, ""),
    number("SESS", 5, 4, ""),
    number("WATCHED", 7, 8, ""),
];

/// Draws one pane.
type Pane = fn(&Board, &mut Frame<'_>, Rect, &Look<'_>);

/// Draws the screen.
pub(super) fn draw(board: &Board, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    if look.expanded {
        let panes: [Pane; 4] = [groups, needs, tonight, events];
        panes[look.focus.min(3)](board, frame, area, look);
        return;
    }
    match look.room {
        Room::Wide => {
            let [upper, lower] =
                Layout::vertical([Constraint::Min(12), Constraint::Length(9)]).areas(area);
            let [left, right] =
                Layout::horizontal([Constraint::Percentage(66), Constraint::Percentage(34)])
                    .areas(upper);
            let [above, below] =
                Layout::vertical([Constraint::Percentage(55), Constraint::Percentage(45)])
                    .areas(right);
            groups(board, frame, left, look);
            needs(board, frame, above, look);
            tonight(board, frame, below, look);
            events(board, frame, lower, look);
        }
        Room::Narrow => {
            let [upper, middle, lower] = Layout::vertical([
                Constraint::Min(8),
                Constraint::Length(5),
                Constraint::Length(4),
            ])
            .areas(area);
            groups(board, frame, upper, look);
            needs(board, frame, middle, look);
            events(board, frame, lower, look);
        }
        Room::Small | Room::Tiny => text_only(board, frame, area, look),
    }
}

fn groups(board: &Board, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let title = format!("GROUPS {}", board.groups().len());
    let inside = pane::boxed(frame, area, (&title, "worst first"), look.focus == 0, look);
    if pane::absent(frame, inside, &board.known, look) {
        return;
    }
    let Some(data) = board.known.ready() else {
        return;
    };
    let listed = board.groups();
    if listed.is_empty() {
        let says = if data.groups.is_empty() {
            "No charger has been seen yet. Point one at the tap, or run: evenkeel check"
        } else {
            "Nothing matches. Esc clears the filter."
        };
        pane::prose(frame, inside, says);
        return;
    }
    let rows: Vec<Vec<Cell<'_>>> = listed.iter().map(|group| row(group, data, look)).collect();
    // Where there is little room, groups come before the reasons of the selected one.
    let kept = if look.room == Room::Wide { 4 } else { 3 };
    let height = (rows.len() as u16 + 1)
        .min(inside.height.saturating_sub(kept))
        .max(2);
    let [above, below] =
        Layout::vertical([Constraint::Length(height), Constraint::Min(0)]).areas(inside);
    table::draw(frame, above, COLUMNS, (0, &rows), Some(board.cursor), look);
    let mut lines = vec![Line::styled(
        look.theme.rule().repeat(usize::from(below.width)),
        look.theme.style(Tone::Dim),
    )];
    if let Some(group) = board.selected() {
        lines.extend(why(group, data.has_gate, look));
    }
    lines.extend(charts(data, look));
    lines.extend(counts(data, look));
    frame.render_widget(ratatui::text::Text::from(lines), below);
}

fn row<'a>(group: &'a Group, data: &Data, look: &Look<'_>) -> Vec<Cell<'a>> {
    let (mark, tone, word) = verdict(group, data, look);
    let alarming = group.severe > 0;
    vec![
        toned(if alarming { "!" } else { " " }, Tone::Bad),
        shown(&group.name).into(),
        group.stage.as_str().into(),
        toned(format!("{} {word}", look.theme.mark(mark)), tone),
        group
            .verdict
            .as_ref()
            .map_or_else(
                || "-".to_owned(),
                |verdict| format!("{:02}/{:02}", verdict.met.0, verdict.met.1),
            )
            .into(),
        grouped(group.open).into(),
        toned(
            grouped(group.severe),
            if alarming { Tone::Bad } else { Tone::Plain },
        ),
        format!("{}/{}", group.connected.0, group.connected.1).into(),
        grouped(group.sessions).into(),
        span(group.watched).into(),
    ]
}

fn verdict<'a>(group: &'a Group, data: &Data, look: &Look<'_>) -> (Mark, Tone, &'a str) {
    // What was GO when the tap fell silent says nothing of now.
    if look.stale || group.silent.is_some() {
        return (Mark::Stale, Tone::Warn, STALE);
    }
    let Some(verdict) = &group.verdict else {
        return (
            Mark::Absent,
            Tone::Dim,
            if data.has_gate { "see 4" } else { "no gate" },
        );
    };
    let (mark, tone) = of_verdict(&verdict.word);
    (mark, tone, &verdict.word)
}

fn why(group: &Group, has_gate: bool, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let name = shown(&group.name);
    if let Some(since) = group.silent {
        lines.push(Line::raw(format!(
            "{name} is {STALE}: none of its chargers ({}) has been connected since {}",
            group.connected.1,
            look.zone.clock(since)
        )));
    }
    match &group.verdict {
        Some(verdict) => {
            let was = if group.silent.is_some() { "was" } else { "is" };
            let because = if verdict.why.is_empty() {
                ": nothing that blocks has failed or is missing"
            } else {
                " because"
            };
            lines.push(Line::raw(format!("{name} {was} {}{because}", verdict.word)));
            let why = verdict.why.iter().take(4);
            lines.extend(why.map(|why| Line::raw(format!("  {}", look.mask.text(why)))));
        }
        None if has_gate => lines.push(Line::raw(
            "A gate file is loaded; 4 shows what it asks for and what is met.",
        )),
        None => {
            lines.push(Line::raw(format!(
                "{name} has no verdict: no gate file is loaded."
            )));
            lines.push(Line::styled(
                "A gate file says what a group needs before it may move; 4 tells how to make one.",
                look.theme.style(Tone::Dim),
            ));
        }
    }
    lines
}

fn charts(data: &Data, look: &Look<'_>) -> Vec<Line<'static>> {
    [
        ("sessions/h", &data.sessions),
        ("new findings/h", &data.findings),
    ]
    .into_iter()
    .map(|(name, counts)| {
        let now = counts.last().copied().unwrap_or_default();
        Line::from(vec![
            Span::raw(format!("{name:<15} ")),
            Span::styled(look.theme.chart(counts), look.theme.style(Tone::Note)),
            Span::raw(format!("  now {}", grouped(now))),
        ])
    })
    .collect()
}

/// What was compared, with the marks that rows have elsewhere: the denominators of everything above.
fn counts(data: &Data, look: &Look<'_>) -> Vec<Line<'static>> {
    let line = |(name, outcomes): &(&'static str, Outcomes)| {
        let missing: u64 = outcomes.not_comparable.values().sum();
        let mut spans = vec![Span::raw(format!("{name:<15}"))];
        for (mark, count) in [
            ('=', outcomes.equal),
            ('~', outcomes.explained),
            ('x', outcomes.divergent),
            ('n', missing),
            ('.', outcomes.pending),
        ] {
            let tone = if count > 0 { tone_of(mark) } else { Tone::Dim };
            spans.push(Span::styled(
                format!(" {mark} {:>8}", grouped(count)),
                look.theme.style(tone),
            ));
        }
        Line::from(spans)
    };
    data.outcomes.iter().map(line).collect()
}

fn needs(board: &Board, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let needs = board.known.ready().map_or(&[][..], |data| &data.needs);
    let title = format!("NEEDS A PERSON {}", needs.len());
    // Where the plan of the night has no room, its most urgent instant stands here.
    let last_safe = (look.room == Room::Narrow)
        .then(|| board.known.ready()?.last_safe.as_ref())
        .flatten()
        .map_or_else(String::new, |at| {
            format!("last safe start {}", look.zone.day_of(at))
        });
    let inside = pane::boxed(frame, area, (&title, &last_safe), look.focus == 1, look);
    if pane::absent(frame, inside, &board.known, look) {
        return;
    }
    if needs.is_empty() {
        pane::prose(
            frame,
            inside,
            "Nobody is needed: no finding of S0 to S2 is undecided, no group waits.",
        );
        return;
    }
    let in_two = look.room == Room::Wide || look.expanded;
    let mut lines = Vec::new();
    for (number, need) in needs.iter().enumerate() {
        let mut head = vec![Span::raw(format!("{:>2} ", number + 1))];
        head.extend(needed(need, look));
        let says = look.mask.text(&need.says);
        if in_two {
            lines.push(Line::from(head));
            let plain = look.theme.style(Tone::Plain);
            let broken = pane::broken(&says, inside.width.saturating_sub(3), plain);
            let indented = broken.into_iter().take(3).map(|mut line| {
                line.spans.insert(0, Span::raw("   "));
                line
            });
            lines.extend(indented);
        } else {
            head.push(Span::raw(format!(": {says}")));
            lines.push(pane::cut(Line::from(head), inside.width));
        }
    }
    frame.render_widget(ratatui::text::Text::from(lines), inside);
}

/// Severity, finding and how it stands, or the verdict of a group.
fn needed(need: &Need, look: &Look<'_>) -> [Span<'static>; 2] {
    let subject = shown(&need.subject);
    let since = need
        .since
        .map_or_else(String::new, |at| format!(" since {}", look.zone.clock(at)));
    let (tag, tone) = match need.severity {
        Some(severity) if severity <= Severity::S1 => (severity.code(), Tone::Bad),
        Some(severity) => (severity.code(), Tone::Warn),
        None => {
            let (mark, tone) = of_verdict(&need.state);
            (look.theme.mark(mark), tone)
        }
    };
    [
        Span::styled(tag.to_owned(), look.theme.style(tone)),
        Span::raw(format!(" {subject} {}{since}", need.state)),
    ]
}

/// Only what is known: there is no plan of the night until waves say what it is.
fn tonight(board: &Board, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let inside = pane::boxed(frame, area, ("TONIGHT", ""), look.focus == 2, look);
    if pane::absent(frame, inside, &board.known, look) {
        return;
    }
    let data = board.known.ready();
    let Some(wave) = data.and_then(|data| data.wave.as_ref()) else {
        pane::prose(
            frame,
            inside,
            "No wave is planned: groups, windows and owners come from the estate in the tap's configuration.",
        );
        return;
    };
    let groups = board
        .groups()
        .iter()
        .filter(|group| group.wave == wave.name)
        .map(|group| group.name.clone())
        .collect::<Vec<_>>();
    let point = wave
        .point_of_no_return
        .map_or_else(String::new, |at| look.zone.day(at));
    let last_safe = data.and_then(|data| data.last_safe.as_ref());
    let last_safe = last_safe.map_or_else(String::new, |at| look.zone.day_of(at));
    let communications = wave.communications.join("; ");
    let rows = [
        ("wave", &wave.name),
        ("date", &wave.date),
        ("window", &wave.window),
        ("no return after", &point),
        ("last safe start", &last_safe),
        ("sign-off", &wave.sign_off),
        ("decision", &wave.decision),
        ("deputy", &wave.deputy),
        ("rollback", &wave.rollback),
        ("groups", &groups.join(", ")),
        ("comms", &communications),
    ];
    let lines = rows
        .into_iter()
        .filter(|(_, says)| !says.is_empty())
        .flat_map(|(name, says)| {
            let room = inside.width.saturating_sub(16);
            let broken = pane::broken(&shown(says), room, look.theme.style(Tone::Plain));
            let heads = std::iter::once(name).chain(std::iter::repeat(""));
            broken.into_iter().zip(heads).map(|(mut line, head)| {
                let head = Span::styled(format!("{head:<16}"), look.theme.style(Tone::Dim));
                line.spans.insert(0, head);
                line
            })
        });
    frame.render_widget(ratatui::text::Text::from(lines.collect::<Vec<_>>()), inside);
}

fn events(board: &Board, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let inside = pane::boxed(
        frame,
        area,
        ("EVENTS", "newest first"),
        look.focus == 3,
        look,
    );
    if pane::absent(frame, inside, &board.known, look) {
        return;
    }
    let events = board.known.ready().map_or(&[][..], |data| &data.events);
    if events.is_empty() {
        pane::prose(frame, inside, "Nothing has happened yet.");
        return;
    }
    let lines = events.iter().map(|event| event_line(event, look));
    let lines: Vec<Line<'_>> = lines.map(|line| pane::cut(line, inside.width)).collect();
    frame.render_widget(ratatui::text::Text::from(lines), inside);
}

fn event_line(event: &Happening, look: &Look<'_>) -> Line<'static> {
    let tone = match event.word {
        "ALERT" => Tone::Bad,
        "NEW" => Tone::Warn,
        "DEC" => Tone::Head,
        _ => Tone::Dim,
    };
    let charger = if event.charger.is_empty() {
        "tap".to_owned()
    } else {
        look.mask.charger(&event.charger)
    };
    Line::from(vec![
        Span::raw(format!("{} ", look.zone.clock(event.at))),
        Span::styled(format!("{:<5} ", event.word), look.theme.style(tone)),
        Span::raw(format!("{charger:<16} {}", look.mask.text(&event.says))),
    ])
}

/// Group, verdict, first reason, alarms: nothing else has room.
fn text_only(board: &Board, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    if pane::absent(frame, area, &board.known, look) {
        return;
    }
    let Some(data) = board.known.ready() else {
        return;
    };
    let mut lines = Vec::new();
    for (number, group) in board.groups().into_iter().enumerate() {
        let (mark, tone, word) = verdict(group, data, look);
        let chosen = if number as u64 == board.cursor.row {
            ">"
        } else {
            " "
        };
        lines.push(Line::from(vec![
            Span::raw(format!("{chosen} {} ", shown(&group.name))),
            Span::styled(
                format!("{} {word}", look.theme.mark(mark)),
                look.theme.style(tone),
            ),
            Span::raw(format!(
                ", {} open, {} S0-1",
                grouped(group.open),
                grouped(group.severe)
            )),
        ]));
        let first = group
            .verdict
            .as_ref()
            .and_then(|verdict| verdict.why.first());
        lines.extend(first.map(|why| Line::raw(format!("    {}", look.mask.text(why)))));
    }
    let needs = board.known.ready().map_or(&[][..], |data| &data.needs);
    lines.extend(needs.iter().map(|need| {
        let mut line = Line::from(needed(need, look).to_vec());
        line.push_span(Span::raw(format!(": {}", look.mask.text(&need.says))));
        line
    }));
    let lines = lines.into_iter().map(|line| pane::cut(line, area.width));
    let lines: Vec<Line<'_>> = lines.collect();
    frame.render_widget(ratatui::text::Text::from(lines), area);
}
