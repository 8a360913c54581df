//! CitrineOS's database, through a role that may only read.
//!
//! The schema moves between releases (stations by name, then by number with the name beside it; tokens first in a table of
//! their own, then in the authorisations), so the columns are looked up first and a query is made of what is there. Side
//! tables are joined a page at a time: they have no index by transaction, and one look through them per page is what a
//! production database can bear.

mod schema;
mod tls;

use std::path::PathBuf;
use std::time::Duration;

use tokio::time::{sleep, timeout};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use tokio_postgres::types::ToSql;

use super::ReadError;
use super::shelf::{Found, Shelf};
use crate::clock::Micros;
use crate::judge::records::{Form, RecordKind};
use crate::live::secret::Secret;
use crate::live::tls::TlsError;
use schema::Schema;
use tls::Tls;

/// A database to read.
#[derive(Debug, Clone)]
pub struct Database {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// The database's name.
    pub name: String,
    /// The schema that holds the tables.
    pub schema: String,
    /// A role that may read and nothing else.
    pub user: String,
    /// Its password.
    pub password: Option<Secret>,
    /// Whether to insist on TLS.
    pub tls: bool,
    /// Certificates to trust (PEM).
    pub ca: Option<PathBuf>,
    /// Rows per query.
    pub page: u32,
    /// Wait between two queries.
    pub pace: Duration,
    /// The longest that connecting or one query may take.
    pub patience: Duration,
    /// How far before the last pass's end the next begins: transactions commit in another order than they are stamped.
    pub overlap: Duration,
}

/// Why the database could not be read.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// TLS cannot be set up.
    #[error("set up tls: {0}")]
    Tls(#[from] TlsError),
    /// The database refused or broke off.
    #[error("database {place}: {}", reason(.source))]
    Postgres {
        /// Host, port and name.
        place: String,
        /// What it says.
        source: tokio_postgres::Error,
    },
    /// It took too long.
    #[error("database {place}: nothing within {patience:?}")]
    TimedOut {
        /// Host, port and name.
        place: String,
        /// How long was waited.
        patience: Duration,
    },
    /// Not a schema that can be read.
    #[error("database {place}: {missing}; is this CitrineOS's database, and may the role read it?")]
    Schema {
        /// Host, port and name.
        place: String,
        /// What is not there.
        missing: String,
    },
    /// The session could not be made read-only.
    #[error("database {0}: the session is not read-only")]
    Writable(String),
}

/// The server's words, or the chain of causes.
fn reason(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    match (error.as_db_error(), error.source()) {
        (Some(said), _) => format!("{} ({})", said.message(), said.code().code()),
        (None, Some(source)) => format!("{error}: {source}"),
        (None, None) => error.to_string(),
    }
}

impl Database {
    fn place(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.name)
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .dbname(&self.name)
            .user(&self.user)
            .application_name("evenkeel")
            .connect_timeout(self.patience)
            .ssl_mode(if self.tls {
                SslMode::Require
            } else {
                SslMode::Disable
            });
        if let Some(password) = &self.password {
            config.password(password.expose());
        }
        config
    }

    fn failed(&self, source: tokio_postgres::Error) -> DatabaseError {
        let place = self.place();
        DatabaseError::Postgres { place, source }
    }

    /// The future's result, or an error when it takes too long.
    async fn within<T>(
        &self,
        future: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, DatabaseError> {
        match timeout(self.patience, future).await {
            Ok(ended) => ended.map_err(|error| self.failed(error)),
            Err(_) => Err(DatabaseError::TimedOut {
                place: self.place(),
                patience: self.patience,
            }),
        }
    }
}

/// One pass: every transaction that changed after `from`, in the order of its changes.
pub async fn read(
    database: &Database,
    from: Option<Micros>,
    shelf: &mut Shelf,
) -> Result<(), ReadError> {
    let tls = Tls::new(database.ca.as_deref()).map_err(DatabaseError::Tls)?;
    let connecting = database.config();
    let (client, connection) = database.within(connecting.connect(tls)).await?;
    // Ends when the client is dropped; what breaks it reaches the client's next question too.
    let connection = tokio::spawn(connection);
    let read = pages(database, &client, from, shelf).await;
    drop(client);
    if let Ok(Err(error)) = connection.await {
        tracing::debug!(%error, "a database connection broke off");
    }
    read
}

async fn pages(
    database: &Database,
    client: &tokio_postgres::Client,
    from: Option<Micros>,
    shelf: &mut Shelf,
) -> Result<(), ReadError> {
    // Not as startup options: poolers refuse those.
    let careful = format!(
        "SET default_transaction_read_only = on; SET statement_timeout = {}",
        database.patience.as_millis()
    );
    database.within(client.batch_execute(&careful)).await?;
    let state = database.within(client.query_one("SHOW transaction_read_only", &[]));
    if state.await?.get::<_, String>(0) != "on" {
        return Err(DatabaseError::Writable(database.place()).into());
    }
    let schema = Schema::read(database, client).await?;
    let statement = database.within(client.prepare(&schema.query())).await?;
    let url = format!("postgres://{}", database.place());
    let overlap = database.overlap.as_micros() as Micros;
    let from = from.map_or(0, |from| from - overlap).max(0);
    let mut last = (from, i64::MIN);
    let limit = i64::from(database.page.max(1));
    for page in 1.. {
        let behind: [&(dyn ToSql + Sync); 3] = [&last.0, &last.1, &limit];
        let rows = client.query(&statement, &behind);
        shelf.tally().add(|work| work.requests += 1);
        let rows = database.within(rows).await.inspect_err(|_| {
            shelf.tally().add(|work| work.failures += 1);
        })?;
        for (row, cells) in (1..).zip(&rows) {
            let (id, updated, body): (i64, Micros, String) =
                (cells.get(0), cells.get(1), cells.get(2));
            last = (updated, id);
            let found = Found {
                form: Form::Citrineos,
                kind: RecordKind::Session,
                id: &id.to_string(),
                body: body.as_bytes(),
                updated: Some(updated),
                url: &url,
                page,
                row,
                columns: None,
            };
            shelf.put(&found).await?;
        }
        if (rows.len() as i64) < limit {
            break;
        }
        sleep(database.pace).await;
    }
    Ok(())
}
