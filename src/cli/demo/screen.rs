//! One terminal for two things: alerts that scroll by, and a block of progress that stays below.
//!
//! The engine's way to standard output leads through here, so that the block can make room for
//! what is printed. Where standard error is no terminal there is no block.

use std::{
    io::{self, IsTerminal as _, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError},
};

use anstream::{AutoStream, ColorChoice, adapter::strip_str};
use sidearm_sinks::contract::{Append, AppendConnection, AppendRequest, Written};
use tokio_util::sync::CancellationToken;

use crate::wire::{Attempt, RealWires, Wire, WireError, Wires};

/// What a person sees.
pub(super) struct Screen {
    /// Whether alerts go to standard error, because standard output is a program's.
    aside: bool,
    live: bool,
    colour: bool,
    /// The block as it stands on the terminal.
    block: Mutex<String>,
    reader_gone: CancellationToken,
}

impl Screen {
    /// `aside` sends alerts to standard error.
    pub(super) fn new(aside: bool) -> Self {
        let live = io::stderr().is_terminal();
        let colour = AutoStream::choice(&io::stderr()) != ColorChoice::Never;
        let (block, reader_gone) = (Mutex::default(), CancellationToken::new());
        Self { aside, live, colour, block, reader_gone }
    }

    /// Whether there is a block at all.
    pub(super) fn is_live(&self) -> bool {
        self.live
    }

    /// Waits until nobody reads standard output any more.
    pub(super) async fn reader_gone(&self) {
        self.reader_gone.cancelled().await;
    }

    /// Says something to the person at the terminal, before there is a block.
    pub(super) fn say(&self, text: &str) {
        let _ = io::stderr().write_all(text.as_bytes());
    }

    /// Puts this block in the place of the one that stands. Where something is being printed to a
    /// slow reader, the picture is left out instead of waited for.
    pub(super) fn draw(&self, block: &str) {
        let block = if self.colour { block.to_owned() } else { strip_str(block).to_string() };
        let mut standing = match self.block.try_lock() {
            Ok(standing) => standing,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        // One write, so that it does not flicker. A terminal that is gone needs no picture.
        let _ = io::stderr().write_all(format!("{}{block}", erase(&standing)).as_bytes());
        *standing = block;
    }

    /// Prints on standard output, above the block; blocks as long as its reader does.
    fn print(&self, bytes: &[u8]) -> io::Result<()> {
        let block = self.standing();
        if !block.is_empty() {
            io::stderr().write_all(erase(&block).as_bytes())?;
        }
        let printed = match self.aside {
            true => write_all(&mut io::stderr().lock(), bytes),
            false => write_all(&mut io::stdout().lock(), bytes),
        };
        if !block.is_empty() {
            io::stderr().write_all(block.as_bytes())?;
        }
        printed
    }

    fn standing(&self) -> MutexGuard<'_, String> {
        self.block.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_all(out: &mut dyn Write, bytes: &[u8]) -> io::Result<()> {
    out.write_all(bytes)?;
    out.flush()
}

/// What takes a block off the terminal: up to its first line, then everything below.
fn erase(block: &str) -> String {
    match block.lines().count() {
        0 => String::new(),
        lines => format!("\x1b[{lines}F\x1b[J"),
    }
}

/// The ordinary ways out, but for standard output.
pub(super) struct ScreenWires {
    pub(super) screen: Arc<Screen>,
}

impl Wires for ScreenWires {
    fn append(
        &self,
        sink: &str,
        connection: &AppendConnection,
    ) -> Result<Box<dyn Wire<Append>>, WireError> {
        match connection {
            AppendConnection::Stdout => Ok(Box::new(ScreenWire(self.screen.clone()))),
            AppendConnection::File { .. } => RealWires.append(sink, connection),
        }
    }
}

struct ScreenWire(Arc<Screen>);

impl Wire<Append> for ScreenWire {
    fn call(&self, request: AppendRequest) -> Attempt<'_, Append> {
        let screen = self.0.clone();
        Box::pin(async move {
            let print = move || {
                let printed = screen.print(&request.bytes);
                if printed.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe) {
                    screen.reader_gone.cancel();
                }
                printed
            };
            let printed = tokio::task::spawn_blocking(print).await.map_err(io::Error::other);
            match printed.and_then(|printed| printed) {
                Ok(()) => Ok(Written),
                Err(error) => Err(WireError::Unusable(format!("writing to the terminal: {error}"))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_taken_away_line_by_line() {
        assert_eq!(erase(""), "");
        assert_eq!(erase("one\ntwo\n"), "\x1b[2F\x1b[J");
    }
}
