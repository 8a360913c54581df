//! The life of findings: what people decided about them, and what was seen since.
//!
//! A finding is new until somebody says something about it. An acceptance ends when its time is over, when the finding
//! shows on a model that it was not given for, or more often than it allows. A finding that was said to be fixed and is
//! seen again has regressed; if the fix is claimed of a build that was not seen yet, it holds from that build on.
//!
//! Time is that of the facts, notes included: an acceptance that nobody outlived has not ended.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::notes;
use crate::clock::Micros;
use crate::facts::{Fact, Kind};
use crate::ledger::row::{Build, Divergence, Row, Standing, State, Subject};

/// Actions that are counted: more than there are, for those that chargers make up.
const ACTIONS: usize = 1_000;

/// What a triage note says: the body of its fact, as JSON. A part that is left out is said of nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Note {
    /// The finding; empty if the note only names the build of the run before it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub finding: String,
    /// What the finding is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<Subject>,
    /// The action of the finding.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// How it stands from now on; none leaves it as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Who answers for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// When an acceptance ends, µs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Micros>,
    /// Models that an acceptance is for; empty for all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// How often the finding may be seen under the acceptance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<u64>,
    /// The candidate's build: the one without the finding, or without a finding the one that the run before faced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
}

/// What is known of findings and builds between facts.
#[derive(Debug, Default)]
pub(super) struct States {
    /// The run of the tap: its first fact.
    run: u64,
    /// Builds that were seen.
    builds: BTreeSet<String>,
    /// Comparable subjects so far, by action.
    exposed: HashMap<String, [u64; 2]>,
    handshakes: u64,
    /// Findings that people said something about.
    held: BTreeMap<String, Held>,
    /// The first instant at which an acceptance ends.
    ends: Option<Micros>,
}

/// A finding that people said something about.
#[derive(Debug)]
struct Held {
    standing: Standing,
    subject: Subject,
    action: String,
    /// How often it was seen since.
    count: u64,
}

impl States {
    /// Takes the time and the kind of the next fact, before anything is made of it.
    pub(super) fn hear(&mut self, fact: &Fact, out: &mut dyn FnMut(Row)) {
        if self.ends.is_some_and(|ends| ends <= fact.at) {
            self.lapse(fact.at, out);
        }
        match fact.kind {
            Kind::TapStarted => {
                self.run = fact.seq;
                if let Some(build) = notes::read::<notes::Tap>(fact).build {
                    self.faces(build, out);
                }
            }
            Kind::Triage => {
                // A note that cannot be read says nothing; `verify` shows whether it was altered.
                let note = fact.text().and_then(|text| serde_json::from_str(text).ok());
                if let Some(note) = note {
                    self.decide(fact, note, out);
                }
            }
            _ => {}
        }
    }

    /// Lets a row out: what it adds to the counts is counted, and what it changes of a finding's life follows it.
    pub(super) fn pass(&mut self, mut row: Row, out: &mut dyn FnMut(Row)) {
        match &mut row {
            Row::Exchange(row) if row.outcome.is_comparable() => {
                self.count(Subject::Exchange, &row.action);
            }
            Row::Command(row) if row.outcome.is_comparable() => {
                self.count(Subject::Command, &row.action);
            }
            Row::Handshake(row) if row.outcome.is_comparable() => self.handshakes += 1,
            Row::Divergence(row) => {
                row.run = self.run;
                row.exposed = self.exposed(row.subject, &row.action);
                if let Some(standing) = self.seen(row) {
                    out(Row::Divergence(row.clone()));
                    out(Row::Standing(Box::new(standing)));
                    return;
                }
            }
            _ => {}
        }
        out(row);
    }

    fn count(&mut self, subject: Subject, action: &str) {
        let at = usize::from(subject == Subject::Command);
        if let Some(counts) = self.exposed.get_mut(action) {
            counts[at] += 1;
        } else if self.exposed.len() < ACTIONS {
            let mut counts = [0; 2];
            counts[at] = 1;
            self.exposed.insert(action.to_owned(), counts);
        }
    }

    /// How many were comparable so far. Sessions come again and are counted where they stand.
    fn exposed(&self, subject: Subject, action: &str) -> u64 {
        let counts = || self.exposed.get(action).copied().unwrap_or_default();
        match subject {
            Subject::Exchange => counts()[0],
            Subject::Command => counts()[1],
            Subject::Handshake => self.handshakes,
            Subject::Session => 0,
        }
    }

    /// A build of the candidate is there: fixes that are claimed of it hold from now on.
    fn faces(&mut self, build: String, out: &mut dyn FnMut(Row)) {
        out(Row::Build(Build {
            run: self.run,
            build: build.clone(),
        }));
        let mut held = std::mem::take(&mut self.held);
        for found in held.values_mut() {
            let standing = &mut found.standing;
            if standing.awaited && standing.build.as_ref() == Some(&build) {
                standing.awaited = false;
                standing.exposed = self.exposed(found.subject, &found.action);
                standing.since = format!("build {build} is there");
                out(Row::Standing(Box::new(standing.clone())));
            }
        }
        self.held = held;
        self.builds.insert(build);
    }

    /// Somebody said something.
    fn decide(&mut self, fact: &Fact, note: Note, out: &mut dyn FnMut(Row)) {
        if note.finding.is_empty() {
            if let Some(build) = note.build {
                self.faces(build, out);
            }
            return;
        }
        let Some(state) = note.state else {
            return;
        };
        let subject = note.subject.unwrap_or(Subject::Exchange);
        let awaited = state == State::Fixed
            && (note.build.as_ref()).is_some_and(|build| !self.builds.contains(build));
        let standing = Standing {
            id: fact.seq,
            at: fact.at,
            state,
            owner: note.owner,
            reason: note.reason,
            until: note.until,
            models: note.models,
            at_most: note.at_most,
            build: note.build,
            awaited,
            exposed: self.exposed(subject, &note.action),
            since: String::new(),
            finding: note.finding,
        };
        out(Row::Standing(Box::new(standing.clone())));
        let held = Held {
            subject,
            action: note.action,
            count: 0,
            standing,
        };
        self.held.insert(held.standing.finding.clone(), held);
        self.reckon();
    }

    /// A finding was seen: what has become of it, if that is news.
    fn seen(&mut self, row: &Divergence) -> Option<Standing> {
        let Held {
            standing, count, ..
        } = self.held.get_mut(&row.finding)?;
        *count += 1;
        let (state, since) = match standing.state {
            State::Fixed if !standing.awaited => {
                (State::Regressed, "seen again after the fix".to_owned())
            }
            State::Accepted if standing.at_most.is_some_and(|most| *count > most) => {
                let most = standing.at_most.unwrap_or_default();
                let since = format!("seen more often than the {most} times that were accepted");
                (State::Known, since)
            }
            State::Accepted
                if !standing.models.is_empty() && !standing.models.contains(&row.model) =>
            {
                let since = format!("seen on model {:?}, which was not accepted", row.model);
                (State::Known, since)
            }
            _ => return None,
        };
        (standing.state, standing.since) = (state, since);
        let standing = standing.clone();
        self.reckon();
        Some(standing)
    }

    /// Ends acceptances whose time is over.
    fn lapse(&mut self, now: Micros, out: &mut dyn FnMut(Row)) {
        for Held { standing, .. } in self.held.values_mut() {
            if standing.state == State::Accepted && standing.until.is_some_and(|until| until <= now)
            {
                standing.state = State::Known;
                "its acceptance has ended".clone_into(&mut standing.since);
                out(Row::Standing(Box::new(standing.clone())));
            }
        }
        self.reckon();
    }

    fn reckon(&mut self) {
        let held = self.held.values().map(|held| &held.standing);
        let accepted = held.filter(|standing| standing.state == State::Accepted);
        self.ends = accepted.filter_map(|standing| standing.until).min();
    }
}
