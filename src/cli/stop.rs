//! Being told to stop: ctrl-c, or SIGTERM as Kubernetes sends it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears each signal to stop from the moment it is made, also those that come before it is asked.
pub(crate) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Begins to listen.
    ///
    /// # Errors
    /// Where signals cannot be listened to.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    /// Waits until somebody tells the program to stop.
    pub(crate) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Waits until somebody tells the program to stop.
///
/// # Errors
/// Where signals cannot be listened to.
pub(crate) async fn told_to_stop() -> io::Result<()> {
    StopSignals::listen()?.told().await;
    Ok(())
}
