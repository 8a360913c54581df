//! Counters that other threads may read while the live plane runs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::handover::Counters;
use super::offer::{Newest, Offer};
use crate::clock::{Clock, Micros};

/// A counter. Nothing is ordered by it, hence relaxed.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// Adds `n`.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes `n` away: for the gauges among the counters.
    pub fn sub(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the live plane counts. Shared with the health endpoint, which runs on a thread of its own.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Connections open now (a gauge).
    pub open: Count,
    /// Connections that wait for their authority's answer (a gauge).
    pub pending: Count,
    /// Requests that asked for no WebSocket: health checks, scanners. Relayed, and no more.
    pub plain: Count,
    /// Connections accepted by an authority.
    pub accepted: Count,
    /// Connections refused, unreachable or given up.
    pub refused: Count,
    /// Connections among those refused that the tap itself turned away, because their identity is not listed.
    pub unlisted: Count,
    /// Frames seen, both directions.
    pub frames: Count,
    /// Frames that this plane knows to lie in gaps. The shadow plane's gap facts are the exact account.
    pub lost: Count,
    /// Bytes forwarded, both directions.
    pub bytes: Count,
    /// Gaps told to the shadow plane.
    pub gaps: Count,
    /// Connections whose beginning and end could not be kept for an absent shadow plane.
    pub unannounced: Count,
    /// Times the shadow plane was lost and another one was needed.
    pub shadow_restarts: Count,
    /// Failed accepts.
    pub accept_errors: Count,
    /// Chargers that were asked to connect again, because they belong to the other backend now.
    pub goodbyes: Count,
    /// Connections on which a byte was altered, lost or added. Anything but zero is severity S0.
    pub breaches: Count,
    /// What chargers offered, where the tap ends TLS.
    pub offers: Offers,
    status: Mutex<Status>,
}

/// `ClientHello`s by what they offered.
#[derive(Debug, Default)]
pub struct Offers {
    /// Suites of TLS 1.3.
    pub tls13: Count,
    /// Suites of TLS 1.2, none of 1.3.
    pub tls12: Count,
    /// Older ones only.
    pub older: Count,
    /// Only RSA key exchange; these are among the others, too.
    pub only_rsa: Count,
    /// No cipher suite that the tap has; these are among the others, too.
    pub locked_out: Count,
}

impl Offers {
    /// Counts one.
    pub fn count(&self, offer: Offer, fits: bool) {
        match offer.newest {
            Newest::Tls13 => self.tls13.add(1),
            Newest::Tls12 => self.tls12.add(1),
            Newest::Older => self.older.add(1),
        }
        self.only_rsa.add(offer.only_rsa.into());
        self.locked_out.add((!fits).into());
    }
}

/// The shadow plane's latest status line, and when it came.
#[derive(Debug, Default)]
struct Status {
    line: String,
    at: Micros,
}

impl Metrics {
    /// The counters as a tick carries them.
    pub fn counters(&self) -> Counters {
        Counters {
            open: self.open.get(),
            accepted: self.accepted.get(),
            refused: self.refused.get(),
            unlisted: self.unlisted.get(),
            frames: self.frames.get(),
            lost: self.lost.get(),
            bytes: self.bytes.get(),
            drift_us: Clock::system().drift(),
        }
    }

    /// The shadow plane's latest status line (JSON); empty while it is away or has said nothing yet.
    pub fn shadow_status(&self) -> String {
        self.status().line.clone()
    }

    /// How long ago the shadow plane said something, µs; `None` while it is away or has said nothing yet.
    pub fn shadow_silence(&self) -> Option<Micros> {
        let status = self.status();
        (!status.line.is_empty()).then(|| Clock::system().now() - status.at)
    }

    /// Replaces the shadow plane's status line.
    pub fn set_shadow_status(&self, line: String) {
        let at = Clock::system().now();
        *self.status() = Status { line, at };
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
