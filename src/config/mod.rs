//! The configuration: one strict TOML file.
//!
//! Owns its shape, the places where secrets come in, and errors that carry a path and a line.

mod shape;

pub use shape::*;
pub use sidearm_sinks::contract::{ByteSize, Span, parse_bytes, parse_span};
