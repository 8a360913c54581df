//! Simulated chargers and backends, over real sockets.
//!
//! They serve the demo and the tests. Everything they decide comes from a seed, so that two runs with the same seed
//! make the same decisions in the same order; only the moments differ.

pub mod backend;
pub mod books;
pub mod charger;
pub mod dialect;
pub mod journal;
pub mod ocpi;
pub mod pace;
pub mod prompt;
pub mod random;
pub mod routine;
pub mod scripted;
pub mod seeded;
pub mod world;

mod answers;
mod charger16;
mod charger201;
mod link;
mod state;
mod text;

pub use backend::{Fault, SimBackend};
pub use charger::{Command, SimCharger, SimError, Spec};
pub use dialect::Dialect;
pub use journal::{Journal, Way};
pub use link::Answer;
pub use ocpi::SimOcpi;
pub use pace::Pace;
pub use routine::{Step, Stop};
pub use world::DemoWorld;
