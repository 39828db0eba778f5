//! The engine with the clock paused and no sockets: hours pass in no time. The relay is the
//! built-in one, over in-memory pipes; destinations follow a script; the journal is real, in a
//! temporary folder. Beside it, the program's commands that need neither.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod acknowledgement;
mod commands;
mod crash;
mod delivery;
mod desk;
mod digest;
mod each;
mod mail;
mod own_faults;
mod partly;
mod people;
mod priority;
mod relay;
mod script;
mod shedding;
mod storm;
mod vendors;
mod world;
mod wreck;
