//! What people read about a recording, wherever they read it: on the command line, in the dashboard, in a document.
//!
//! The ledger says what came out; this module fetches the texts behind it and sets them side by side. A report is read into
//! one [`model`], behind a [`veil`] that hides names, rendered in several forms ([`render`]) and packed ([`package`]).

pub mod bundles;
pub mod causes;
pub mod comparison;
pub mod escape;
pub mod evidence;
pub mod explain;
pub mod ladder;
pub mod model;
pub mod package;
pub mod protocol;
pub mod render;
pub mod rules;
pub mod since;
pub mod survey;
pub mod veil;
pub mod verdict;
pub mod words;

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
    /// The program's own table cannot be read.
    #[error(transparent)]
    Protocol(#[from] protocol::TableError),
    /// A form of the report cannot be made.
    #[error(transparent)]
    Render(#[from] render::RenderError),
}
