//! `[[backends.legacy]]` and `[[backends.candidate]]`: where the books of the two backends are read.

mod section;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::SecretRef;
use crate::facts::Leg;
pub(super) use section::{BackendsSection, Mistake};

/// A reader as configured; refers to secrets, never holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reader {
    /// Its name in facts.
    pub name: String,
    /// The backend that it reads.
    pub leg: Leg,
    /// Time between two passes.
    pub every: Duration,
    /// Least time between two requests.
    pub pace: Duration,
    /// How it reads.
    pub access: Access,
}

/// How a backend is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// OCPI, pulled.
    Ocpi(Ocpi),
    /// OCPI, pushed.
    OcpiSink(OcpiSink),
    /// SteVe.
    Steve(Steve),
    /// CitrineOS.
    Citrineos(Citrineos),
    /// Files.
    Files(Files),
}

/// A CPO to pull from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ocpi {
    /// Where its versions are listed.
    pub versions: Option<String>,
    /// Where its sessions are.
    pub sessions: Option<String>,
    /// Where its CDRs are.
    pub cdrs: Option<String>,
    /// The token.
    pub token: SecretRef,
    /// Whether the token goes as it is instead of in base64.
    pub plain_token: bool,
    /// This eMSP, as `NL-EVK`.
    pub party: String,
    /// The CPO, as `NL-CPO`.
    pub peer: Option<String>,
    /// Certificates to trust.
    pub ca: Option<PathBuf>,
    /// Records per page.
    pub page: Option<u32>,
    /// How far a pass reaches back behind the one before.
    pub overlap: Duration,
}

/// Where a CPO pushes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OcpiSink {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How the backend reaches it.
    pub public: Option<String>,
    /// The token that it shows.
    pub token: SecretRef,
    /// Whether the token comes as it is instead of in base64.
    pub plain_token: bool,
    /// This eMSP, as `NL-EVK`.
    pub party: String,
}

/// A SteVe to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steve {
    /// Where it is, up to its context path.
    pub url: String,
    /// User; with it the secret is a password, else a key.
    pub user: Option<String>,
    /// Password or key.
    pub secret: SecretRef,
    /// The header that carries the key.
    pub key_header: String,
    /// Certificates to trust.
    pub ca: Option<PathBuf>,
}

/// A CitrineOS database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Citrineos {
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Database.
    pub database: String,
    /// Schema.
    pub schema: String,
    /// Role.
    pub user: String,
    /// Password.
    pub password: Option<SecretRef>,
    /// Whether to use TLS.
    pub tls: bool,
    /// Certificates to trust.
    pub ca: Option<PathBuf>,
    /// How far a pass reaches back behind the one before.
    pub overlap: Duration,
}

/// Exported files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Files {
    /// The files.
    pub files: Vec<PathBuf>,
    /// The column map.
    pub map: PathBuf,
    /// What separates columns of CSV.
    pub delimiter: u8,
}

impl fmt::Display for Reader {
    /// What it is and where it reads, for `check --show`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |path: &Path| path.display().to_string();
        let what = match &self.access {
            Access::Ocpi(ocpi) => [&ocpi.versions, &ocpi.sessions, &ocpi.cdrs]
                .into_iter()
                .flatten()
                .map(|url| url.split('?').next().unwrap_or_default())
                .collect::<Vec<_>>()
                .join(" "),
            Access::OcpiSink(sink) => format!("http://{}/ocpi", sink.listen),
            Access::Steve(steve) => steve.url.split('?').next().unwrap_or_default().to_owned(),
            Access::Citrineos(db) => format!("postgres://{}:{}/{}", db.host, db.port, db.database),
            Access::Files(files) => {
                let all: Vec<String> = files.files.iter().map(|file| path(file)).collect();
                all.join(" ")
            }
        };
        write!(f, "{} {what}", self.name)
    }
}
