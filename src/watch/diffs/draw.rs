//! The screen of findings: list above, explanation and exemplar below.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};

use super::{Data, Diffs, explain};
use crate::ledger::query::Finding;
use crate::ledger::row::{State, Subject};
use crate::ocpp::Severity;
use crate::report::comparison::dotted;
use crate::watch::pane;
use crate::watch::screen::{Look, Room};
use crate::watch::side_by_side;
use crate::watch::table::{self, Cell, Column, number, text, toned, wide};
use crate::watch::text::{grouped, shown};
use crate::watch::theme::Tone;

/// The columns of the list.
pub(super) const COLUMNS: &[Column] = &[
    text("SEV", 3, 0, "severity"),
    text("FINDING", 10, 0, "finding"),
    wide("WHERE", 28, 0, "action"),
    text("KIND", 11, 4, "kind"),
    number("COUNT", 6, 0, ""),
    number("OF", 6, 3, ""),
    number("CHG", 3, 5, ""),
    text("MODELS", 10, 8, "model"),
    text("LAST", 11, 2, ""),
    text("STATE", 9, 0, "state"),
    text("OWNER", 7, 9, "owner"),
];

pub(super) fn draw(diffs: &Diffs, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    if look.expanded {
        match look.focus {
            1 => explanation(diffs, frame, area, look),
            2 => exemplar(diffs, frame, area, look),
            _ => list(diffs, frame, area, look),
        }
        return;
    }
    let rows = diffs.listed().len() as u16 + 4;
    if look.room == Room::Wide {
        let upper = rows.clamp(6, (area.height / 2).max(6));
        let [above, below] =
            Layout::vertical([Constraint::Length(upper), Constraint::Min(0)]).areas(area);
        let [left, right] =
            Layout::horizontal([Constraint::Percentage(45), Constraint::Min(0)]).areas(below);
        list(diffs, frame, above, look);
        explanation(diffs, frame, left, look);
        exemplar(diffs, frame, right, look);
        return;
    }
    let upper = rows.clamp(4, (area.height / 2).max(4));
    let [above, below] =
        Layout::vertical([Constraint::Length(upper), Constraint::Min(0)]).areas(area);
    list(diffs, frame, above, look);
    if diffs.focus == 1 {
        explanation(diffs, frame, below, look);
    } else {
        exemplar(diffs, frame, below, look);
    }
}

fn list(diffs: &Diffs, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let data = diffs.known.ready();
    let title = data.map_or_else(
        || "FINDINGS".to_owned(),
        |data| {
            let seen: u64 = data.listed.iter().map(|finding| finding.count).sum();
            format!(
                "FINDINGS {} of {}, seen {} times",
                data.listed.len(),
                data.all,
                grouped(seen)
            )
        },
    );
    let inside = pane::boxed(frame, area, (&title, "worst first"), look.focus == 0, look);
    if pane::absent(frame, inside, &diffs.known, look) {
        return;
    }
    let Some(data) = data else { return };
    if data.listed.is_empty() {
        pane::prose(frame, inside, nothing(diffs, data));
        return;
    }
    let folded = folded(data);
    let [rows_at, last] = Layout::vertical([
        Constraint::Min(0),
        Constraint::Length(u16::from(folded.is_some())),
    ])
    .areas(inside);
    let rows: Vec<Vec<Cell<'_>>> = data
        .listed
        .iter()
        .map(|finding| row(finding, look))
        .collect();
    table::draw(
        frame,
        rows_at,
        COLUMNS,
        (0, &rows),
        Some(diffs.cursor()),
        look,
    );
    if let Some(says) = folded {
        frame.render_widget(Line::styled(says, look.theme.style(Tone::Dim)), last);
    }
}

/// Why the list is empty, and which key or command helps.
fn nothing(diffs: &Diffs, data: &Data) -> String {
    if data.all == 0 {
        return "No divergence has been found yet. 5 shows what is compared, 4 v what was exercised at all.".to_owned();
    }
    let mut says = format!("None of {} findings is listed.", data.all);
    if !diffs.sieve.text().is_empty() {
        says += " The filter hides some: Esc clears it, f picks a saved one.";
    }
    if diffs.open {
        says += " Only findings are listed that nobody decided about: o lists all.";
    }
    if !data.folded.is_empty() {
        says += " Some are gone or accepted: v shows them.";
    }
    says
}

/// Findings that are gone or accepted, as one line.
fn folded(data: &Data) -> Option<String> {
    let (id, state) = data.folded.first()?;
    let more = match data.folded.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "  gone or accepted, kept as evidence (v shows): {id} {state}{more}"
    ))
}

fn row<'a>(finding: &'a Finding, look: &Look<'_>) -> Vec<Cell<'a>> {
    let tone = match finding.severity {
        _ if super::is_settled(finding) => Tone::Dim,
        Severity::S0 | Severity::S1 => Tone::Bad,
        Severity::S2 => Tone::Warn,
        Severity::S3 => Tone::Plain,
        Severity::S4 => Tone::Dim,
    };
    let state = finding.life.state();
    let state_tone = match state {
        State::New | State::Regressed => Tone::Warn,
        State::Known => Tone::Plain,
        State::Accepted | State::Fixed => Tone::Dim,
    };
    let owner = finding
        .life
        .standing
        .as_ref()
        .map_or("", |standing| &standing.owner);
    vec![
        toned(finding.severity.code(), tone),
        toned(finding.id.as_str(), tone),
        toned(place(finding), tone),
        shown(&finding.kind).into(),
        grouped(finding.count).into(),
        grouped(finding.of).into(),
        finding.chargers.len().to_string().into(),
        shown(&finding.models.join(" ")).into_owned().into(),
        look.zone.day(finding.last_seen).into(),
        toned(state_word(finding), state_tone),
        look.mask.text(owner).into(),
    ]
}

/// Where it is, as people say it.
fn place(finding: &Finding) -> String {
    let action = shown(&finding.action);
    match (finding.subject, finding.path.as_str()) {
        (Subject::Handshake, _) => "(handshake)".to_owned(),
        (Subject::Session, _) => format!("{action} {}", shown(&finding.kind)),
        (Subject::Command, "") => format!("command {action}"),
        (Subject::Command, path) => format!("command {action} {}", dotted(path)),
        (Subject::Exchange, "") => action.into_owned(),
        (Subject::Exchange, path) => format!("{action} {}", dotted(path)),
    }
}

/// How it stands; a fix that holds is gone.
fn state_word(finding: &Finding) -> &'static str {
    match finding.life.state() {
        State::Fixed if finding.life.stopped => "gone",
        state => state.word(),
    }
}

fn explanation(diffs: &Diffs, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let finding = diffs.selected();
    let title = finding.map_or("FINDING", |finding| finding.id.as_str());
    let inside = pane::boxed(frame, area, (title, "explain"), look.focus == 1, look);
    let Some(finding) = finding else { return };
    let mut lines = Vec::new();
    for (name, says) in explain::told(finding, diffs.told(), look) {
        let name = format!("{name:<9} ");
        let room = inside.width.saturating_sub(10);
        let head = lines.is_empty();
        let tone = if head { Tone::Head } else { Tone::Plain };
        let (name, room) = if head {
            (String::new(), inside.width)
        } else {
            (name, room)
        };
        let style = look.theme.style(tone);
        for (at, mut line) in pane::broken(&says, room, style).into_iter().enumerate() {
            let name = if at == 0 {
                name.clone()
            } else {
                " ".repeat(name.len())
            };
            line.spans
                .insert(0, Span::styled(name, look.theme.style(Tone::Dim)));
            lines.push(line);
        }
    }
    pane::scrolled(frame, inside, lines, diffs.scroll[0]);
}

fn exemplar(diffs: &Diffs, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let Some(finding) = diffs.selected() else {
        pane::boxed(frame, area, ("SIDE BY SIDE", ""), look.focus == 2, look);
        return;
    };
    let title = format!(
        "{} exemplar {} of {}",
        finding.id,
        grouped(diffs.exemplar + 1),
        grouped(finding.count)
    );
    let inside = pane::boxed(frame, area, (&title, "side by side"), look.focus == 2, look);
    let mut lines = Vec::new();
    if look.room < Room::Wide && diffs.focus != 1 {
        let head = look.theme.style(Tone::Head);
        lines.extend(pane::broken(
            &look.mask.text(&finding.title),
            inside.width,
            head,
        ));
        let says = format!("{} (Tab explains)", explain::brief(finding, look));
        lines.extend(pane::broken(
            &says,
            inside.width,
            look.theme.style(Tone::Dim),
        ));
    }
    let told = diffs.told().map(|chosen| chosen.exemplar.as_ref());
    match told {
        None => lines.push(Line::styled(
            "Reading the texts ...",
            look.theme.style(Tone::Dim),
        )),
        Some(None) => lines.push(Line::raw(
            "The ledger no longer knows this sighting: it is being judged again.",
        )),
        Some(Some(exemplar)) => {
            let says = format!(
                "{} on {} at {}",
                exemplar.comparison.title,
                look.mask.charger(&exemplar.charger),
                look.zone.day(exemplar.at)
            );
            lines.extend(pane::broken(
                &says,
                inside.width,
                look.theme.style(Tone::Dim),
            ));
            lines.extend(side_by_side::lines(
                &exemplar.comparison,
                inside.width,
                diffs.fold,
                look,
            ));
            lines.push(Line::styled(
                side_by_side::summary(&exemplar.comparison),
                look.theme.style(Tone::Dim),
            ));
        }
    }
    pane::scrolled(frame, inside, lines, diffs.scroll[1]);
}
