//! How a verdict looks: the answer, the criteria behind it, the way back, and the people.

use std::fmt::Write as _;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};

use super::{Gate, count_of, sorted};
use crate::estate::gate::report::{Missing, Weighed};
use crate::estate::gate::{Outcome, Report, Verdict};
use crate::watch::pane;
use crate::watch::screen::{Look, Room};
use crate::watch::table::{self, Cell, Column, number, text, toned, wide};
use crate::watch::text::shown;
use crate::watch::theme::{Mark, Tone, of_verdict};
use crate::watch::verdicts::{STALE, Said};

/// The columns of criteria.
const COLUMNS: &[Column] = &[
    text("ID", 4, 0, ""),
    wide("CRITERION", 18, 0, ""),
    wide("NEED", 11, 2, ""),
    text("SEEN", 13, 1, ""),
    number("BOUND", 7, 3, ""),
    text("RESULT", 17, 0, ""),
];

/// Columns of the words at the left: `VERDICT  `.
const HEAD: u16 = 9;

/// Whether there is room for more than text.
pub(super) fn has_room(look: &Look<'_>) -> bool {
    look.room >= Room::Narrow
}

/// Draws it.
pub(super) fn draw(gate: &Gate, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let Some(said) = gate.said() else {
        return;
    };
    let looked = &said.report.evidence;
    let title = format!("GATE {}", shown(said.name()));
    if look.room == Room::Narrow {
        let inside = pane::boxed(frame, area, (&title, "failed first"), true, look);
        let above = answer(said, (inside.width, 1), look);
        let below = footer(said, inside.width, look);
        let [top, middle, bottom] = Layout::vertical([
            Constraint::Length(above.len() as u16 + 1),
            Constraint::Min(3),
            Constraint::Length(below.len() as u16),
        ])
        .areas(inside);
        frame.render_widget(Text::from(ruled(above, inside.width, look)), top);
        criteria(gate, said, frame, middle, look);
        frame.render_widget(Text::from(below), bottom);
        return;
    }
    let chargers = format!(
        "{}, models {}",
        crate::watch::text::count_of(looked.chargers, "charger"),
        models(&looked.models)
    );
    let above = answer(said, (area.width.saturating_sub(2), 3), look);
    let [top, middle, lower, last] = Layout::vertical([
        Constraint::Length(above.len() as u16 + 2),
        Constraint::Min(5),
        Constraint::Length(9),
        Constraint::Length(1),
    ])
    .areas(area);
    let inside = pane::boxed(frame, top, (&title, &chargers), false, look);
    frame.render_widget(Text::from(above), inside);
    let bound = format!(
        "failed first, bounds hold with {} %",
        said.report.confidence.round()
    );
    let inside = pane::boxed(frame, middle, ("CRITERIA", &bound), true, look);
    criteria(gate, said, frame, inside, look);
    let thirds = Layout::horizontal([Constraint::Ratio(1, 3); 3]).areas::<3>(lower);
    let panes = [
        ("ROLLBACK PATH", rollback(&said.report, look)),
        ("PEOPLE", people(&said.report)),
        ("DECISIONS", decisions(&said.report)),
    ];
    for (area, (title, lines)) in thirds.into_iter().zip(panes) {
        let inside = pane::boxed(frame, area, (title, ""), false, look);
        let lines = lines.iter().map(|line| look.mask.text(line));
        pane::prose(frame, inside, lines.map(Line::raw).collect::<Vec<_>>());
    }
    frame.render_widget(Line::styled(hint(said), look.theme.style(Tone::Dim)), last);
}

/// Everything in lines of this width, for where there is room for nothing else.
pub(super) fn told(said: &Said, width: u16, look: &Look<'_>) -> Vec<Line<'static>> {
    let mut lines = answer(said, (width, 9), look);
    for it in sorted(&said.report) {
        let (mark, tone, word) = result(it);
        let text = format!(
            "{} {word}  {} {}: {} (needs {}){}",
            look.theme.mark(mark),
            shown(&it.id),
            shown(&it.title),
            look.mask.text(&it.seen),
            it.need,
            bound(it).map_or_else(String::new, |bound| format!(", bound {bound}"))
        );
        lines.extend(pane::broken(&text, width, look.theme.style(tone)));
    }
    lines.extend(footer(said, width, look));
    lines
}

/// The verdict's word. A tap that is silent is no good news.
pub(super) fn word(said: &Said, look: &Look<'_>) -> String {
    if look.stale { STALE } else { said.word() }.to_owned()
}

/// VERDICT, WHY, TO GO and UNDO; each but the first takes at most so many lines.
fn answer(said: &Said, (width, most): (u16, usize), look: &Look<'_>) -> Vec<Line<'static>> {
    let report = &said.report;
    let word = word(said, look);
    let (mark, tone) = of_verdict(&word);
    let head = look.theme.style(Tone::Head);
    let first = Line::from(vec![
        Span::styled("VERDICT  ", head),
        Span::styled(
            format!("{} {word}", look.theme.mark(mark)),
            look.theme.style(tone),
        ),
        Span::raw(format!("   {}", counted(report, look))),
    ]);
    let mut lines = vec![pane::cut(first, width)];
    let mut why = report.why.clone();
    let silence = if look.stale {
        Some("the tap is silent".to_owned())
    } else {
        said.silence()
    };
    if let Some(silence) = silence {
        why.insert(0, format!("{silence}; it said {} before", report.says));
    }
    let told = [
        ("WHY", why.join("; ")),
        ("TO GO", report.to_go.join("; ")),
        ("UNDO", rollback(report, look)[..2].join(", ")),
    ];
    for (head, says) in told {
        let says = if says.is_empty() { "nothing" } else { &says };
        lines.extend(labelled((head, says), (width, most), look));
    }
    lines
}

/// A head and what stands beside it, broken into at most so many lines.
fn labelled(
    (head, says): (&str, &str),
    (width, most): (u16, usize),
    look: &Look<'_>,
) -> Vec<Line<'static>> {
    let room = width.saturating_sub(HEAD);
    let plain = look.theme.style(Tone::Plain);
    let mut broken = pane::broken(&look.mask.text(says), room, plain);
    if broken.len() > most {
        broken.truncate(most);
        if let Some(last) = broken.last_mut() {
            let cut = table::padded(&format!("{last} "), room.saturating_sub(3), false);
            *last = Line::raw(cut.trim_end().trim_end_matches('.').to_owned() + " ..");
        }
    }
    let lines = broken.into_iter().enumerate().map(|(number, line)| {
        let head = if number == 0 { head } else { "" };
        let head = format!("{head:<width$}", width = usize::from(HEAD));
        let mut spans = vec![Span::styled(head, look.theme.style(Tone::Head))];
        spans.push(Span::raw(line.to_string()));
        Line::from(spans)
    });
    lines.collect()
}

fn ruled(mut lines: Vec<Line<'static>>, width: u16, look: &Look<'_>) -> Vec<Line<'static>> {
    let rule = look.theme.rule().repeat(usize::from(width));
    lines.push(Line::styled(rule, look.theme.style(Tone::Dim)));
    lines
}

/// How many criteria came to what, and by which criteria and when.
fn counted(report: &Report, look: &Look<'_>) -> String {
    let met = count_of(report, Outcome::Met);
    let mut text = format!("{met} of {} met", report.criteria.len());
    for outcome in [
        Outcome::Failed,
        Outcome::Missing,
        Outcome::Excepted,
        Outcome::Note,
    ] {
        let count = count_of(report, outcome);
        if count > 0 {
            // Writing into a string cannot fail.
            let _ = write!(text, ", {count} {}", outcome.word());
        }
    }
    let looked = &report.evidence;
    let hash = looked.gate_hash.trim_start_matches("sha256:");
    let hash = hash.get(..4).unwrap_or(hash);
    let gate = shown(&looked.gate);
    let at = look.zone.day_of(&report.as_of);
    format!("{text}   {gate} {hash}   as of {at}")
}

fn criteria(gate: &Gate, said: &Said, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let listed = sorted(&said.report);
    let rows: Vec<Vec<Cell<'_>>> = listed.iter().map(|it| row(it, look)).collect();
    let most = if look.room == Room::Narrow { 1 } else { 2 };
    let [above, below] =
        Layout::vertical([Constraint::Min(2), Constraint::Length(most)]).areas(area);
    table::draw(frame, above, COLUMNS, (0, &rows), Some(gate.cursor), look);
    let Some(it) = gate.selected() else { return };
    let says = match (it.why.as_str(), it.to_go.as_str()) {
        ("", _) => format!("{}, as needed", it.seen),
        (why, "") => why.to_owned(),
        (why, to_go) => format!("{why}; {to_go}"),
    };
    let says = if it.blame.is_empty() {
        says
    } else {
        format!("{says} ({})", it.blame.join(", "))
    };
    let head = shown(&it.id);
    let lines = labelled((&head, &says), (below.width, usize::from(most)), look);
    frame.render_widget(Text::from(lines), below);
}

fn row<'a>(it: &'a Weighed, look: &Look<'_>) -> Vec<Cell<'a>> {
    let (mark, tone, word) = result(it);
    let advisory = if it.blocking { "" } else { " (advisory)" };
    vec![
        shown(&it.id).into(),
        format!("{}{advisory}", shown(&it.title)).into(),
        it.need.as_str().into(),
        look.mask.text(&it.seen).into(),
        bound(it).unwrap_or_else(|| "-".to_owned()).into(),
        toned(format!("{} {word}", look.theme.mark(mark)), tone),
    ]
}

fn bound(it: &Weighed) -> Option<String> {
    it.bound.map(|bound| format!("{:.2}%", 100.0 * bound))
}

fn result(it: &Weighed) -> (Mark, Tone, &'static str) {
    match it.result {
        Outcome::Met => (Mark::Go, Tone::Good, "met"),
        Outcome::Excepted => (Mark::Exception, Tone::Note, "excepted"),
        Outcome::Note => (Mark::Exception, Tone::Note, "note"),
        Outcome::Missing if it.missing == Some(Missing::Stale) => {
            (Mark::Stale, Tone::Warn, "stale")
        }
        Outcome::Missing => {
            let kind = it.missing.map_or("missing", Missing::words);
            (Mark::Hold, Tone::Warn, kind)
        }
        Outcome::Failed => (Mark::NoGo, Tone::Bad, "FAILED"),
    }
}

/// The way back; the first two lines say most.
fn rollback(report: &Report, look: &Look<'_>) -> Vec<String> {
    let undo = &report.undo;
    let mut lines = vec![match undo.path.as_str() {
        "" => "nobody said how the chargers come back".to_owned(),
        path => format!("the chargers come back by {path}"),
    }];
    lines.push(match undo.takes_s {
        Some(takes) => format!("takes about {} min", takes.div_ceil(60)),
        None => "nobody said how long it takes".to_owned(),
    });
    lines.push(match undo.rehearsed.as_str() {
        "" => "not rehearsed".to_owned(),
        day => format!("rehearsed {day}"),
    });
    if let Some(at) = &undo.last_safe_start {
        lines.push(format!("last safe start {}", look.zone.day_of(at)));
    }
    if let Some(at) = &undo.point_of_no_return {
        lines.push(format!("no way back from {}", look.zone.day_of(at)));
    }
    let open = crate::watch::text::count_of(undo.open_sessions, "session");
    lines.push(format!("{open} under way"));
    lines
}

fn people(report: &Report) -> Vec<String> {
    let people = &report.people;
    if people.wave.is_empty() {
        return vec!["no wave is planned: nobody was named".to_owned()];
    }
    let signed = match (&people.signed_by, &people.lapsed) {
        (Some(by), _) => format!("signed by {by}"),
        (None, Some(why)) => format!("lapsed: {why}"),
        (None, None) => "waiting".to_owned(),
    };
    let mut lines = vec![
        format!(
            "wave     {} on {} {}",
            people.wave, people.date, people.window
        ),
        format!("sign-off {}: {signed}", or_none(&people.sign_off)),
        format!("decision {}", or_none(&people.decision)),
        format!("deputy   {}", or_none(&people.deputy)),
    ];
    lines.extend(people.communications.iter().cloned());
    lines
}

/// Decisions, the newest first.
fn decisions(report: &Report) -> Vec<String> {
    if report.decisions.is_empty() {
        return vec!["nobody has decided anything yet".to_owned()];
    }
    let told = report.decisions.iter().rev().map(|it| {
        let at = it.at.get(..16).unwrap_or(&it.at);
        let criterion = it.criterion.as_deref().unwrap_or_default();
        let until = it
            .until
            .as_ref()
            .map_or_else(String::new, |until| format!(" until {until}"));
        let decided = format!("{} {criterion}{until}", it.decided);
        let reason = if it.reason.is_empty() { "" } else { ": " };
        format!(
            "{at} {} by {}{reason}{}",
            decided.trim_end(),
            it.by,
            it.reason
        )
    });
    told.collect()
}

/// The way back, the people, the last decision and how to decide, in a few lines.
fn footer(said: &Said, width: u16, look: &Look<'_>) -> Vec<Line<'static>> {
    let report = &said.report;
    let rule = look.theme.rule().repeat(usize::from(width));
    let mut lines = vec![Line::styled(rule, look.theme.style(Tone::Dim))];
    let last = decisions(report).swap_remove(0);
    let told = [
        ("ROLLBACK", rollback(report, look)[2..].join(", ")),
        ("PEOPLE", people(report).join("; ")),
        ("DECIDED", last),
        ("DECIDE", command(said)),
    ];
    for (head, says) in told {
        let says = says.split_whitespace().collect::<Vec<_>>().join(" ");
        lines.extend(labelled((head, &says), (width, 2), look));
    }
    lines
}

/// How decisions are made: not here.
fn hint(said: &Said) -> String {
    let command = command(said);
    match said.report.verdict {
        Verdict::Go => command,
        _ => command + "; go is refused until the verdict is GO",
    }
}

/// The command that decides what can be decided now.
fn command(said: &Said) -> String {
    let words = match said.report.verdict {
        Verdict::Go => "go|hold|roll-back",
        _ => "hold|roll-back",
    };
    let group = argument(said);
    format!("evenkeel decide {words} --group {group} --by NAME RECORDING")
}

/// The group as the command line takes it.
pub(super) fn argument(said: &Said) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name = shown(&said.group);
    if name.chars().all(plain) {
        name.into_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "nobody" } else { text }
}

fn models(models: &[String]) -> String {
    match models {
        [] => "not told".to_owned(),
        models => shown(&models.join(", ")).into_owned(),
    }
}
