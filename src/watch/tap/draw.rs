//! How the instrument's state looks.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};

use super::{Data, Tap, Tick};
use crate::ledger::query::Latency;
use crate::watch::pane;
use crate::watch::screen::{Look, Room};
use crate::watch::table::{self, Cell, Column, number, text, toned, wide};
use crate::watch::text::{bytes, count_of, grouped, millis, shown, span};
use crate::watch::theme::Tone;

/// The columns of the chargers.
pub(super) const COLUMNS: &[Column] = &[
    text("CHARGER", 18, 0, "charger"),
    text("MODEL", 14, 3, "model"),
    text("FIRMWARE", 9, 5, "firmware"),
    text("SINCE", 11, 2, ""),
    wide("CONNECTION", 16, 0, ""),
];

const LATENCIES: &[Column] = &[
    wide("ACTION", 20, 0, ""),
    text("SIDE", 9, 0, ""),
    number("N", 9, 3, ""),
    number("P50", 10, 0, ""),
    number("P95", 10, 0, ""),
    number("P99", 10, 2, ""),
];

/// Draws the screen.
pub(super) fn draw(tap: &Tap, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let panes: [fn(&Tap, &mut Frame<'_>, Rect, &Look<'_>); 4] =
        [chargers, instrument, latencies, losses];
    if look.expanded {
        panes[look.focus.min(3)](tap, frame, area, look);
        return;
    }
    match look.room {
        Room::Wide => {
            let [left, right] =
                Layout::horizontal([Constraint::Percentage(50), Constraint::Percentage(50)])
                    .areas(area);
            let [one, two] =
                Layout::vertical([Constraint::Length(16), Constraint::Min(6)]).areas(left);
            let [three, four] =
                Layout::vertical([Constraint::Percentage(50), Constraint::Percentage(50)])
                    .areas(right);
            instrument(tap, frame, one, look);
            losses(tap, frame, two, look);
            latencies(tap, frame, three, look);
            chargers(tap, frame, four, look);
        }
        Room::Narrow => {
            let [upper, lower] =
                Layout::vertical([Constraint::Min(10), Constraint::Length(7)]).areas(area);
            instrument(tap, frame, upper, look);
            chargers(tap, frame, lower, look);
        }
        Room::Small | Room::Tiny => instrument(tap, frame, area, look),
    }
}

fn instrument(tap: &Tap, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let inside = pane::boxed(
        frame,
        area,
        ("INSTRUMENT", "live path, recorder, legs"),
        look.focus == 1,
        look,
    );
    if pane::absent(frame, inside, &tap.known, look) {
        return;
    }
    if let Some(data) = tap.known.ready() {
        frame.render_widget(Text::from(numbers(data, look)), inside);
    }
}

/// A number with its name, and how it looks.
type Named = (&'static str, String, Tone);

fn plain(name: &'static str, says: String) -> Named {
    (name, says, Tone::Plain)
}

/// The same, which is bad news if it is so.
fn watchful(name: &'static str, bad: bool, says: String) -> Named {
    (name, says, if bad { Tone::Bad } else { Tone::Plain })
}

fn numbers(data: &Data, look: &Look<'_>) -> Vec<Line<'static>> {
    let pulse = &data.pulse;
    let (open, known) = (grouped(pulse.open), grouped(pulse.chargers));
    let (judged, facts) = (grouped(pulse.judged), grouped(pulse.facts));
    let mut rows = vec![
        plain("connected", format!("{open} open, {known} known")),
        plain("judged", format!("{judged} of {facts} facts")),
    ];
    match &data.tick {
        None => rows.push(plain(
            "ticks",
            "none yet in this run: the tap writes one a minute".to_owned(),
        )),
        Some(tick) => rows.extend(ticked(tick, look)),
    }
    let space = data.space.map_or_else(|| "?".to_owned(), bytes);
    rows.push(plain(
        "recording",
        format!("{}, {space} free", bytes(data.size)),
    ));
    rows.push(plain("frames/min", look.theme.chart(&data.frames)));
    for (name, says) in &data.about {
        rows.push(plain(name, shown(says).into_owned()));
    }
    let line = |(name, says, tone): Named| {
        Line::from(vec![
            Span::styled(format!("{name:<13}"), look.theme.style(Tone::Dim)),
            Span::styled(says, look.theme.style(tone)),
        ])
    };
    rows.into_iter().map(line).collect()
}

fn ticked(tick: &Tick, look: &Look<'_>) -> [Named; 8] {
    let age = span(look.now - tick.at);
    let (accepted, refused, unlisted) = tick.accepted;
    let (seen, queued, committed) = tick.recorder;
    let (frames, facts) = tick.recorder_lost;
    let (legs, connected, waiting) = tick.legs;
    [
        plain("as of", format!("{} ({age} ago)", look.zone.clock(tick.at))),
        watchful("shed", tick.lost > 0, count_of(tick.lost, "frame")),
        watchful(
            "recorder",
            queued > seen / 10 + 1_000,
            format!(
                "{} seen, {} queued, {} committed",
                grouped(seen),
                grouped(queued),
                grouped(committed)
            ),
        ),
        watchful(
            "lost by it",
            frames + facts > 0,
            format!("{}, {}", count_of(frames, "frame"), count_of(facts, "fact")),
        ),
        watchful(
            "shadow legs",
            connected < legs,
            format!(
                "{} of {} connected, {} queued",
                grouped(connected),
                grouped(legs),
                bytes(waiting)
            ),
        ),
        plain(
            "live path",
            format!(
                "{}, {}",
                count_of(tick.frames.0, "frame"),
                bytes(tick.frames.1)
            ),
        ),
        plain(
            "let in",
            format!("{accepted}, {refused} refused, {unlisted} unlisted"),
        ),
        watchful(
            "clock",
            tick.drift.abs() > 1_000_000,
            format!("stepped by {}", millis(tick.drift)),
        ),
    ]
}

fn losses(tap: &Tap, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let inside = pane::boxed(
        frame,
        area,
        ("GAPS, WITHHELD, FENCED", "newest first"),
        look.focus == 3,
        look,
    );
    if pane::absent(frame, inside, &tap.known, look) {
        return;
    }
    let Some(data) = tap.known.ready() else {
        return;
    };
    let mut lines = Vec::new();
    if data.gaps.is_empty() {
        lines.push(Line::raw("no gaps: every frame that was seen was recorded"));
    }
    for gap in &data.gaps {
        lines.push(Line::raw(format!(
            "{} gap of {} on {}: {}",
            look.zone.clock(gap.at),
            count_of(gap.frames, "frame"),
            look.mask.charger(&gap.charger),
            shown(&gap.why)
        )));
    }
    for (why, count) in &data.not_comparable {
        lines.push(Line::raw(format!(
            "not comparable, {why}: {}",
            grouped(*count)
        )));
    }
    for fenced in &data.fenced {
        let says = format!(
            "fenced {}: {} answered from {} on {}",
            shown(&fenced.action),
            grouped(fenced.count),
            fenced.source,
            count_of(fenced.chargers, "charger")
        );
        let plain = look.theme.style(Tone::Plain);
        lines.extend(pane::broken(&says, inside.width, plain));
    }
    frame.render_widget(Text::from(lines), inside);
}

fn latencies(tap: &Tap, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let inside = pane::boxed(
        frame,
        area,
        ("ANSWER TIMES", "authority, shadow, waiting in the tap"),
        look.focus == 2,
        look,
    );
    if pane::absent(frame, inside, &tap.known, look) {
        return;
    }
    let times = tap.known.ready().map_or(&[][..], |data| &data.latencies);
    if times.is_empty() {
        pane::prose(frame, inside, "No answer has been timed yet.");
        return;
    }
    let rows: Vec<Vec<Cell<'_>>> = times.iter().map(timed).collect();
    table::draw(frame, inside, LATENCIES, (0, &rows), None, look);
}

fn timed(time: &Latency) -> Vec<Cell<'_>> {
    vec![
        shown(&time.action).into(),
        time.what.as_str().into(),
        grouped(time.count).into(),
        millis(time.p50).into(),
        millis(time.p95).into(),
        millis(time.p99).into(),
    ]
}

fn chargers(tap: &Tap, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let listed = tap.chargers();
    let title = format!("CHARGERS {}", listed.len());
    let inside = pane::boxed(
        frame,
        area,
        (&title, "those away first"),
        look.focus == 0,
        look,
    );
    if pane::absent(frame, inside, &tap.known, look) {
        return;
    }
    if listed.is_empty() {
        pane::prose(
            frame,
            inside,
            "No charger has connected yet. Point one at the tap, or run: evenkeel check",
        );
        return;
    }
    let rows: Vec<Vec<Cell<'_>>> = listed
        .iter()
        .map(|line| {
            let away = !line.connected;
            vec![
                look.mask.charger(&line.charger).into(),
                shown(&line.about.model).into(),
                shown(&line.about.firmware).into(),
                look.zone.day(line.at).into(),
                toned(
                    look.mask.text(&line.says),
                    if away { Tone::Warn } else { Tone::Plain },
                ),
            ]
        })
        .collect();
    table::draw(frame, inside, COLUMNS, (0, &rows), Some(tap.cursor), look);
}
