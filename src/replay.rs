//! What is played instead of lived: simulated chargers and backends, logs of other programs read as facts, bundles that
//! reproduce a finding, recordings played once more, scenarios.

pub mod bundle;
pub mod import;
pub mod instants;
pub mod play;
pub mod proof;
pub mod recorded;
pub mod rerun;
pub mod results;
pub mod scenario;
pub mod shrink;
pub mod sim;
pub mod story;
pub mod tape;
pub mod verdict;
