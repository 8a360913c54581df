//! What single lines leave open: which way a message went, when, and on which charger.

use std::collections::HashMap;

use super::{Entry, Format, Found, ImportError, Log, Reading, Said, Way, What};
use crate::clock::Micros;
use crate::facts::Dir;
use crate::ocpp::actions::{self, Sender};
use crate::ocpp::{Envelope, MessageType, Version};

/// Between entries of a log that tells no time, µs.
const STEP: Micros = 1_000;

/// Fills what is open from what is known. What stays open is bad.
pub(super) fn settle(
    found: Vec<Found>,
    format: Format,
    reading: &Reading<'_>,
) -> Result<Log, ImportError> {
    let first = found.iter().find_map(|entry| entry.at);
    let mut clock = first.unwrap_or(0);
    let inward = inward(&found);
    let mut asked = HashMap::new();
    let (mut entries, mut talk, mut untimed) = (Vec::new(), 0, 0);
    for entry in found {
        let what = match entry.said {
            Said::Talk => {
                talk += 1;
                continue;
            }
            Said::Opened => What::Opened,
            Said::Closed => What::Closed,
            Said::Bad(why) => What::Bad(why),
            Said::Message(text, way) => {
                let charger = entry.charger.as_deref().unwrap_or_default();
                match direction(&text, way, inward, charger, &mut asked) {
                    Some(dir) => What::Message(dir, text),
                    None => What::Bad("which way it went is not told".to_owned()),
                }
            }
        };
        untimed += u64::from(entry.at.is_none());
        clock = match (entry.at, first) {
            (Some(at), _) => at,
            (None, Some(_)) => clock,
            (None, None) => clock + STEP,
        };
        let charger = entry.charger.filter(|charger| !charger.is_empty());
        let charger = charger.or_else(|| reading.charger.map(str::to_owned));
        if charger.is_none() && !matches!(what, What::Bad(_)) {
            return Err(ImportError::NoCharger(entry.line));
        }
        entries.push(Entry {
            line: entry.line,
            at: clock,
            charger: charger.unwrap_or_default(),
            version: entry.version,
            what,
        });
    }
    adopt(&mut entries);
    if entries.is_empty() {
        let why = "it holds no message".to_owned();
        return Err(ImportError::Broken { format, why });
    }
    Ok(Log {
        format,
        entries,
        talk,
        untimed,
    })
}

/// A bad line of a log about one charger is about that charger.
fn adopt(entries: &mut [Entry]) {
    let mut named = entries
        .iter()
        .map(|entry| &entry.charger)
        .filter(|it| !it.is_empty());
    let Some(only) = named.next().cloned() else {
        return;
    };
    if named.all(|charger| *charger == only) {
        for entry in entries {
            entry.charger.clone_from(&only);
        }
    }
}

/// Which way messages went that the log's writer received: found by the first CALL that only one end may send.
fn inward(found: &[Found]) -> Dir {
    let told = found.iter().find_map(|entry| match &entry.said {
        Said::Message(text, Way::In) => by_action(text),
        Said::Message(text, Way::Out) => by_action(text).map(opposite),
        _ => None,
    });
    told.unwrap_or(Dir::FromCharger)
}

fn by_action(text: &str) -> Option<Dir> {
    let envelope = Envelope::parse(text).ok()?;
    if !matches!(envelope.kind, MessageType::Call | MessageType::Send) {
        return None;
    }
    let mut known = Version::ALL
        .into_iter()
        .filter_map(|version| actions::find(version, &envelope.action));
    match known.next()?.sender {
        Sender::Charger => Some(Dir::FromCharger),
        Sender::Csms => Some(Dir::ToCharger),
        Sender::Both => None,
    }
}

/// Which way a message went: as told, else by who may send its action or asked for its answer. `asked` holds who sent
/// the last CALL with an id.
fn direction(
    text: &str,
    way: Way,
    inward: Dir,
    charger: &str,
    asked: &mut HashMap<(String, String), Dir>,
) -> Option<Dir> {
    let envelope = Envelope::parse(text).ok()?;
    let key = (charger.to_owned(), envelope.id.into_owned());
    let is_call = matches!(envelope.kind, MessageType::Call | MessageType::Send);
    let dir = match way {
        Way::Known(dir) => Some(dir),
        Way::In => Some(inward),
        Way::Out => Some(opposite(inward)),
        Way::Untold if is_call => by_action(text),
        Way::Untold => asked.get(&key).copied().map(opposite),
    }?;
    if is_call {
        asked.insert(key, dir);
    }
    Some(dir)
}

const fn opposite(dir: Dir) -> Dir {
    match dir {
        Dir::FromCharger => Dir::ToCharger,
        Dir::ToCharger => Dir::FromCharger,
    }
}
