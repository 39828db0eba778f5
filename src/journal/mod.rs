//! The only queue.

pub mod cursor;
