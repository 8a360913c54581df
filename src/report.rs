//! What people read about a recording, wherever they read it: on the command line, in the dashboard, in a document.
//!
//! The ledger says what came out; this module fetches the texts behind it and sets them side by side.

pub mod causes;
pub mod comparison;
pub mod escape;
pub mod evidence;
pub mod explain;
pub mod rules;
pub mod verdict;

pub use comparison::Comparison;
pub use escape::{printable, printable_bytes};
pub use evidence::Evidence;

use crate::facts::RecordingError;
use crate::ledger::LedgerError;

/// Why something cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The facts cannot be read.
    #[error("read facts: {0}")]
    Facts(#[from] RecordingError),
    /// The ledger cannot be read.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}
