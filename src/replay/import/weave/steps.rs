//! What happens in which order, in the logs of both backends about one charger.

use std::collections::{HashMap, VecDeque};

use super::super::What;
use super::Line;
use crate::clock::Micros;
use crate::facts::Dir;
use crate::ocpp::{Envelope, MessageType};

/// How long a backend may take for an answer before it has given none, µs.
const PATIENCE: Micros = 30_000_000;

/// What happens next.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Ours(usize),
    Theirs(usize),
    /// The other backend has not answered the CALL of this line.
    Silence(usize),
}

/// Both logs in the order of their times, the authority first. Nothing of the other log comes before its twin, or out of
/// the order of its log.
pub(super) fn steps(
    ours: &[Line<'_>],
    theirs: &[Line<'_>],
    pairs: &[Option<usize>],
    set_by: Micros,
) -> Vec<(Micros, Step)> {
    let mut steps: Vec<(Micros, Step)> = ours
        .iter()
        .enumerate()
        .map(|(place, line)| (line.entry.at, Step::Ours(place)))
        .collect();
    let mut now = Micros::MIN;
    let mut waiting: HashMap<String, VecDeque<(usize, Micros)>> = HashMap::new();
    for (place, line) in theirs.iter().enumerate() {
        let caused = pairs[place].map_or(Micros::MIN, |twin| ours[twin].entry.at);
        now = now.max(line.entry.at.saturating_sub(set_by)).max(caused);
        steps.push((now, Step::Theirs(place)));
        if let What::Message(dir, text) = &line.entry.what
            && let Ok(envelope) = Envelope::parse(text)
        {
            let queue = waiting.entry(envelope.id.into_owned()).or_default();
            match dir {
                Dir::FromCharger if envelope.kind == MessageType::Call => {
                    queue.push_back((place, now));
                }
                Dir::ToCharger if envelope.kind.is_answer() => drop(queue.pop_front()),
                _ => {}
            }
        }
    }
    let last = now;
    let silent = waiting
        .into_values()
        .flatten()
        .map(|(place, at)| (at.saturating_add(PATIENCE), Step::Silence(place)));
    steps.extend(silent.filter(|(due, _)| *due <= last));
    steps.sort_by_key(|(at, step)| match step {
        Step::Ours(place) => (*at, 0, *place),
        Step::Theirs(place) => (*at, 1, *place),
        Step::Silence(place) => (*at, 2, *place),
    });
    steps
}
