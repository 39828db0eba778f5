//! Disk work, off the threads that everything else runs on.

/// Runs `work` where it may block. A panic there is a panic here; when the runtime ends first,
/// this never returns, as nothing else does then.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => std::future::pending().await,
        },
    }
}
