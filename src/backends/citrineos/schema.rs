//! Which tables and columns a CitrineOS database has, and the query that is made of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use tokio_postgres::types::ToSql;

use super::{Database, DatabaseError};

/// Tables that are looked at.
const TABLES: [&str; 9] = [
    "Transactions",
    "TransactionEvents",
    "StartTransactions",
    "StopTransactions",
    "Authorizations",
    "IdTokens",
    "Tariffs",
    "Evses",
    "Connectors",
];

/// What no version is without.
const NEEDED: [&str; 4] = ["id", "transactionId", "isActive", "updatedAt"];

/// The columns of the tables that the role may read.
#[derive(Debug, Default)]
pub(super) struct Schema {
    /// The schema's name, quoted.
    name: String,
    columns: BTreeMap<String, BTreeSet<String>>,
}

impl Schema {
    pub(super) async fn read(
        database: &Database,
        client: &tokio_postgres::Client,
    ) -> Result<Self, DatabaseError> {
        let tables = TABLES.to_vec();
        // `information_schema` shows what the role has any right to, and no more.
        let sql = "SELECT table_name::text, column_name::text FROM information_schema.columns \
            WHERE table_schema = $1 AND table_name = ANY($2) AND has_column_privilege(\
            format('%I.%I', table_schema, table_name), column_name::text, 'SELECT')";
        let wanted: [&(dyn ToSql + Sync); 2] = [&database.schema, &tables];
        let rows = database.within(client.query(sql, &wanted)).await?;
        let mut schema = Self {
            name: quoted(&database.schema),
            columns: BTreeMap::new(),
        };
        for row in rows {
            let (table, column): (String, String) = (row.get(0), row.get(1));
            schema.columns.entry(table).or_default().insert(column);
        }
        schema.check().map_err(|missing| DatabaseError::Schema {
            place: database.place(),
            missing,
        })?;
        Ok(schema)
    }

    fn has(&self, table: &str, columns: &[&str]) -> bool {
        self.columns
            .get(table)
            .is_some_and(|known| columns.iter().all(|column| known.contains(*column)))
    }

    fn check(&self) -> Result<(), String> {
        if !self.columns.contains_key("Transactions") {
            return Err(format!("no table {}.\"Transactions\"", self.name));
        }
        for column in NEEDED {
            if !self.has("Transactions", &[column]) {
                return Err(format!("table \"Transactions\" has no column \"{column}\""));
            }
        }
        let has_station = ["ocppConnectionName", "stationId"]
            .iter()
            .any(|column| self.has("Transactions", &[column]));
        if has_station {
            Ok(())
        } else {
            Err("table \"Transactions\" names no station".to_owned())
        }
    }

    /// A page of transactions changed at or after $1 (µs), behind the one changed at $1 with number $2, $3 at most: number, time
    /// of change in µs, and everything as one JSON object.
    pub(super) fn query(&self) -> String {
        let mut parts = Parts::default();
        let by_transaction = ["id", "transactionDatabaseId"];
        for (table, name) in [("StartTransactions", "start"), ("StopTransactions", "stop")] {
            if self.has(table, &by_transaction) {
                parts.side(&self.name, table, name, "TRUE", "x.\"id\"");
            }
        }
        let event = ["id", "transactionDatabaseId", "seqNo", "eventType"];
        if self.has("TransactionEvents", &event) {
            let table = "TransactionEvents";
            let order = "x.\"seqNo\", x.\"id\"";
            parts.side(&self.name, table, "started", "TRUE", order);
            parts.side(
                &self.name,
                table,
                "ended",
                "x.\"eventType\" = 'Ended'",
                order,
            );
        }
        self.token(&mut parts);
        self.looked_up(&mut parts, "Tariffs", "tariffId", "currency", "currency");
        self.looked_up(
            &mut parts,
            "Connectors",
            "connectorId",
            "connectorId",
            "connector",
        );
        let key = ["evseId", "evseDatabaseId"];
        if let Some(key) = key.iter().find(|key| self.has("Transactions", &[key])) {
            let is_split = self.has("Evses", &["evseTypeId"]);
            let number = if is_split { "evseTypeId" } else { "id" };
            self.looked_up(&mut parts, "Evses", key, number, "evse");
        }
        let stamp = "(extract(epoch FROM t.\"updatedAt\") * 1000000)::bigint";
        format!(
            "WITH page AS MATERIALIZED (SELECT t.\"id\"::bigint AS n, {stamp} AS stamp, t.* FROM {schema}.\"Transactions\" t \
             WHERE ({stamp}, t.\"id\"::bigint) > ($1::bigint, $2::bigint) \
             AND t.\"updatedAt\" >= timestamptz 'epoch' + $1::bigint * interval '1 microsecond' \
             ORDER BY 2, 1 LIMIT $3::bigint){sides} \
             SELECT page.n, page.stamp, ((to_jsonb(page) - 'n' - 'stamp') || \
             jsonb_strip_nulls(jsonb_build_object({members})))::text \
             FROM page {joins} ORDER BY page.stamp, page.n",
            schema = self.name,
            sides = parts.sides,
            members = parts.members.join(", "),
            joins = parts.joins,
        )
    }

    /// The token: in the authorisation that the transaction names, or in the one that started it.
    fn token(&self, parts: &mut Parts) {
        let tokens = ["id", "idToken"];
        if self.has("Authorizations", &tokens) && self.has("Transactions", &["authorizationId"]) {
            self.looked_up(
                parts,
                "Authorizations",
                "authorizationId",
                "idToken",
                "idToken",
            );
            self.looked_up(
                parts,
                "Authorizations",
                "authorizationId",
                "idTokenType",
                "idTokenType",
            );
        } else if self.has("IdTokens", &tokens)
            && self.has(
                "StartTransactions",
                &["idTokenDatabaseId", "transactionDatabaseId"],
            )
        {
            let _ = write!(
                parts.joins,
                " LEFT JOIN {schema}.\"IdTokens\" token ON token.\"id\" = (start.v->>'idTokenDatabaseId')::bigint",
                schema = self.name
            );
            parts
                .members
                .push("'idToken', token.\"idToken\"".to_owned());
        }
    }

    /// A column of a table that the transaction names by its number.
    fn looked_up(&self, parts: &mut Parts, table: &str, key: &str, column: &str, member: &str) {
        if self.has("Transactions", &[key]) && self.has(table, &["id", column]) {
            parts.members.push(format!(
                "'{member}', (SELECT x.\"{column}\" FROM {}.\"{table}\" x WHERE x.\"id\" = page.\"{key}\")",
                self.name
            ));
        }
    }
}

/// The parts of a query under construction.
#[derive(Default)]
struct Parts {
    sides: String,
    joins: String,
    members: Vec<String>,
}

impl Parts {
    /// The first row of a side table for each transaction of the page.
    fn side(&mut self, schema: &str, table: &str, name: &str, which: &str, order: &str) {
        // Writing to a String cannot fail.
        let _ = write!(
            self.sides,
            ", {name} AS (SELECT DISTINCT ON (x.\"transactionDatabaseId\") x.\"transactionDatabaseId\"::bigint AS k, \
             to_jsonb(x) AS v FROM {schema}.\"{table}\" x JOIN page ON page.n = x.\"transactionDatabaseId\"::bigint \
             WHERE {which} ORDER BY x.\"transactionDatabaseId\", {order})"
        );
        let _ = write!(self.joins, " LEFT JOIN {name} ON {name}.k = page.n");
        self.members.push(format!("'{name}', {name}.v"));
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(tables: &[(&str, &[&str])]) -> Schema {
        let own = |columns: &[&str]| columns.iter().map(|name| (*name).to_owned()).collect();
        let columns = tables
            .iter()
            .map(|(table, columns)| ((*table).to_owned(), own(columns)));
        Schema {
            name: quoted("public"),
            columns: columns.collect(),
        }
    }

    #[test]
    fn a_foreign_schema_is_refused_with_what_it_lacks() {
        let missing = |tables| schema(tables).check().unwrap_err();
        assert!(missing(&[]).contains("\"Transactions\""));
        assert!(
            missing(&[("Transactions", &["id", "transactionId", "isActive"])])
                .contains("\"updatedAt\"")
        );
        let stationless = missing(&[("Transactions", &NEEDED)]);
        assert!(stationless.contains("station"), "{stationless}");
    }

    #[test]
    fn only_what_is_there_is_asked_for() {
        let columns = ["id", "transactionId", "isActive", "updatedAt", "stationId"];
        let bare = schema(&[("Transactions", &columns)]);
        assert_eq!(bare.check(), Ok(()));
        assert!(
            !bare.query().contains("StartTransactions"),
            "{}",
            bare.query()
        );
        let side = ["id", "transactionDatabaseId"];
        let more = schema(&[("Transactions", &columns), ("StartTransactions", &side)]);
        assert!(
            more.query().contains("'start', start.v"),
            "{}",
            more.query()
        );
    }
}
