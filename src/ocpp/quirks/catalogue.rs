//! The catalogue: each quirk's name, what it does to a comparison, and where it shows.

/// What a quirk does to a comparison of two backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// By itself it makes no difference: it is counted.
    Note,
    /// A strict backend refuses the message or leaves it unanswered: such a divergence is rooted in the charger.
    Refusal,
    /// The same, and a backend may decide differently about the driver's token.
    Token,
    /// Backends differ in how they treat it, and no charger minds: such a refusal is explained.
    Policy,
    /// A strict backend refuses the charger's handshake.
    Handshake,
}

/// Where a quirk shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// In one message.
    Message,
    /// In what comes after what.
    Sequence,
    /// In the charger's HTTP request.
    Handshake,
    /// In WebSocket frames.
    Frames,
    /// Nowhere that a tap looks, and why.
    Nowhere(&'static str),
}

/// One entry; its place is its row.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) effect: Effect,
    pub(super) shown: Shown,
}

const fn row(name: &'static str, effect: Effect, shown: Shown) -> Row {
    Row {
        name,
        effect,
        shown,
    }
}

use Effect::{Note, Policy, Refusal, Token};
use Shown::{Frames, Message, Sequence};

pub(super) const ROWS: [Row; 58] = [
    row("transaction id 0", Refusal, Message),
    row("transaction id is the largest integer", Refusal, Message),
    row("transaction id -1", Refusal, Message),
    row("two starts for one session", Token, Sequence),
    row("message id used again", Refusal, Sequence),
    row("stop repeated", Refusal, Sequence),
    row("stop without its start", Refusal, Sequence),
    row("stop missing", Token, Sequence),
    row(
        "next driver while the vehicle is suspended",
        Token,
        Sequence,
    ),
    row("start sent only at the end", Refusal, Sequence),
    row("meterStop below meterStart", Refusal, Sequence),
    row("meterStop below zero", Refusal, Message),
    row("register reset", Note, Sequence),
    row(
        "register moves after the stop or drops to zero",
        Note,
        Sequence,
    ),
    row("timestamp without zone", Refusal, Message),
    row("timestamp with a short offset", Refusal, Message),
    row("local time labelled UTC", Note, Sequence),
    row("timestamp of an unset clock", Refusal, Message),
    row("number and string confused", Refusal, Message),
    row("object where an array is required", Refusal, Message),
    row("invalid JSON", Refusal, Frames),
    row("answer broken off", Note, Frames),
    row("null payload", Refusal, Message),
    row("empty frame", Note, Message),
    row("value that the version does not know", Refusal, Message),
    row("field that is too long", Refusal, Message),
    row("token with spaces around it", Token, Message),
    row("token in another case than authorized", Token, Sequence),
    row("token without its last byte", Token, Sequence),
    row("remote start refused for its token", Note, Sequence),
    row("no subprotocol", Effect::Handshake, Shown::Handshake),
    // A request that names no identity is forwarded and refused without one: it never becomes a connection of a charger's.
    row("odd request", Effect::Handshake, Shown::Handshake),
    row("odd identity", Effect::Handshake, Shown::Handshake),
    row("two live connections", Note, Sequence),
    row("old connection goes on sending", Note, Sequence),
    row("action of another version", Refusal, Message),
    row("no BootNotification", Note, Sequence),
    row("boots faster than told", Note, Sequence),
    row("leaves when commanded", Note, Sequence),
    row("leaves when a start is answered at once", Note, Sequence),
    row("meter values without their transaction", Refusal, Sequence),
    row(
        "transaction event out of order or without connector",
        Refusal,
        Sequence,
    ),
    row("status out of order", Note, Sequence),
    // Extra properties are not counted: whether one is extra depends on which schema a backend checks (in 1.6 the original
    // ones allow them inside objects), so only a strict backend's answer tells.
    row("duplicate keys", Refusal, Message),
    row("odd envelope", Refusal, Message),
    row("answer to nothing", Note, Sequence),
    row("compressed without negotiation", Effect::Handshake, Frames),
    // Only the spelling that chargers get wrong is seen, the digits of a 1.6 key in place of its bytes: passwords are not
    // kept, so no two are ever compared. Digits may be meant as they stand, so nothing is excused by them.
    row("password in hex digits", Note, Shown::Handshake),
    row("flood of old messages", Note, Sequence),
    row("endless resend after an error", Policy, Sequence),
    row("ends on a low profile limit", Note, Sequence),
    row("secret in a configuration", Note, Message),
    row("command id used again", Note, Sequence),
    row(
        "remote start token made anew",
        Note,
        // Whether the backend began anew is not on the wire either: it may only have dropped its connections.
        Shown::Nowhere("a new token of a restarted backend looks like another driver's"),
    ),
    // Of the ways to write a value only this one cannot be read. Units that are left out and `12.0` for `12` mean the same
    // everywhere; kWh labelled Wh shows where sessions are compared, by its own name.
    row("decimal comma", Refusal, Message),
    row("stop of transaction 0", Policy, Message),
    row("identifiers of 32 bits", Note, Sequence),
    row("long tail of zeros", Refusal, Message),
];
