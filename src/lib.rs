//! Sidearm: KubeArmor's events to every destination, none lost in silence.

pub mod admin;
pub mod cli;
pub mod config;
pub mod demo;
mod fields;
pub mod journal;
pub mod relay;
pub mod render;
mod room;
pub mod route;
mod samples;
#[cfg(test)]
mod testing;
pub mod wire;
