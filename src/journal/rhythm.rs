//! Says a lasting trouble at once, and then no oftener than it helps.

use std::time::Duration;

use tokio::time::Instant;

/// How long a trouble that was said stays unsaid.
const QUIET: Duration = Duration::from_secs(60);

/// When a trouble was last said.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    said: Option<Instant>,
}

impl Rhythm {
    /// Whether to say it now; if so, it counts as said.
    pub(super) fn is_due(&mut self) -> bool {
        let due = self.said.is_none_or(|said| said.elapsed() >= QUIET);
        if due {
            self.said = Some(Instant::now());
        }
        due
    }
}
