//! What to tell those who wait for news of the group: a drill-down of the gate.

use std::sync::Arc;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use serde_json::{Value, json};

use super::{Data, Question};
use crate::estate::comms::{self, Message};
use crate::watch::keys::{Action, Scope};
use crate::watch::pane;
use crate::watch::screen::{Look, Screen, Step};
use crate::watch::sieve::Sieve;
use crate::watch::snapshot::{self, Answer, Known};
use crate::watch::theme::Tone;

/// The screen.
#[derive(Debug)]
pub(super) struct News {
    known: Known<Data>,
    sieve: Sieve,
    scroll: u16,
}

impl News {
    /// The texts about the group that the gate shows.
    pub(super) fn of(data: Option<Arc<Data>>, sieve: Sieve) -> Self {
        Self {
            known: data.map_or(Known::Loading, Known::Ready),
            sieve,
            scroll: 0,
        }
    }

    fn messages(&self) -> Option<[Message; 3]> {
        let said = self.known.ready()?.said.as_ref()?;
        Some(comms::messages(&said.report, said.switch.as_ref()))
    }
}

impl Screen for News {
    fn number(&self) -> u8 {
        4
    }

    fn title(&self) -> String {
        "Comms".to_owned()
    }

    fn scopes(&self) -> &'static [Scope] {
        &[Scope::News]
    }

    fn question(&self, _rows: u16) -> snapshot::Question {
        snapshot::Question::Gate(Question {
            sieve: self.sieve.clone(),
        })
    }

    fn hear(&mut self, answer: Result<Answer, String>) {
        match answer {
            Ok(Answer::Gate(data)) => self.known = Known::Ready(data),
            Ok(_) => {}
            Err(why) => self.known = Known::Failed(why),
        }
    }

    fn draw(&self, frame: &mut Frame<'_>, area: Rect, look: &Look<'_>) {
        let title = ("COMMS", "y copies them; people send them");
        let inside = pane::boxed(frame, area, title, true, look);
        if pane::absent(frame, inside, &self.known, look) {
            return;
        }
        let mut lines = Vec::new();
        for message in self.messages().iter().flatten() {
            lines.push(Line::styled(
                format!("To {}", message.to),
                look.theme.style(Tone::Head),
            ));
            let says = look.mask.text(&message.says.join(" "));
            lines.extend(pane::broken(
                &says,
                inside.width,
                look.theme.style(Tone::Plain),
            ));
            lines.push(Line::raw(""));
        }
        pane::scrolled(frame, inside, lines, self.scroll);
    }

    fn act(&mut self, action: Action) -> Step {
        self.scroll = match action {
            Action::Up => self.scroll.saturating_sub(1),
            Action::Down => self.scroll.saturating_add(1).min(super::LAST),
            _ => return Step::Unused,
        };
        Step::Done
    }

    fn markdown(&self, look: &Look<'_>) -> Option<String> {
        let text = comms::text(&self.messages()?);
        let masked = text.lines().map(|line| look.mask.text(line) + "\n");
        Some(masked.collect())
    }

    fn status(&self, _look: &Look<'_>) -> String {
        "made of the gate, the decisions and the switches; times are UTC".to_owned()
    }

    fn json(&self, look: &Look<'_>) -> Value {
        let messages = self.messages();
        let told = messages.iter().flatten().map(
            |message| json!({"to": message.to, "says": look.mask.text(&message.says.join(" "))}),
        );
        Value::Array(told.collect())
    }
}
