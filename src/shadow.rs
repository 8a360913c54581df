//! The shadow plane: what the live plane hands over becomes facts, and each charger gets a leg towards the backend that
//! is not its authority.
//!
//! Nothing here can write to a charger: the hand-over runs one way, and no module below holds a handle to a charger's
//! socket. A leg owns its socket to the shadow backend and nothing else.

pub mod commands;
pub mod control;
pub mod credentials;
pub mod dial;
pub mod exchanges;
pub mod identities;
pub mod leg;
pub mod legs;
pub mod link;
pub mod mediator;
pub mod memory;
pub mod model;
pub mod observe;
pub mod outbox;
pub mod overlay;
pub mod pace;
pub mod plane;
pub mod prime;
pub mod queue;
pub mod retries;
pub mod settings;
pub mod socket;
pub mod solicited;
pub mod stand_in;
pub mod strangers;
pub mod switch;
pub mod translate;
