//! The OCPP-J envelope, read without copying (OCPP-J 1.6 section 4.2, OCPP 2.1 Part 4 section 4.2).

use std::borrow::Cow;
use std::ops::Range;

use super::fields::Fields;
use super::json::{self, SyntaxError};

/// The first element of the array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MessageType {
    /// `[2, id, action, payload]`
    Call,
    /// `[3, id, payload]`
    CallResult,
    /// `[4, id, code, description, details]`
    CallError,
    /// `[5, id, code, description, details]`, OCPP 2.1: an answer to a bad `CallResult`.
    CallResultError,
    /// `[6, id, action, payload]`, OCPP 2.1: never answered.
    Send,
}

impl MessageType {
    /// The number on the wire.
    pub const fn number(self) -> u8 {
        match self {
            Self::Call => 2,
            Self::CallResult => 3,
            Self::CallError => 4,
            Self::CallResultError => 5,
            Self::Send => 6,
        }
    }

    fn from_literal(literal: &str) -> Option<Self> {
        match literal {
            "2" => Some(Self::Call),
            "3" => Some(Self::CallResult),
            "4" => Some(Self::CallError),
            "5" => Some(Self::CallResultError),
            "6" => Some(Self::Send),
            _ => None,
        }
    }

    /// Whether this message answers a CALL.
    pub const fn is_answer(self) -> bool {
        matches!(self, Self::CallResult | Self::CallError)
    }
}

/// Why text is not an OCPP-J message. None of these stops a frame from being forwarded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not JSON at all.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// JSON, but not an array of the right length.
    #[error("not an OCPP-J array: {0} elements")]
    Shape(usize),
    /// An unknown message type; 1.6 says ignore, so do we.
    #[error("unknown message type {0}")]
    Type(String),
    /// An id, action or error code that is neither string nor number.
    #[error("element {0} has the wrong type")]
    Element(usize),
}

/// One message, borrowed from its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope<'a> {
    /// CALL, CALLRESULT, ...
    pub kind: MessageType,
    /// The message id, unescaped. Numeric ids (quirk 45) keep their digits.
    pub id: Cow<'a, str>,
    /// The action, for CALL and SEND; empty otherwise.
    pub action: Cow<'a, str>,
    /// The error code, for CALLERROR and CALLRESULTERROR; empty otherwise.
    pub code: Cow<'a, str>,
    /// The error description; empty otherwise.
    pub description: Cow<'a, str>,
    /// The payload (or error details) as JSON text: `{}` and `null` are kept as sent, a missing one is `null`.
    pub payload: &'a str,
    /// Where the payload lies in the text. Empty at the end of the text when it is missing.
    pub payload_at: Range<usize>,
    /// Where the id literal lies in the text, quotes included.
    pub id_at: Range<usize>,
}

impl<'a> Envelope<'a> {
    /// Reads the envelope of one message. Lenient where chargers are odd: numeric ids, missing payload, spaces.
    pub fn parse(text: &'a str) -> Result<Self, EnvelopeError> {
        Self::walk(text, |at| json::skip_value(text.as_bytes(), at))
    }

    /// Reads the envelope, and the members of its payload in the same walk: most of a message is its payload. Without
    /// members where the payload is no object, or one that is broken inside.
    pub fn parse_with_fields(text: &'a str) -> Result<(Self, Option<Fields<'a>>), EnvelopeError> {
        let mut last = None;
        let envelope = Self::walk(text, |at| {
            if text.as_bytes().get(at) == Some(&b'{')
                && let Ok((fields, end)) = Fields::walk(text, at)
            {
                last = Some((at, fields));
                return Ok(end);
            }
            json::skip_value(text.as_bytes(), at)
        })?;
        let of_payload = last.filter(|(at, _)| *at == envelope.payload_at.start);
        Ok((envelope, of_payload.map(|(_, fields)| fields)))
    }

    /// Reads the envelope; `skip` gives the offset behind the element at an offset.
    fn walk(
        text: &'a str,
        mut skip: impl FnMut(usize) -> Result<usize, SyntaxError>,
    ) -> Result<Self, EnvelopeError> {
        let bytes = text.as_bytes();
        // No message has more than five elements; what is behind them only counts.
        let mut elements: [Range<usize>; 5] = Default::default();
        let mut count = 0;
        let start = json::skip_space(bytes, 0);
        let end = json::try_elements(bytes, start, |element| {
            let end = skip(element)?;
            if let Some(place) = elements.get_mut(count) {
                *place = element..end;
            }
            count += 1;
            Ok(end)
        })?;
        json::at_end(bytes, end)?;
        if !(2..=elements.len()).contains(&count) {
            return Err(EnvelopeError::Shape(count));
        }
        let parts = &elements[..count];
        let literal = &text[parts[0].clone()];
        let kind = MessageType::from_literal(literal)
            .ok_or_else(|| EnvelopeError::Type(literal.chars().take(40).collect()))?;
        let id = scalar(text, parts, 1)?;
        let payload_index = match kind {
            MessageType::Call | MessageType::Send => 3,
            MessageType::CallResult => 2,
            MessageType::CallError | MessageType::CallResultError => 4,
        };
        if parts.len() > payload_index + 1 {
            return Err(EnvelopeError::Shape(parts.len()));
        }
        let payload_at = parts
            .get(payload_index)
            .cloned()
            .unwrap_or(text.len()..text.len());
        let payload = if payload_at.is_empty() {
            "null"
        } else {
            &text[payload_at.clone()]
        };
        let mut envelope = Self {
            kind,
            id,
            action: Cow::Borrowed(""),
            code: Cow::Borrowed(""),
            description: Cow::Borrowed(""),
            payload,
            payload_at,
            id_at: parts[1].clone(),
        };
        match kind {
            MessageType::Call | MessageType::Send => envelope.action = scalar(text, parts, 2)?,
            MessageType::CallError | MessageType::CallResultError => {
                envelope.code = scalar(text, parts, 2)?;
                envelope.description = scalar(text, parts, 3).unwrap_or(Cow::Borrowed(""));
            }
            MessageType::CallResult => {}
        }
        Ok(envelope)
    }
}

fn scalar<'a>(
    text: &'a str,
    parts: &[Range<usize>],
    index: usize,
) -> Result<Cow<'a, str>, EnvelopeError> {
    let range = parts
        .get(index)
        .ok_or(EnvelopeError::Shape(parts.len()))?
        .clone();
    let literal = &text[range];
    match literal.as_bytes().first() {
        Some(b'"') => json::string_value(literal).ok_or(EnvelopeError::Element(index)),
        Some(b'-' | b'0'..=b'9') => Ok(Cow::Borrowed(literal)),
        _ => Err(EnvelopeError::Element(index)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_five_types_are_read_without_copying() {
        let call = Envelope::parse(r#"[2,"a1","Heartbeat",{}]"#).unwrap();
        assert_eq!(
            (call.kind, call.action.as_ref(), call.payload),
            (MessageType::Call, "Heartbeat", "{}")
        );
        let result = Envelope::parse(r#" [3, "a1", {"currentTime":"x"}] "#).unwrap();
        assert_eq!(result.payload, r#"{"currentTime":"x"}"#);
        let error = Envelope::parse(r#"[4,"a1","GenericError","why",{}]"#).unwrap();
        assert_eq!(
            (error.code.as_ref(), error.description.as_ref()),
            ("GenericError", "why")
        );
        assert_eq!(
            Envelope::parse(r#"[5,"a1","X","",{}]"#).unwrap().kind,
            MessageType::CallResultError
        );
        assert_eq!(
            Envelope::parse(r#"[6,"a1","NotifyPeriodicEventStream",{}]"#)
                .unwrap()
                .kind,
            MessageType::Send
        );
        assert!(matches!(call.id, Cow::Borrowed(_)));
    }

    #[test]
    fn the_members_of_the_payload_come_with_the_envelope() {
        for text in [
            r#"[2,"1","Authorize", {"idTag":"A","x":{"y":[1]}} ]"#,
            r#"[3,"1",{}]"#,
            r#"[4,"1","GenericError","",{"why":1}]"#,
            r#"[2,{"no":1},"Heartbeat",null]"#,
            r#"[2,"1","Heartbeat",{"broken" 1}]"#,
            r#"[2,"1","Heartbeat"]"#,
            r#"[2,"1","Heartbeat",{},{}]"#,
            "[2",
        ] {
            let with = Envelope::parse_with_fields(text);
            let plain = Envelope::parse(text);
            assert_eq!(with.as_ref().map(|(envelope, _)| envelope), plain.as_ref());
            if let Ok((envelope, Some(fields))) = with {
                assert_eq!(fields, Fields::read(envelope.payload), "{text}");
            }
        }
        let (_, fields) = Envelope::parse_with_fields(r#"[2,"1","X",{"a":1}]"#).unwrap();
        assert_eq!(fields.unwrap().last("a"), Some("1"));
    }

    #[test]
    fn odd_chargers_are_understood() {
        assert_eq!(
            Envelope::parse(r#"[2,17,"Heartbeat",null]"#).unwrap().id,
            "17"
        );
        assert_eq!(
            Envelope::parse(r#"[2,"x","Heartbeat"]"#).unwrap().payload,
            "null"
        );
        assert!(matches!(
            Envelope::parse(r#"[1,"x","Heartbeat",{}]"#),
            Err(EnvelopeError::Type(_))
        ));
        assert!(matches!(
            Envelope::parse(r#",[2,"x"]"#),
            Err(EnvelopeError::Syntax(_))
        ));
        assert!(matches!(
            Envelope::parse("[]"),
            Err(EnvelopeError::Shape(0))
        ));
    }
}
