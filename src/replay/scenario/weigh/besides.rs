//! What was judged besides the steps: handshakes, commands that nobody awaited, sessions and their records.

use super::Weighing;
use crate::clock::Micros;
use crate::facts::Leg;
use crate::judge::tree::same_number;
use crate::ledger::row::{Book, Command, Divergence, Outcome, Reason, Session, Subject};
use crate::replay::scenario::model::{Act, Booked};
use crate::replay::scenario::observed::Observed;
use crate::replay::scenario::results::Failure;

impl<'a> Weighing<'a> {
    /// Weighs what belongs to no step.
    pub(super) fn besides(&mut self) {
        let Some(observed) = self.observed else {
            if !self.scenario.sessions.is_empty() {
                self.unchecked
                    .push("sessions: there is only one backend".to_owned());
            }
            return;
        };
        let (charger, within) = (&self.played.charger, self.played.within);
        let mut found: Vec<&Divergence> = Vec::new();
        for row in observed.handshakes(charger, within) {
            found.extend(observed.divergences(Subject::Handshake, row.id));
        }
        for row in observed.exchanges(charger, within) {
            if !self.seen.contains(&row.id) {
                found.extend(observed.divergences(Subject::Exchange, row.id));
            }
        }
        for row in observed.commands(charger, within) {
            if !self.seen.contains(&row.id) {
                found.extend(observed.divergences(Subject::Command, row.id));
                self.alone(row);
            }
        }
        if self.scenario.sessions.is_empty() {
            for row in observed.sessions(charger, within) {
                found.extend(observed.divergences(Subject::Session, row.id));
            }
        }
        for divergence in found {
            self.failures.push(Failure {
                action: divergence.action.clone(),
                side: "both".to_owned(),
                expected: "nothing besides the steps differs".to_owned(),
                got: divergence.title.clone(),
                ..Failure::default()
            });
        }
        self.foreign(observed);
        self.sessions(observed);
    }

    /// A command that one backend alone has sent fails even where the judge cannot say whether the other would have followed.
    fn alone(&mut self, row: &Command) {
        if row.outcome != Outcome::NotComparable || (row.ours != 0 && row.theirs != 0) {
            return;
        }
        let (side, other) = match row.ours {
            0 => (Leg::Candidate, Leg::Legacy),
            _ => (Leg::Legacy, Leg::Candidate),
        };
        self.failures.push(Failure {
            action: row.action.clone(),
            side: side.word().to_owned(),
            expected: format!("no {} that {} does not send", row.action, other.word()),
            got: format!(
                "one: not comparable: {}",
                row.reason.map_or("unknown", Reason::word)
            ),
            ..Failure::default()
        });
    }

    /// What the charger hears is legacy's, and nothing that a step awaits of the candidate alone.
    fn foreign(&mut self, observed: &Observed) {
        let is_candidates = |action: &str| {
            self.scenario.steps.iter().any(|step| match &step.act {
                Act::Await(it) => it.action == action && it.from == [Leg::Candidate],
                _ => false,
            })
        };
        let played = self.played;
        for (id, action) in &played.unawaited {
            let is_legacys = observed.heard(&played.charger, id).is_some();
            if is_legacys && !is_candidates(action) {
                continue;
            }
            self.failures.push(Failure {
                action: action.clone(),
                side: Leg::Legacy.word().to_owned(),
                expected: "nothing of the candidate's reaches the charger".to_owned(),
                got: format!("a command {action}"),
                ..Failure::default()
            });
        }
    }

    fn sessions(&mut self, observed: &'a Observed) {
        let rows = observed.sessions(&self.played.charger, self.played.within);
        let rows: Vec<&Session> = rows.collect();
        for (number, booked) in self.scenario.sessions.iter().enumerate() {
            match rows.get(number) {
                Some(row) => self.session(booked, row, observed),
                None => self.session_failure(booked, "a session", "none", "both"),
            }
        }
        let told = self.scenario.sessions.len();
        if told == 0 {
            return;
        }
        for row in rows.iter().skip(told) {
            self.failures.push(Failure {
                side: "both".to_owned(),
                expected: format!("no more than {told} sessions"),
                got: format!("another one at connector {}", row.connector),
                ..Failure::default()
            });
        }
    }

    fn session(&mut self, booked: &Booked, row: &Session, observed: &Observed) {
        let books = [
            ("charger", &row.wire),
            ("legacy", &row.legacy),
            ("candidate", &row.candidate),
        ];
        let is_read = row.legacy.is_some() || row.candidate.is_some();
        for (whose, book) in books {
            match book {
                Some(book) => self.energy(booked, whose, book),
                None if is_read => self.energy(booked, whose, &Book::default()),
                None => {}
            }
        }
        if row.legacy.is_none() && row.candidate.is_none() {
            let note = "sessions: no records of the backends are read";
            if !self.unchecked.iter().any(|it| it == note) {
                self.unchecked.push(note.to_owned());
            }
            return;
        }
        let agrees = matches!(row.outcome, Some(Outcome::Equal | Outcome::Explained));
        if booked.agrees && !agrees {
            let titles = observed.divergences(Subject::Session, row.id);
            let titles: Vec<&str> = titles.map(|it| it.title.as_str()).collect();
            let got = match (row.outcome, row.reason) {
                (Some(outcome), Some(reason)) => format!("{}: {}", outcome.word(), reason.word()),
                (Some(outcome), None) => format!("{}: {}", outcome.word(), titles.join("; ")),
                (None, _) => "not judged: records are awaited".to_owned(),
            };
            self.session_failure(booked, "the books of both agree", &got, "both");
        }
    }

    fn energy(&mut self, booked: &Booked, whose: &str, book: &Book) {
        let Some((wanted, span)) = &booked.energy_wh else {
            return;
        };
        let found = book.energy_wh.as_deref();
        if found.is_some_and(|found| same_number(found, &wanted.to_string())) {
            return;
        }
        let got = found.map_or_else(|| "no energy".to_owned(), |found| format!("{found} Wh"));
        self.failures.push(Failure {
            side: whose.to_owned(),
            expected: format!("{wanted} Wh"),
            got,
            span: Some(span.clone()),
            ..Failure::default()
        });
    }

    fn session_failure(&mut self, booked: &Booked, expected: &str, got: &str, side: &str) {
        self.failures.push(Failure {
            side: side.to_owned(),
            expected: expected.to_owned(),
            got: got.to_owned(),
            span: Some(booked.span.clone()),
            ..Failure::default()
        });
    }
}

/// Whether the judge has weighed all sessions that a charger has told of, with the records of both backends.
pub fn are_booked(observed: &Observed, charger: &str) -> bool {
    let is_booked =
        |row: &Session| row.legacy.is_some() && row.candidate.is_some() && row.outcome.is_some();
    let always = (Micros::MIN, Micros::MAX);
    observed.sessions(charger, always).all(is_booked)
}
