//! Being told to stop: ctrl-c, or SIGTERM as Kubernetes sends it.

use std::io;

use tokio::signal::{
    ctrl_c,
    unix::{SignalKind, signal},
};

/// Waits until somebody tells the program to stop.
///
/// # Errors
/// Where signals cannot be listened to.
pub(crate) async fn told_to_stop() -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = ctrl_c() => interrupted,
        _ = terminate.recv() => Ok(()),
    }
}
