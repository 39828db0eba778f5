//! A runtime of one thread for the AMQP library alone.
//!
//! Of a transfer, the library (fe2o3-amqp 0.16) remembers that an outcome is wanted only after it
//! was handed to the connection. On several threads a quick outcome comes before that, is dropped,
//! and the sender waits for it until its time-out. On one thread the two cannot cross.

use std::{
    sync::{Mutex, PoisonError},
    thread,
};

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Begun when it is first needed, ended when it is dropped.
#[derive(Debug, Default)]
pub(super) struct OwnLoop {
    begun: Mutex<Option<(Handle, DropGuard)>>,
}

impl OwnLoop {
    /// Where its tasks are spawned.
    ///
    /// # Errors
    /// The system gives no further thread.
    pub(super) fn handle(&self) -> Result<Handle, String> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((handle, _)) = &*begun {
            return Ok(handle.clone());
        }
        let (handle, guard) = begin().map_err(|error| format!("beginning a thread: {error}"))?;
        *begun = Some((handle.clone(), guard));
        Ok(handle)
    }
}

fn begin() -> std::io::Result<(Handle, DropGuard)> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let (handle, stop) = (runtime.handle().clone(), CancellationToken::new());
    let stopped = stop.clone();
    // Not one of the runtime's blocking threads: those are waited for when the program ends.
    thread::Builder::new()
        .name("amqp".to_owned())
        .spawn(move || runtime.block_on(stopped.cancelled()))?;
    Ok((handle, stop.drop_guard()))
}
