//! TEMPORARY: replaced at the merge.
use crate::clock::Micros;
use crate::facts::{Dir, Leg};
use std::sync::Arc;
/// What the legs are told. Nothing here may block.
pub trait LegHost {
    /// A connection is open.
    fn opened(&self, conn: &ConnInfo);
    /// A whole message.
    fn message(&self, conn: u64, dir: Dir, seq: u64, at: Micros, text: &Arc<str>);
    /// Gap.
    fn gap(&self, conn: u64, dir: Dir);
    /// Closed.
    fn closed(&self, conn: u64, at: Micros);
    /// Stopping.
    fn stopping(&self);
    /// Counters.
    fn status(&self) -> serde_json::Value {
        serde_json::Value::Null
    }
}
/// An open connection, as a leg needs to know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnInfo {
    /// The charger's identity.
    pub charger: Arc<str>,
    /// Connection epoch.
    pub conn: u64,
    /// What the authority chose; `None` if its answer named none.
    pub subprotocol: Option<String>,
    /// Which backend is the authority of this connection.
    pub authority: Leg,
    /// The connection was open before this shadow plane started.
    pub resumed: bool,
}
