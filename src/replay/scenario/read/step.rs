//! One step of a scenario file.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Names, bounded, expectations};
use crate::facts::Leg;
use crate::ledger::filter::nearest;
use crate::ocpp::Version;
use crate::ocpp::actions::{self, Side};
use crate::replay::scenario::model::{
    Act, Await, Call, Connection, Odd, Repeat, Reply, Setting, Step, instant,
};
use crate::replay::scenario::text::{Mistake, Section, duration, listed};

/// Keys that say what a step does.
const VERBS: [&str; 11] = [
    "call",
    "repeat",
    "await",
    "wait",
    "pause",
    "connection",
    "offline",
    "power_loss",
    "clock",
    "drift",
    "frame",
];

/// Real time that a step may wait at most.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// Simulated time that may pass in a step at most.
const LONGEST_WAIT: Duration = Duration::from_hours(24 * 365);

/// How long a command may take to come that does not say.
const WITHIN: Duration = Duration::from_secs(30);

/// Reads a step.
pub(super) fn step(
    section: &Section<'_>,
    number: u32,
    version: Version,
    names: &mut Names,
) -> Result<Step, Mistake> {
    let verb = verb(section)?;
    let span = section.place_of(verb).unwrap_or_default();
    let only = |more: &[&str]| {
        let known: Vec<&str> = [verb].iter().chain(more).copied().collect();
        section.only(&known)
    };
    let with = |more: &[&'static str]| -> Vec<&'static str> {
        more.iter().chain(&expectations::KEYS).copied().collect()
    };
    let act = match verb {
        "call" => {
            only(&with(&["payload", "fragments"]))?;
            Act::Call(call(section, version, names)?)
        }
        "repeat" => {
            only(&with(&[]))?;
            Act::Repeat(Repeat {
                same_id: repeat(section)?,
                terms: expectations::terms(section, names)?,
            })
        }
        "await" => {
            only(&with(&["payload", "from", "answer", "refuse", "within"]))?;
            Act::Await(command(section, version, names)?)
        }
        _ => {
            only(&[])?;
            event(section, verb)?
        }
    };
    Ok(Step { number, span, act })
}

fn verb(section: &Section<'_>) -> Result<&'static str, Mistake> {
    let found: Vec<&'static str> = VERBS
        .into_iter()
        .filter(|verb| section.get(verb).is_some())
        .collect();
    match found.as_slice() {
        [verb] => Ok(verb),
        [] => {
            // A key that was mistyped says more than that there is none.
            let keys = section.entries().map(|(key, span, _)| (span, key));
            let strange = keys
                .filter_map(|(span, key)| Some((span, nearest(key, VERBS.into_iter())?)))
                .min_by_key(|(span, _)| span.start);
            let (span, help) = match strange {
                Some((span, near)) => (span, format!("did you mean `{near}`?")),
                None => (section.span(), format!("one of {}", listed(&VERBS))),
            };
            Err(Mistake::new(
                span,
                "the step does nothing",
                "says not what happens",
                help,
            ))
        }
        [first, second, ..] => {
            let span = section.place_of(second).unwrap_or_default();
            let what = format!("the step does two things: `{first}` and `{second}`");
            Err(Mistake::new(
                span,
                what,
                "the second",
                "begin another [[step]]",
            ))
        }
    }
}

fn call(section: &Section<'_>, version: Version, names: &mut Names) -> Result<Call, Mistake> {
    let action = action(section, "call", version, Side::Charger)?;
    let known = actions::find(version, &action);
    if known.is_some_and(|known| known.reply == actions::Reply::None) {
        expectations::no_answer(section, &action)?;
    }
    let payload = payload(section, names)?;
    let fragments = match section.number("fragments")? {
        None => 1,
        Some(count) => u32::try_from(count)
            .ok()
            .filter(|count| (1..=64).contains(count))
            .ok_or_else(|| {
                let span = section.place_of("fragments").unwrap_or_default();
                Mistake::new(
                    span,
                    "no such number of frames",
                    "out of range",
                    "write 2 to 64",
                )
            })?,
    };
    Ok(Call {
        action,
        payload,
        fragments,
        terms: expectations::terms(section, names)?,
    })
}

fn payload(section: &Section<'_>, names: &Names) -> Result<Option<Value>, Mistake> {
    let Some(table) = section.get("payload") else {
        return Ok(None);
    };
    Section::of(table, "a payload")?;
    names.template(table).map(Some)
}

fn repeat(section: &Section<'_>) -> Result<bool, Mistake> {
    let word = section.needs("repeat", "same id")?;
    match *word.get_ref() {
        "same id" => Ok(true),
        "new id" => Ok(false),
        other => {
            let what = format!("a CALL cannot be repeated with {other:?}");
            let help = "write \"same id\" or \"new id\"";
            Err(Mistake::new(word.span(), what, "unknown word", help))
        }
    }
}

fn command(section: &Section<'_>, version: Version, names: &mut Names) -> Result<Await, Mistake> {
    let action = action(section, "await", version, Side::Csms)?;
    let from = match section.text("from")? {
        None => vec![Leg::Legacy, Leg::Candidate],
        Some(word) => match *word.get_ref() {
            "both" => vec![Leg::Legacy, Leg::Candidate],
            "legacy" => vec![Leg::Legacy],
            "candidate" => vec![Leg::Candidate],
            other => {
                let what = format!("no command comes from {other:?}");
                let help = "write \"both\", \"legacy\" or \"candidate\"";
                return Err(Mistake::new(word.span(), what, "unknown word", help));
            }
        },
    };
    let within = match section.span_of("within")? {
        None => WITHIN,
        Some(within) => bounded(&within, LONGEST_PAUSE, "a command may take ten minutes")?,
    };
    let answer = match (section.get("answer"), section.text("refuse")?) {
        (Some(_), Some(code)) => {
            let what = "a command is answered or refused";
            return Err(Mistake::new(
                code.span(),
                what,
                "one of the two",
                "remove `answer` or `refuse`",
            ));
        }
        (_, Some(code)) => Reply::Error((*code.get_ref()).to_owned()),
        (Some(table), None) => {
            Section::of(table, "an answer")?;
            Reply::Result(names.template(table)?)
        }
        (None, None) => Reply::Result(json!({ "status": "Accepted" })),
    };
    Ok(Await {
        action,
        from,
        payload: payload(section, names)?.unwrap_or_else(|| json!({})),
        answer,
        within,
        terms: expectations::terms(section, names)?,
    })
}

/// An action that the side may call; actions that no version knows are allowed, misspelled ones are not.
fn action(
    section: &Section<'_>,
    key: &'static str,
    version: Version,
    side: Side,
) -> Result<String, Mistake> {
    let named = section.needs(key, "BootNotification")?;
    let name = *named.get_ref();
    match actions::find(version, name) {
        Some(known) if known.sender.allows(side) => Ok(name.to_owned()),
        Some(_) => {
            let (what, help) = match side {
                Side::Charger => ("charger", "await"),
                Side::Csms => ("backend", "call"),
            };
            Err(Mistake::new(
                named.span(),
                format!("no {what} sends {name}"),
                format!("not from a {what}"),
                format!("write  {help} = {name:?}"),
            ))
        }
        None => {
            let known = actions::all(version).map(|action| action.name);
            let Some(near) = nearest(name, known) else {
                return Ok(name.to_owned());
            };
            let what = format!("OCPP {} has no action {name:?}", version.number());
            let help = format!("did you mean {near:?}?");
            Err(Mistake::new(named.span(), what, "unknown action", help))
        }
    }
}

fn event(section: &Section<'_>, verb: &str) -> Result<Act, Mistake> {
    let passes = |most, help| match section.span_of(verb)? {
        Some(time) => bounded(&time, most, help),
        None => Ok(Duration::ZERO),
    };
    let year = "a year may pass";
    Ok(match verb {
        "wait" => Act::Wait(passes(LONGEST_WAIT, year)?),
        "offline" => Act::Offline(passes(LONGEST_WAIT, year)?),
        "power_loss" => Act::PowerLoss(passes(LONGEST_WAIT, year)?),
        "pause" => Act::Pause(passes(LONGEST_PAUSE, "a step may wait ten minutes")?),
        "connection" => Act::Connection(word(
            section,
            verb,
            &[
                ("lost", Connection::Lost),
                ("closed", Connection::Closed),
                ("back", Connection::Back),
            ],
        )?),
        "frame" => Act::Frame(word(
            section,
            verb,
            &[
                ("not json", Odd::NotJson),
                ("binary", Odd::Binary),
                ("empty", Odd::Empty),
                ("no array", Odd::NoArray),
            ],
        )?),
        _ => Act::Clock(clock(section, verb)?),
    })
}

/// One of some words.
fn word<T: Copy>(section: &Section<'_>, key: &str, words: &[(&str, T)]) -> Result<T, Mistake> {
    let named = section.needs(key, words.first().map_or("", |(word, _)| word))?;
    let meant = words.iter().find(|(word, _)| word == named.get_ref());
    meant.map(|(_, means)| *means).ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let what = format!("`{key}` cannot be {:?}", named.get_ref());
        let help = match nearest(named.get_ref(), known.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("one of {}", listed(&known)),
        };
        Mistake::new(named.span(), what, "unknown word", help)
    })
}

fn clock(section: &Section<'_>, key: &str) -> Result<Setting, Mistake> {
    let named = section.needs(key, "-2h")?;
    let text = *named.get_ref();
    let by = match text.split_at_checked(1) {
        Some(("+", by)) => duration(by).map(|by| by.as_micros() as i64),
        Some(("-", by)) => duration(by).map(|by| -(by.as_micros() as i64)),
        _ => None,
    };
    let setting = match (key, by) {
        ("drift", by) => by.map(Setting::Gains),
        (_, Some(by)) => Some(Setting::By(by)),
        (_, None) => instant(text).map(Setting::To),
    };
    setting.ok_or_else(|| {
        let help = match key {
            "drift" => "write what it gains or loses in an hour, as \"+30s\" or \"-2m\"",
            _ => "write how far it is put forward or back, as \"+2h\" or \"-10m\", or an instant, as \"1970-01-01T00:00:00Z\"",
        };
        let what = format!("a clock cannot be set to {text:?}");
        Mistake::new(named.span(), what, "cannot be read", help)
    })
}
