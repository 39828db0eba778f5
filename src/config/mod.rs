//! The configuration: one strict TOML file.
//!
//! Owns its shape, the places where secrets come in, and errors that carry a path and a line. All
//! mistakes of a file are told in one go; nothing of a wrong file is used.

mod checks;
mod environment;
pub(crate) mod example;
mod lane;
mod load;
mod place;
mod problem;
mod reader;
mod rebuild;
mod shape;
mod sink;
mod without_file;
mod wording;

#[cfg(test)]
mod tests;

pub use environment::Environment;
pub use example::example;
pub use load::{load, read};
pub use problem::{Problem, Problems};
pub use shape::*;
pub use sidearm_sinks::contract::{ByteSize, Span, parse_bytes, parse_span};
pub use without_file::journal_without_file;
