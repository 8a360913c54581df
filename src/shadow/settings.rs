//! How the shadow legs reach their backend, and what they may cost.

use std::time::Duration;

use super::credentials::Credentials;
use crate::facts::Leg;
use crate::live::Backend;

/// Settings of all shadow legs.
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches that people set one by one"
)]
#[derive(Debug, Clone)]
pub struct ShadowSettings {
    /// Which backend is the shadow.
    pub leg: Leg,
    /// Where it listens.
    pub backend: Backend,
    /// Whether its name may resolve to an address of this machine or of its link. An address in the URL always may.
    pub allows_local: bool,
    /// How the legs log in.
    pub credentials: Credentials,
    /// Whether a charger's whole offer of subprotocols is tried once, to see what the backend would choose.
    pub probes_offer: bool,
    /// What a second connection of one charger means for its first leg.
    pub takeover: Takeover,
    /// How long a CALL may stay unanswered, and a write may stall.
    pub answer_timeout: Duration,
    /// How long resolving, connecting, TLS and the upgrade may take together.
    pub connect_timeout: Duration,
    /// First and longest wait between two attempts to connect.
    pub backoff: (Duration, Duration),
    /// What one charger's queue may hold.
    pub queue: QueueLimits,
    /// What all queues together may hold, in bytes.
    pub queue_bytes_total: usize,
    /// The longest message the backend may send, in bytes.
    pub max_message: usize,
    /// How many connects per second all legs together may start.
    pub connects_per_second: u32,
    /// How many messages per second a backend may send on one leg before its socket is left unread for a moment.
    pub messages_per_second: u32,
    /// How many messages may come at once above that rate.
    pub message_burst: u32,
    /// Whether messages that make a backend act on the world (certificates) are sent.
    pub certificates: bool,
    /// Whether a transaction message that only the shadow fails is repeated as a charger would.
    pub retries: bool,
    /// How long a fresh leg waits for the charger's own BootNotification before it replays the remembered one.
    pub boot_grace: Duration,
    /// How long a command that acts waits for the authority's twin before it is refused; zero: not at all.
    pub hold: Duration,
    /// How old the charger's answer to the authority may be to be handed on.
    pub reuse: Duration,
    /// Actions that the stand-in may pretend to obey.
    pub simulate: Vec<String>,
}

impl ShadowSettings {
    /// Default limits towards `backend`; no credentials.
    pub fn new(leg: Leg, backend: Backend) -> Self {
        Self {
            leg,
            backend,
            allows_local: false,
            credentials: Credentials::default(),
            probes_offer: false,
            takeover: Takeover::Mirror,
            answer_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            backoff: (Duration::from_secs(1), Duration::from_mins(1)),
            queue: QueueLimits::default(),
            queue_bytes_total: 64 << 20,
            max_message: 1 << 20,
            // The authority sees its chargers come back about as fast; a fleet of 5,000 is back within ten seconds.
            connects_per_second: 500,
            messages_per_second: 50,
            message_burst: 200,
            certificates: false,
            retries: false,
            boot_grace: Duration::from_secs(1),
            hold: Duration::from_secs(3),
            reuse: Duration::from_mins(1),
            simulate: Vec::new(),
        }
    }
}

/// Bounds of one charger's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Messages.
    pub count: usize,
    /// Bytes, bookkeeping included.
    pub bytes: usize,
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            count: 500,
            bytes: 1 << 20,
        }
    }
}

/// What a second connection of one charger means for the leg of its first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takeover {
    /// Nothing: the backend faces as many connections as the authority does.
    Mirror,
    /// Its leg ends: the backend faces one connection per charger, the newest.
    Collapse,
}
