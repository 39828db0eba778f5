//! Waiting for something by looking again and again.

use std::time::Duration;

/// Long: a busy machine is no fault, and a test that goes well never waits for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Polls until it holds.
pub(crate) async fn eventually(what: &str, holds: impl AsyncFn() -> bool) {
    let polled = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(PATIENCE, polled).await.unwrap_or_else(|_| panic!("never: {what}"));
}
