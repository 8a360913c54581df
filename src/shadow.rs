//! The shadow plane: what happens below the process boundary. Nothing here holds a writer to a charger's socket.

pub mod commands;
pub mod dial;
pub mod exchanges;
pub mod leg;
pub mod legs;
pub mod link;
pub mod memory;
pub mod model;
pub mod observe;
pub mod pace;
pub mod plane;
pub mod prime;
pub mod queue;
pub mod settings;
pub mod socket;
pub mod stand_in;
pub mod translate;
