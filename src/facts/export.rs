//! Facts as JSON Lines, and back: the stable form that `export --facts` writes and `import` reads.

use std::io::{self, Write};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Dir, Fact, Kind, Leg};

/// Version of the line format: the value of each line's `v`.
pub const VERSION: &str = "evenkeel.fact/1";

/// Why a line is not a fact.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// Not JSON, or a key is missing or of the wrong type.
    #[error("read a fact: {0}")]
    Json(#[from] serde_json::Error),
    /// Another version of the line format.
    #[error("read a fact of version {0}")]
    Version(String),
    /// The kind's word is not known.
    #[error("read a fact of unknown kind {0}")]
    Kind(String),
    /// The body is not base64.
    #[error("read the body of a fact: {0}")]
    Body(#[from] base64::DecodeError),
}

/// A line. Keys keep this order; empty ones are left out.
#[derive(Serialize, Deserialize)]
struct Line {
    v: String,
    seq: u64,
    /// Microseconds since the Unix epoch, UTC.
    at: i64,
    kind: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    charger: String,
    #[serde(default, skip_serializing_if = "is_zero")]
    conn: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    leg: Option<Leg>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dir: Option<Dir>,
    #[serde(default, skip_serializing_if = "is_zero")]
    frame: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    frames: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    cause: u64,
    /// The body, if it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    /// The body in base64, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body_base64: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<Box<RawValue>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// One fact as a line, without the line feed.
pub fn to_line(fact: &Fact) -> Result<String, LineError> {
    let text = fact.text();
    let line = Line {
        v: VERSION.to_owned(),
        seq: fact.seq,
        at: fact.at,
        kind: fact.kind.word().to_owned(),
        charger: fact.charger.to_string(),
        conn: fact.conn,
        leg: fact.leg,
        dir: fact.dir,
        frame: fact.frame,
        frames: fact.frames,
        cause: fact.cause,
        body: text.filter(|text| !text.is_empty()).map(str::to_owned),
        body_base64: text.is_none().then(|| STANDARD.encode(&fact.body)),
        note: match fact.note.as_str() {
            "" => None,
            note => Some(RawValue::from_string(note.to_owned())?),
        },
    };
    Ok(serde_json::to_string(&line)?)
}

/// The fact of a line.
pub fn from_line(line: &str) -> Result<Fact, LineError> {
    let line: Line = serde_json::from_str(line)?;
    if line.v != VERSION {
        return Err(LineError::Version(line.v));
    }
    let kind = Kind::ALL
        .into_iter()
        .find(|kind| kind.word() == line.kind)
        .ok_or(LineError::Kind(line.kind))?;
    let body = match (line.body, line.body_base64) {
        (Some(text), _) => text.into_bytes(),
        (None, Some(encoded)) => STANDARD.decode(encoded)?,
        (None, None) => Vec::new(),
    };
    Ok(Fact {
        seq: line.seq,
        at: line.at,
        charger: Arc::from(line.charger),
        conn: line.conn,
        leg: line.leg,
        dir: line.dir,
        kind,
        frame: line.frame,
        frames: line.frames,
        cause: line.cause,
        body,
        note: line
            .note
            .map_or_else(String::new, |note| note.get().to_owned()),
    })
}

/// Writes facts as lines.
pub fn write_lines<'a>(
    facts: impl IntoIterator<Item = &'a Fact>,
    out: &mut impl Write,
) -> io::Result<()> {
    for fact in facts {
        let line = to_line(fact).map_err(io::Error::other)?;
        writeln!(out, "{line}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_stable_and_empty_ones_left_out() {
        let fact = Fact::new(Kind::Message, 12)
            .on(&Arc::from("CP1"), 3)
            .via(Leg::Legacy, Dir::FromCharger)
            .covering(4, 1)
            .body("[2]");
        assert_eq!(
            to_line(&fact).unwrap(),
            r#"{"v":"evenkeel.fact/1","seq":0,"at":12,"kind":"message","charger":"CP1","conn":3,"leg":"legacy","dir":"from-charger","frame":4,"frames":1,"body":"[2]"}"#
        );
    }

    proptest! {
        #[test]
        fn a_line_becomes_the_same_fact(
            kind in 0..Kind::ALL.len(),
            numbers in any::<[u64; 5]>(),
            at in any::<i64>(),
            leg in prop::option::of(prop::bool::ANY),
            body in prop::collection::vec(any::<u8>(), 0..40),
            note in prop::option::of(0.0..9.5f64),
        ) {
            let [seq, conn, frame, frames, cause] = numbers;
            let mut fact = Fact::new(Kind::ALL[kind], at)
                .on(&Arc::from("CP \u{e9}"), conn)
                .covering(frame, frames)
                .because(cause)
                .body(body);
            fact.seq = seq;
            fact.leg = leg.map(|first| if first { Leg::Legacy } else { Leg::Candidate });
            if let Some(number) = note {
                fact = fact.note(&json!({"n": number}));
            }
            prop_assert_eq!(from_line(&to_line(&fact).unwrap()).unwrap(), fact);
        }
    }
}
