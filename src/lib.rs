//! Sidearm: KubeArmor's events to every destination, none lost in silence.

pub mod admin;
pub mod cli;
pub mod config;
pub mod demo;
pub mod journal;
pub mod relay;
pub mod render;
pub mod wire;
