//! The estate: which chargers there are, which of them move together and when, and whether they may. Pure: what is known
//! comes from files that others have read and from the ledger's tables.

pub mod billing;
pub mod bound;
pub mod comms;
pub mod decommission;
pub mod fleet;
pub mod gate;
pub mod map;
pub mod standing;
pub mod switches;
