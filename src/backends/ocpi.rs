//! OCPI 2.2.1, and 2.3.0 where it is the same: a client that pulls as an eMSP, and a sink that a CPO pushes to.

pub mod client;
pub mod sink;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::live::secret::Secret;

/// A party: two letters of country, three of the party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// ISO 3166 alpha-2.
    pub country: String,
    /// The party's identifier within it.
    pub id: String,
}

/// How a token is written in the `Authorization` header. OCPI 2.2.1 says base64, and many peers take it as it is: never
/// tried out, since a token shown to the wrong door is a token lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenEncoding {
    /// As OCPI 2.2 and later say.
    #[default]
    Base64,
    /// As OCPI 2.1.1 does.
    Plain,
}

impl TokenEncoding {
    /// The header's value.
    pub fn header(self, token: &Secret) -> Secret {
        let mut value = b"Token ".to_vec();
        match self {
            Self::Base64 => value.extend(STANDARD.encode(token.expose()).into_bytes()),
            Self::Plain => value.extend(token.expose()),
        }
        Secret::new(value)
    }
}

/// Why an answer of a peer gives no records.
#[derive(Debug, thiserror::Error)]
pub enum OcpiError {
    /// Not an OCPI answer.
    #[error("{url}: not an OCPI answer: {why}")]
    NotOcpi {
        /// Where from.
        url: String,
        /// Why.
        why: String,
    },
    /// An error in OCPI's terms.
    #[error("{url}: OCPI status {code}{}", said(.message.as_deref()))]
    Status {
        /// Where from.
        url: String,
        /// 2xxx: the client's fault, 3xxx: the server's, 4xxx: a hub's.
        code: u32,
        /// What it says.
        message: Option<String>,
    },
    /// No version that this program reads.
    #[error("{url}: offers none of OCPI 2.2.1, 2.3.0 and 2.2")]
    NoVersion {
        /// Where from.
        url: String,
    },
    /// No endpoint for a module.
    #[error("{url}: no {module} endpoint that can be read")]
    NoEndpoint {
        /// Where from.
        url: String,
        /// The module.
        module: &'static str,
    },
    /// An endpoint at another host: the token does not go there by itself.
    #[error(
        "{endpoint} is at another host than the configured URL; name it in the configuration if it is right"
    )]
    OtherHost {
        /// The endpoint.
        endpoint: String,
    },
    /// The pages lead in a circle.
    #[error("{url}: the pages do not end")]
    Endless {
        /// The page that came twice, or one too many.
        url: String,
    },
    /// The token cannot stand in a header.
    #[error("the token holds characters that no header can carry")]
    Token,
}

fn said(message: Option<&str>) -> String {
    // Bounded and escaped: it comes from a stranger and ends up in logs.
    message.map_or_else(String::new, |message| {
        let start: String = message.chars().take(200).collect();
        format!(": {}", start.escape_debug())
    })
}

/// What every answer is wrapped in.
#[derive(Debug, Deserialize)]
pub(super) struct Envelope {
    pub(super) data: Option<Box<RawValue>>,
    status_code: u32,
    status_message: Option<String>,
}

impl Envelope {
    /// Reads an answer; an OCPI status that is no success is an error.
    pub(super) fn read(url: &str, body: &[u8]) -> Result<Self, OcpiError> {
        let envelope: Self = serde_json::from_slice(body).map_err(|error| OcpiError::NotOcpi {
            url: url.to_owned(),
            why: error.to_string(),
        })?;
        if (1000..2000).contains(&envelope.status_code) {
            return Ok(envelope);
        }
        Err(OcpiError::Status {
            url: url.to_owned(),
            code: envelope.status_code,
            message: envelope.status_message,
        })
    }

    /// The data as a type.
    pub(super) fn data<'a, T: Deserialize<'a>>(&'a self, url: &str) -> Result<T, OcpiError> {
        let text = self.data.as_ref().map_or("null", |data| data.get());
        serde_json::from_str(text).map_err(|error| OcpiError::NotOcpi {
            url: url.to_owned(),
            why: error.to_string(),
        })
    }
}
