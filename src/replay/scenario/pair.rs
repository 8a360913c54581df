//! The built-in pair: two simulated backends that mean the same and say it differently, with their books.

use std::io;
use std::time::Duration;

use serde_json::Value;

use crate::facts::Leg;
use crate::ocpp::Version;
use crate::replay::sim::backend::CommandError;
use crate::replay::sim::books::Bookkeeping;
use crate::replay::sim::dialect::{Hand, Mint};
use crate::replay::sim::{Dialect, SimBackend, SimOcpi};

/// Tags that both backends know, with their status.
const TAGS: [(&str, &str); 4] = [
    ("TAG-1", "Accepted"),
    ("TAG-2", "Accepted"),
    ("TAG-BLOCKED", "Blocked"),
    ("TAG-EXPIRED", "Expired"),
];

/// The vendor whose data both accept.
const VENDOR: &str = "org.example";

/// Two running backends.
#[derive(Debug)]
pub struct Pair {
    legacy: SimBackend,
    candidate: SimBackend,
    legacy_books: SimOcpi,
    candidate_books: SimOcpi,
}

/// How a backend of the pair books.
const fn books(prefix: &'static str) -> Bookkeeping {
    Bookkeeping {
        prefix,
        price: 35,
        cuts: false,
        flaws: &[],
    }
}

/// What both mean.
fn dialect() -> Dialect {
    Dialect {
        versions: vec![Version::V16, Version::V201, Version::V21],
        tags: TAGS
            .map(|(tag, status)| (tag.to_owned(), status.to_owned()))
            .into(),
        vendors: vec![VENDOR.to_owned()],
        price: Some(35),
        keeps_starts: true,
        ..Dialect::default()
    }
}

impl Pair {
    /// Starts both on free ports of the loopback interface. Whoever shows `token` may read their books.
    pub async fn start(token: &str) -> io::Result<Self> {
        let legacy = SimBackend::start(Dialect {
            mint: Mint::Up(184_201),
            ..dialect()
        })
        .await?;
        let candidate = SimBackend::start(Dialect {
            prefix: "/v1/stations".to_owned(),
            mint: Mint::Random,
            seed: 2,
            millis: false,
            delay: Duration::from_millis(2),
            hand: Hand {
                reversed: true,
                spaced: true,
            },
            ..dialect()
        })
        .await?;
        Ok(Self {
            legacy_books: SimOcpi::start(legacy.log(), books("LEG"), token).await?,
            candidate_books: SimOcpi::start(candidate.log(), books("CAN"), token).await?,
            legacy,
            candidate,
        })
    }

    fn backend(&self, leg: Leg) -> &SimBackend {
        match leg {
            Leg::Legacy => &self.legacy,
            Leg::Candidate => &self.candidate,
        }
    }

    /// Where a backend listens.
    pub fn url(&self, leg: Leg) -> String {
        self.backend(leg).url()
    }

    /// Where a backend's books are read.
    pub fn books_url(&self, leg: Leg) -> String {
        match leg {
            Leg::Legacy => self.legacy_books.url(),
            Leg::Candidate => self.candidate_books.url(),
        }
    }

    /// Lets a backend command a charger, once it knows it, and waits for the answer.
    pub(super) async fn command(
        &self,
        leg: Leg,
        charger: &str,
        (action, payload): (&str, Value),
        within: Duration,
    ) -> Result<(), CommandError> {
        let backend = self.backend(leg);
        let is_there = |log: &crate::replay::sim::backend::Log| {
            log.connected().iter().any(|name| name == charger)
        };
        if !backend.log().until(within, is_there).await {
            return Err(CommandError::Away {
                charger: charger.to_owned(),
                action: action.to_owned(),
            });
        }
        backend.command(charger, action, payload).await.map(|_| ())
    }
}
