//! What the demo prints at its end.

use std::io::{self, Write as _};

use serde_json::Value;

/// Prints what a person reads.
pub(super) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// Prints what a program reads, on one line.
pub(super) fn print_json(value: &Value) -> io::Result<()> {
    print(&format!("{value}\n"))
}
