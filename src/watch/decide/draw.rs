//! How the dialog about a group looks.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use super::{Dialog, Place};
use crate::ledger::row::Word;
use crate::watch::form;
use crate::watch::pane;
use crate::watch::screen::Look;
use crate::watch::text::shown;
use crate::watch::theme::Tone;

/// Draws it at the lower end of `area`.
pub(in crate::watch) fn draw(dialog: &Dialog, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
    let mut lines = told(dialog, area.width.saturating_sub(2), look);
    lines.extend(fields(dialog, look));
    let fault = dialog.fault.clone().unwrap_or_default();
    lines.push(Line::styled(fault, look.theme.style(Tone::Alarm)));
    let button = |place: Place, name| form::button(name, dialog.place == place, look);
    lines.push(Line::from(vec![
        Span::raw("        "),
        button(Place::Cancel, "Cancel"),
        Span::raw("    "),
        button(Place::Record, "Record"),
    ]));
    let title = format!("{} {}", head(dialog), shown(&dialog.case.group));
    let inside = form::boxed(frame, area, lines.len() as u16 + 2, &title, look);
    // Where there is no room for all, the fields are what is needed.
    let hidden = lines.len().saturating_sub(usize::from(inside.height));
    let shown = lines.into_iter().skip(hidden);
    let shown: Vec<Line<'_>> = shown.map(|line| pane::cut(line, inside.width)).collect();
    frame.render_widget(Text::from(shown), inside);
}

fn head(dialog: &Dialog) -> String {
    match &dialog.case.criterion {
        Some(criterion) => format!("EXCEPTION {}", shown(criterion)),
        None => "DECIDE".to_owned(),
    }
}

/// What is known, and what the decision does.
fn told(dialog: &Dialog, width: u16, look: &Look<'_>) -> Vec<Line<'static>> {
    let does = match dialog.word() {
        Word::Go => "the running tap moves the chargers to the candidate, each once it is idle",
        Word::RollBack => "the running tap takes all chargers back to the legacy at once",
        Word::Hold => "it is written down: nobody is moved",
        Word::SignOff => "it is written down that the evidence is good enough",
        Word::Exception => "the criterion does not block until the exception ends",
    };
    let facts = dialog
        .case
        .facts
        .iter()
        .map(|(name, says)| (*name, says.clone()));
    let mut lines = Vec::new();
    for (name, says) in facts.chain([("does", does.to_owned())]) {
        let says = look.mask.text(&says);
        let broken = pane::broken(
            &says,
            width.saturating_sub(9),
            look.theme.style(Tone::Plain),
        );
        let names = std::iter::once(name).chain(std::iter::repeat(""));
        lines.extend(
            broken
                .into_iter()
                .take(2)
                .zip(names)
                .map(|(mut line, name)| {
                    let name = Span::styled(format!("{name:<9}"), look.theme.style(Tone::Dim));
                    line.spans.insert(0, name);
                    line
                }),
        );
    }
    lines
}

fn fields(dialog: &Dialog, look: &Look<'_>) -> Vec<Line<'static>> {
    let field = |place: Place, name: &str, text: &str, more: &str| {
        form::field(
            (format!("{name:<9}"), text, more),
            dialog.place == place,
            look,
        )
    };
    let is_needed = !matches!(dialog.word(), Word::Hold | Word::RollBack);
    let reason = if is_needed {
        "needed"
    } else {
        "may follow later"
    };
    let fields = dialog.places().iter().filter_map(|place| {
        let (name, text, more) = match place {
            Place::Decision => ("decision", dialog.word().word(), "Left and Right change it"),
            Place::Role => ("role", dialog.role.value(), "in which you decide"),
            Place::Reason => ("reason", dialog.reason.value(), reason),
            Place::Until => ("until", dialog.until.value(), "2027-01-31"),
            Place::AtMost => ("at most", dialog.at_most.value(), "failures that it covers"),
            Place::Group => ("group", dialog.group.value(), "type its name"),
            Place::Cancel | Place::Record => return None,
        };
        Some(field(*place, name, text, more))
    });
    fields.collect()
}
