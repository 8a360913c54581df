//! Logs in which a message is a part of a line.

use chrono_tz::Tz;

use super::{Format, Found, Said, Way, clock};
use crate::facts::Dir;
use crate::ocpp::Envelope;

/// Reads every line.
pub(super) fn read(bytes: &[u8], format: Format, zone: Tz) -> Vec<Found> {
    bytes
        .split(|byte| *byte == b'\n')
        .zip(1..)
        .filter(|(line, _)| !line.trim_ascii().is_empty())
        .map(|(line, number)| {
            let mut found = match std::str::from_utf8(line) {
                Ok(line) => read_line(line.trim_end(), format, zone),
                Err(_) => bad("not UTF-8"),
            };
            found.line = number;
            found
        })
        .collect()
}

fn bad(why: &str) -> Found {
    Found {
        said: Said::Bad(why.to_owned()),
        ..Found::default()
    }
}

fn read_line(line: &str, format: Format, zone: Tz) -> Found {
    let (head, said) = match message(line) {
        Some((at, Ok(text))) => (&line[..at], Said::Message(text.to_owned(), Way::Untold)),
        Some((at, Err(why))) => (&line[..at], Said::Bad(why)),
        None => (line, Said::Talk),
    };
    let mut found = Found {
        at: clock::first(head, zone),
        said,
        ..Found::default()
    };
    match format {
        Format::Steve => steve(head, &mut found),
        Format::Python => python(head, &mut found),
        _ => {}
    }
    found
}

/// Where the message of a line begins, and the message; or why what looks like one is none.
pub(super) fn message(line: &str) -> Option<(usize, Result<&str, String>)> {
    let mut refused = None;
    for (at, _) in line.match_indices('[') {
        let mut rest = line[at + 1..].bytes().filter(|byte| *byte != b' ');
        if !matches!(rest.next(), Some(b'2'..=b'6')) || rest.next() != Some(b',') {
            continue;
        }
        let text = &line[at..line.rfind(']').map_or(line.len(), |end| (end + 1).max(at))];
        match Envelope::parse(text) {
            Ok(_) => return Some((at, Ok(text))),
            Err(why) => refused = refused.or(Some((at, Err(why.to_string())))),
        }
    }
    refused
}

/// `... [chargeBoxId=ID, sessionId=...] Received: `, written by the backend.
fn steve(head: &str, found: &mut Found) {
    let Some((_, rest)) = head.split_once("[chargeBoxId=") else {
        // Other talk of SteVe's that happens to hold what looks like a message.
        found.said = Said::Talk;
        return;
    };
    let Some((id, rest)) = rest.split_once([',', ']']) else {
        return;
    };
    found.charger = Some(id.to_owned());
    let says = rest.rsplit_once(']').map_or(rest, |(_, says)| says).trim();
    let way = if says.starts_with("Received") {
        Way::Known(Dir::FromCharger)
    } else if says.starts_with("Sending") {
        Way::Known(Dir::ToCharger)
    } else {
        Way::Untold
    };
    match &mut found.said {
        Said::Message(_, told) => *told = way,
        Said::Talk if says.starts_with("Connection is established") => found.said = Said::Opened,
        Said::Talk if says.starts_with("Connection is closed") => found.said = Said::Closed,
        Said::Talk if matches!(says, "Received:" | "Sending:") || is_cut(says) => {
            found.said = Said::Bad("a message without text".to_owned());
        }
        _ => {}
    }
}

/// A message that is announced and does not begin like one.
fn is_cut(says: &str) -> bool {
    ["Received: [", "Sending: ["]
        .iter()
        .any(|word| says.starts_with(word))
}

/// `... ID: receive message ` or `... ID: send `, written by either end.
fn python(head: &str, found: &mut Found) {
    let head = head.trim_end();
    let told = [(": receive message", Way::In), (": send", Way::Out)];
    for (words, way) in told {
        let Some(before) = head.strip_suffix(words) else {
            continue;
        };
        let id = before.rsplit([' ', ':', '\t']).next().unwrap_or_default();
        found.charger = (!id.is_empty()).then(|| id.to_owned());
        if let Said::Message(_, untold) = &mut found.said {
            *untold = way;
        }
    }
}
