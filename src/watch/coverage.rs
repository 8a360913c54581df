//! Model by action: what was exercised, and how often. A drill-down of the gate.
//!
//! What nothing has tested is no parity: an empty cell is the point of this table. A cell counts what was compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};
use serde_json::{Value, json};

use super::books::{Books, BooksError};
use super::keys::{Action, Scope};
use super::pane;
use super::screen::{Look, Screen, Step};
use super::snapshot::{self, Answer, Known};
use super::table::{Cursor, padded};
use super::text::{grouped, shown};
use super::theme::Tone;
use crate::ledger::query::{Matrix, Outcomes};
use crate::ocpp::Version;
use crate::ocpp::actions::{self, Side};

/// Fewer comparisons than this are thin: with none of twenty differing, one in seven may.
const THIN: u64 = 20;

/// What cells say.
const LEGEND: &str =
    "  numbers: compared   thin: below 20   n: seen, not compared   never: not seen";

/// Columns of the actions' names, and of one model.
const NAME: u16 = 30;
const MODEL: u16 = 14;

/// What the screen asks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question;

/// What the screen shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Data {
    /// Models, and how many chargers have each.
    pub models: Vec<(String, u64)>,
    /// Actions in order of their names, with what came of each on each model.
    pub actions: Vec<(String, BTreeMap<String, Outcomes>)>,
}

/// The screen.
#[derive(Debug, Default)]
pub struct Coverage {
    known: Known<Data>,
    cursor: Cursor,
}

/// Reads what the screen shows.
pub fn read(books: &Books, _question: &Question) -> Result<Data, BooksError> {
    let ledger = books.ledger()?;
    let Matrix {
        models,
        versions,
        mut cells,
    } = ledger.matrix()?;
    // What chargers of these versions may say is listed even if none has said it.
    for version in versions
        .iter()
        .filter_map(|number| Version::from_number(number))
    {
        for action in actions::all(version).filter(|action| action.sender.allows(Side::Charger)) {
            cells.entry(action.name.to_owned()).or_default();
        }
    }
    let (charger, commands): (Vec<_>, Vec<_>) = cells
        .into_iter()
        .partition(|(action, _)| !action.starts_with("command "));
    Ok(Data {
        models: models.into_iter().collect(),
        actions: charger.into_iter().chain(commands).collect(),
    })
}

/// How well an action was exercised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Never,
    NotCompared(u64),
    Thin(u64),
    Enough(u64),
}

impl Seen {
    fn of(outcomes: Option<&Outcomes>) -> Self {
        let Some(outcomes) = outcomes else {
            return Self::Never;
        };
        match outcomes.comparable() {
            0 => Self::NotCompared(outcomes.not_comparable.values().sum()),
            few if few < THIN => Self::Thin(few),
            many => Self::Enough(many),
        }
    }

    fn says(self) -> String {
        match self {
            Self::Never => "never".to_owned(),
            Self::NotCompared(count) => format!("n {}", grouped(count)),
            Self::Thin(count) => format!("thin {}", grouped(count)),
            Self::Enough(count) => grouped(count),
        }
    }

    const fn tone(self) -> Tone {
        match self {
            Self::Never => Tone::Dim,
            Self::NotCompared(_) | Self::Thin(_) => Tone::Warn,
            Self::Enough(_) => Tone::Good,
        }
    }
}

impl Coverage {
    fn data(&self) -> Option<&Data> {
        self.known.ready()
    }

    /// The selected action and model.
    fn selected(&self) -> Option<(&str, &str, Option<&Outcomes>)> {
        let data = self.data()?;
        let (action, cells) = data.actions.get(self.cursor.row as usize)?;
        let (model, _) = data.models.get(self.cursor.column)?;
        Some((action, model, cells.get(model)))
    }

    fn row(
        &self,
        data: &Data,
        (number, models): (usize, &[usize]),
        look: &Look<'_>,
    ) -> Line<'static> {
        let (action, cells) = &data.actions[number];
        let chosen = self.cursor.row == number as u64;
        let over = look.theme.style(Tone::Selected);
        let style = |tone| if chosen { over } else { look.theme.style(tone) };
        let mark = if chosen { "> " } else { "  " };
        let mut spans = vec![Span::styled(
            format!("{mark}{}", padded(&shown(action), NAME, false)),
            style(Tone::Plain),
        )];
        for at in models {
            let seen = Seen::of(cells.get(&data.models[*at].0));
            let mut style = style(seen.tone());
            if chosen && self.cursor.column == *at {
                style = style.add_modifier(ratatui::style::Modifier::UNDERLINED);
            }
            spans.push(Span::styled(" ", if chosen { over } else { style }));
            spans.push(Span::styled(padded(&seen.says(), MODEL, true), style));
        }
        Line::from(spans)
    }

    /// The models that fit, the selected one among them.
    fn in_sight(&self, data: &Data, width: u16) -> Vec<usize> {
        let fit = usize::from(width.saturating_sub(NAME + 2) / (MODEL + 1)).max(1);
        let first = (self.cursor.column + 1).saturating_sub(fit);
        (first..data.models.len().min(first + fit)).collect()
    }

    /// What the selected cell holds, in a line.
    fn told(&self) -> String {
        let Some((action, model, outcomes)) = self.selected() else {
            return String::new();
        };
        let told = match outcomes {
            None => "never seen".to_owned(),
            Some(it) => {
                let rest: u64 = it.not_comparable.values().sum();
                format!(
                    "{} equal, {} explained, {} divergent, {rest} not comparable",
                    it.equal, it.explained, it.divergent
                )
            }
        };
        format!("  {} on {}: {told}", shown(action), named(model))
    }

    /// How many cells are how.
    fn counts(&self) -> [usize; 4] {
        let mut counts = [0; 4];
        let Some(data) = self.data() else {
            return counts;
        };
        for (_, cells) in &data.actions {
            for (model, _) in &data.models {
                let at = match Seen::of(cells.get(model)) {
                    Seen::Enough(_) => 0,
                    Seen::Thin(_) => 1,
                    Seen::NotCompared(_) => 2,
                    Seen::Never => 3,
                };
                counts[at] += 1;
            }
        }
        counts
    }
}

/// Names of the models in sight.
fn head(data: &Data, models: &[usize], look: &Look<'_>) -> Line<'static> {
    let mut text = format!("  {}", padded("ACTION", NAME, false));
    for at in models {
        let (model, chargers) = &data.models[*at];
        let name = format!("{} x{chargers}", named(model));
        text += " ";
        text += &padded(&name, MODEL, true);
    }
    Line::styled(text, look.theme.style(Tone::Head))
}

/// A model's name; chargers that have not told theirs have one, too.
fn named(model: &str) -> String {
    match model {
        "" => "(not told)".to_owned(),
        model => shown(model).into_owned(),
    }
}

impl Screen for Coverage {
    fn number(&self) -> u8 {
        4
    }

    fn title(&self) -> String {
        "Coverage".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::Coverage, Scope::List]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Coverage(Question)
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Coverage(data)) => self.known = Known::Ready(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let inside = pane::boxed(
            frame,
            area,
            ("COVERAGE", "compared, by action and model"),
            true,
            look,
        );
        if pane::absent(frame, inside, &self.known, look) {
            return;
        }
        let Some(data) = self.data() else { return };
        if data.models.is_empty() || data.actions.is_empty() {
            pane::prose(
                frame,
                inside,
                "Nothing has been exercised yet: no message of a charger was judged. 5 shows what comes in.",
            );
            return;
        }
        let models = self.in_sight(data, inside.width);
        if models.len() < data.models.len() {
            let (shown, all) = (models.len(), data.models.len());
            let says = format!("{shown} of {all} models, Left and Right move");
            pane::boxed(frame, area, ("COVERAGE", &says), true, look);
        }
        let height = usize::from(inside.height.saturating_sub(3));
        let at = self.cursor.row as usize;
        let top = at
            .saturating_sub(height / 2)
            .min(data.actions.len().saturating_sub(height));
        let rows = (top..data.actions.len().min(top + height))
            .map(|number| self.row(data, (number, &models), look));
        let mut lines: Vec<Line<'_>> = std::iter::once(head(data, &models, look))
            .chain(rows)
            .collect();
        lines.push(Line::styled(self.told(), look.theme.style(Tone::Plain)));
        let legend = Line::styled(LEGEND, look.theme.style(Tone::Dim));
        lines.push(pane::cut(legend, inside.width));
        frame.render_widget(Text::from(lines), inside);
    }

    fn act(&mut self, action: Action) -> Step {
        let (rows, models) = self.data().map_or((0, 0), |data| {
            (data.actions.len() as u64, data.models.len())
        });
        if self.cursor.act(action, rows, models) {
            return Step::Done;
        }
        match action {
            Action::Export => match self.data() {
                Some(data) => Step::Export("coverage.csv".to_owned(), csv(data)),
                None => Step::Say("nothing has been read yet".to_owned()),
            },
            Action::Open => match self.selected() {
                Some((action, model, _)) => {
                    let action = action.strip_prefix("command ").unwrap_or(action);
                    let mut filter = super::sieve::term("action", action);
                    if !model.is_empty() {
                        filter = format!("{filter} {}", super::sieve::term("model", model));
                    }
                    Step::Go(2, filter)
                }
                None => Step::Say("there is no cell to open".to_owned()),
            },
            _ => Step::Unused,
        }
    }

    fn markdown(&self, _look: &Look<'_>) -> Option<String> {
        let (action, model, outcomes) = self.selected()?;
        let says = Seen::of(outcomes).says();
        Some(format!("{} on {}: {says}\n", shown(action), named(model)))
    }

    fn status(&self, _look: &Look<'_>) -> String {
        let [enough, thin, not_compared, never] = self.counts();
        format!("{enough} enough  {thin} thin  {not_compared} not compared  {never} never")
    }

    fn json(&self, _look: &Look<'_>) -> Value {
        let Some(data) = self.data() else {
            return Value::Null;
        };
        let row = |(action, cells): &(String, BTreeMap<String, Outcomes>)| {
            let compared: BTreeMap<String, u64> = cells
                .iter()
                .map(|(model, seen)| (model.clone(), seen.comparable()))
                .collect();
            json!({"action": action, "compared": compared})
        };
        json!({
            "models": data.models.iter().map(|(model, chargers)| json!({"model": model, "chargers": chargers})).collect::<Vec<_>>(),
            "actions": data.actions.iter().map(row).collect::<Vec<_>>(),
        })
    }
}

/// The matrix as CSV: a line for each action and model.
fn csv(data: &Data) -> String {
    let mut text = "action,model,chargers,equal,explained,divergent,not_comparable\n".to_owned();
    let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
    for (action, cells) in &data.actions {
        for (model, chargers) in &data.models {
            let none = Outcomes::default();
            let seen = cells.get(model).unwrap_or(&none);
            let rest: u64 = seen.not_comparable.values().sum();
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "{},{},{chargers},{},{},{},{rest}",
                quoted(action),
                quoted(model),
                seen.equal,
                seen.explained,
                seen.divergent
            );
        }
    }
    text
}
