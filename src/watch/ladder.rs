//! How a ladder looks in a terminal: lanes where there is room, one row a step where there is none. What stands on it is
//! [`crate::report::ladder`].

mod lanes;
mod rows;

pub use crate::report::ladder::{Event, Step, Story, mark};
use crate::report::ladder::{Rung, What, shadow, since};
pub use lanes::lanes;
pub use rows::{COLUMNS, rows};

#[cfg(test)]
mod tests;
