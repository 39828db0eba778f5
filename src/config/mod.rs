//! The configuration: one strict TOML file.
//!
//! Owns its shape, the places where secrets come in, and errors that carry a path and a line.

mod shape;
mod units;

pub use shape::*;
pub use units::{ByteSize, Span, parse_bytes, parse_span};
