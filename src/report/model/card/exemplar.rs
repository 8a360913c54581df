//! Cases that show a finding: the texts side by side, and the ladder around them.

use std::fmt::Write as _;

use serde::Serialize;

use super::super::{ReportError, World, told};
use crate::judge::rules::literal;
use crate::judge::tree::Node;
use crate::ledger::Mark;
use crate::ledger::row::Subject;
use crate::ledger::sessions::View;
use crate::ledger::views::{Finding, rfc3339};
use crate::ocpp::Envelope;
use crate::report::comparison::{Row, Section};
use crate::report::explain::Place;
use crate::report::ladder::picture::Picture;
use crate::report::ladder::read::around;
use crate::report::model::books;
use crate::report::veil::Veil;
use crate::report::{Comparison, Evidence, printable};

/// Cases that are shown of a finding.
const SHOWN: u64 = 3;

/// Steps before the case on its ladder, and steps from it on.
const REACH: (usize, usize) = (3, 3);

/// Equal fields that are listed beside those that differ, and lines of a whole text.
const EQUAL: usize = 12;
const LINES: usize = 60;

/// Longest value that is shown, in characters.
const LONGEST: usize = 240;

/// A case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exemplar {
    /// The fact that it begins with.
    pub fact: u64,
    /// When, RFC 3339.
    pub at: String,
    /// The charger.
    pub charger: String,
    /// The texts side by side.
    pub comparison: Comparison,
    /// What was said around it; none for sessions.
    pub ladder: Option<Picture>,
}

/// Something that has to be there before the finding can be seen again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Need {
    /// What: `charger`, `tag`, ...
    pub what: String,
    /// Its value, under its pseudonym.
    pub value: String,
    /// What it must be like.
    pub like: String,
}

/// All cases of a finding that are shown, with what is learned from them.
pub(super) struct Seen {
    pub(super) subject: Subject,
    pub(super) version: String,
    pub(super) exemplars: Vec<Exemplar>,
    pub(super) needs: Vec<Need>,
    /// The place of the finding in the first case.
    pub(super) place: Option<Place>,
}

/// Reads the first few cases of a finding.
pub(super) fn of(world: &World<'_>, finding: &Finding) -> Result<Seen, ReportError> {
    let mut seen = Seen {
        subject: subject(finding),
        version: String::new(),
        exemplars: Vec::new(),
        needs: Vec::new(),
        place: None,
    };
    for number in 0..SHOWN {
        let Some((subject, id)) = world.ledger.exemplar(&finding.id, number)? else {
            break;
        };
        // One exchange may show a finding several times.
        if seen.exemplars.iter().any(|known| known.fact == id) {
            continue;
        }
        seen.subject = subject;
        match subject {
            Subject::Session => session(world, id, &mut seen)?,
            Subject::Handshake => handshake(world, finding, id, &mut seen)?,
            Subject::Exchange | Subject::Command => message(world, finding, id, &mut seen)?,
        }
    }
    seen.needs.sort();
    seen.needs.dedup();
    Ok(seen)
}

/// What a finding is a difference of.
pub(in crate::report::model) fn subject(finding: &Finding) -> Subject {
    match finding.exposure.unit.as_str() {
        "sessions" => Subject::Session,
        "handshakes" => Subject::Handshake,
        "commands" => Subject::Command,
        _ => Subject::Exchange,
    }
}

fn message(
    world: &World<'_>,
    finding: &Finding,
    id: u64,
    seen: &mut Seen,
) -> Result<(), ReportError> {
    let Some(judged) = world.ledger.judged(id)? else {
        return Ok(());
    };
    seen.version.clone_from(&judged.version);
    let (charger, at) = (judged.charger.clone(), judged.at);
    let evidence = Evidence::of(world.facts, world.rules, judged)?;
    if seen.place.is_none() {
        let wanted = finding.path.as_str();
        let fits =
            |place: &&Place| place.decided.id == finding.rule && is_at(&place.pointer, wanted);
        seen.place = evidence.places.iter().find(fits).cloned();
    }
    let evidence = evidence.veiled(world.veil);
    needs(world, &evidence, &charger, finding, &mut seen.needs);
    let veiled = |text: &str| world.veil.message(text);
    let mut story = around(world.facts, world.ledger, (&charger, id), REACH, veiled)?;
    for word in story.fates.values_mut() {
        *word = world.veil.prose(word);
    }
    seen.exemplars.push(Exemplar {
        fact: id,
        at: told(world.veil, at),
        charger: world.veil.pseudonym(&charger),
        comparison: trimmed(Comparison::of(&evidence)),
        ladder: Some(Picture::of(&story, id)),
    });
    Ok(())
}

/// Whether a pointer is one of those that a path with `*` for places in lists means.
fn is_at(pointer: &str, path: &str) -> bool {
    let (mut ours, mut theirs) = (pointer.split('/'), path.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(_), Some("*")) => {}
            (Some(our), Some(their)) if our == their => {}
            _ => return false,
        }
    }
}

fn session(world: &World<'_>, id: u64, seen: &mut Seen) -> Result<(), ReportError> {
    let Some(session) = world.ledger.session(id)? else {
        return Ok(());
    };
    let at = session.at;
    seen.version = session.version.to_string();
    let view = books::veiled(View::from(session), world.veil);
    seen.needs.push(Need {
        what: "charger".to_owned(),
        value: view.charger.clone(),
        like: format!("connector {}", view.connector),
    });
    if !view.token.is_empty() {
        seen.needs.push(Need {
            what: "tag".to_owned(),
            value: view.token.clone(),
            like: "accepted; its contract priced as at legacy".to_owned(),
        });
    }
    seen.exemplars.push(Exemplar {
        fact: id,
        at: told(world.veil, at),
        charger: view.charger.clone(),
        comparison: trimmed(Comparison::of_session(&view)),
        ladder: None,
    });
    Ok(())
}

/// A handshake has no texts: what happened is one row.
fn handshake(
    world: &World<'_>,
    finding: &Finding,
    id: u64,
    seen: &mut Seen,
) -> Result<(), ReportError> {
    let Some(charger) = world.ledger.charger_of(Subject::Handshake, id)? else {
        return Ok(());
    };
    let veiled = |text: &str| world.veil.message(text);
    let story = around(world.facts, world.ledger, (&charger, id), (1, 2), veiled)?;
    let item = story.items.iter().find(|item| item.id == id);
    let at = item.map_or(0, |item| item.at);
    let detail = item.map_or_else(String::new, |item| world.veil.prose(&item.detail));
    let name = world.veil.pseudonym(&charger);
    seen.needs.push(Need {
        what: "charger".to_owned(),
        value: name.clone(),
        like: "admitted, as legacy admits it".to_owned(),
    });
    seen.exemplars.push(Exemplar {
        fact: id,
        at: told(world.veil, at),
        charger: name,
        comparison: Comparison {
            title: format!("handshake seq {id}"),
            sections: vec![Section {
                title: "handshake".to_owned(),
                note: rfc3339(world.veil.time(at)),
                rows: vec![Row {
                    mark: Mark::Divergent,
                    path: "(handshake)".to_owned(),
                    wire: None,
                    legacy: Some(finding.legacy.clone()),
                    candidate: Some(printable(&detail)),
                    why: finding.rule.clone(),
                }],
                ..Section::default()
            }],
            raw: Vec::new(),
        },
        ladder: Some(Picture::of(&story, id)),
    });
    Ok(())
}

/// Members of requests that a backend must know beforehand.
const PROVISIONED: [(&str, &str); 4] = [
    ("/idTag", "tag"),
    ("/idToken/idToken", "tag"),
    ("/vendorId", "vendor"),
    ("/reservationId", "reservation"),
];

/// What the request names that has to be there.
fn needs(
    world: &World<'_>,
    evidence: &Evidence,
    charger: &str,
    finding: &Finding,
    needs: &mut Vec<Need>,
) {
    needs.push(Need {
        what: "charger".to_owned(),
        value: world.veil.pseudonym(charger),
        like: format!("OCPP {}", evidence.judged.version),
    });
    let text = evidence.request.as_ref().map(|text| text.bytes.as_slice());
    let Some(Ok(text)) = text.map(std::str::from_utf8) else {
        return;
    };
    let Some(node) = Envelope::parse(text)
        .ok()
        .and_then(|it| Node::parse(it.payload).ok())
    else {
        return;
    };
    for (pointer, what) in PROVISIONED {
        let Some(found) = node.at(pointer) else {
            continue;
        };
        let like = match what {
            "tag" if finding.path.ends_with("/status") => {
                format!("legacy answers {}", world.veil.prose(&finding.legacy))
            }
            "tag" => "known to both backends".to_owned(),
            _ => "known to legacy".to_owned(),
        };
        needs.push(Need {
            what: what.to_owned(),
            value: printable(&format!("{:?}", literal(found))),
            like,
        });
    }
}

/// A comparison that fits a page: what differs, some of what is equal, and the beginning of long texts.
fn trimmed(mut comparison: Comparison) -> Comparison {
    for section in &mut comparison.sections {
        let mut equal = 0;
        let before = section.rows.len();
        section.rows.retain(|row| {
            equal += usize::from(row.mark == Mark::Equal);
            row.mark != Mark::Equal || equal <= EQUAL
        });
        section.more += before - section.rows.len();
        for row in &mut section.rows {
            for value in [&mut row.wire, &mut row.legacy, &mut row.candidate]
                .into_iter()
                .flatten()
            {
                shorten(value);
            }
        }
    }
    for raw in &mut comparison.raw {
        let more = raw.lines.len().saturating_sub(LINES);
        raw.lines.truncate(LINES);
        raw.lines.iter_mut().for_each(shorten);
        if more > 0 {
            raw.lines.push(format!("... {more} more lines"));
        }
    }
    comparison
}

fn shorten(text: &mut String) {
    if let Some((at, _)) = text.char_indices().nth(LONGEST) {
        let whole = text.len();
        text.truncate(at);
        // Writing into a string cannot fail.
        let _ = write!(text, "... ({whole} bytes)");
    }
}

impl Evidence {
    /// The same with pseudonyms in every text and every quotation.
    #[must_use]
    pub fn veiled(self, veil: &Veil) -> Self {
        let message = |bytes: &[u8]| match std::str::from_utf8(bytes) {
            Ok(text) => veil.message(text).into_bytes(),
            Err(_) => veil
                .pseudonym(&crate::report::printable_bytes(bytes))
                .into_bytes(),
        };
        let sides = [self.authority.as_ref(), self.shadow.as_ref()]
            .map(|text| text.map(|text| text.bytes.clone()));
        let mut veiled = self;
        for place in &mut veiled.places {
            let [ours, theirs] = &sides;
            place.authority = quoted(
                veil,
                place.authority.take(),
                &place.pointer,
                ours.as_deref(),
            );
            place.shadow = quoted(veil, place.shadow.take(), &place.pointer, theirs.as_deref());
        }
        for rewritten in &mut veiled.fate.rewrites {
            rewritten.from = veil.value(&rewritten.class, &rewritten.from);
            rewritten.to = veil.value(&rewritten.class, &rewritten.to);
        }
        let texts = [
            &mut veiled.request,
            &mut veiled.authority,
            &mut veiled.shadow,
        ];
        let stand_in = veiled.fate.stand_in.as_mut().map(|it| &mut it.text);
        for text in texts.into_iter().flatten().chain(stand_in) {
            text.bytes = message(&text.bytes);
        }
        veiled.judged.charger = veil.pseudonym(&veiled.judged.charger);
        veiled
    }
}

/// What the judge quotes of a text, as it reads behind the veil: the value that now stands where it was taken from.
fn quoted(
    veil: &Veil,
    quoted: Option<String>,
    pointer: &str,
    text: Option<&[u8]>,
) -> Option<String> {
    let quoted = quoted?;
    if pointer.is_empty() {
        return Some(veil.prose(&quoted));
    }
    let text = text.and_then(|text| std::str::from_utf8(text).ok());
    let at = |text: &str| {
        let envelope = Envelope::parse(text).ok()?;
        Node::parse(envelope.payload).ok()?.at(pointer).map(literal)
    };
    let was_there = text.and_then(at).is_some_and(|value| {
        value == quoted
            || quoted
                .strip_suffix("...")
                .is_some_and(|start| value.starts_with(start))
    });
    if was_there && let Some(now) = text.and_then(|text| at(&veil.message(text))) {
        return Some(now);
    }
    let names = pointer
        .rsplit('/')
        .find(|name| name.parse::<u64>().is_err());
    Some(veil.value(names.unwrap_or_default(), &quoted))
}
