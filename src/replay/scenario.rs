//! Scenarios: what one charger says and what happens to it, in a file, and what both backends are expected to make of it.
//!
//! A scenario drives a simulated charger through a real tap. What follows is what follows from live traffic: facts, and one
//! judge that reads them ([`observed`]). What the file expects is then held against what was said and judged ([`weigh`]).

pub mod actor;
pub mod expect;
pub mod model;
pub mod observed;
pub mod orders;
pub mod pair;
pub mod read;
pub mod results;
pub mod text;
pub mod variables;
pub mod weigh;

mod clock;

pub use model::Scenario;
pub use text::Mistake;

/// The JSON Schema of a scenario file, for editors.
pub const SCHEMA: &str = include_str!("scenario/scenario.schema.json");
