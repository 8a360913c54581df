//! Evenkeel: a shadow-traffic parity tester for EV-charging backends.
//!
//! A *tap* stands between live chargers and the legacy CSMS, copies the traffic to a candidate CSMS and compares what
//! both answer, command and book. The modules are listed in dependency order: each may use those above it, never those
//! below; `tests/layout.rs` checks that.

pub mod clock;

pub mod ocpp;

pub mod facts;

pub mod ledger;

pub mod live;

pub mod shadow;

pub mod judge;

pub mod backends;

pub mod estate;

pub mod replay;

pub mod report;

pub mod watch;

pub mod cli;
