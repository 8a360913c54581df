//! The live plane: accept, relay the handshake, pump bytes. No JSON of chargers, no disk, no terminal, no resolver in
//! the way, no blocking pool.

pub mod handover;
