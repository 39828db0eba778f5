//! What a destination can suffer from.

use std::time::Duration;

/// A trouble a caller may meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Connections are closed without a word, new ones as soon as they stand.
    Down,
    /// Every queue is full: 503, code 9, with `Retry-After` in seconds where one is given.
    Busy(Option<u32>),
    /// It is going away: 503, code 23.
    ShuttingDown,
    /// The queue of indexing has no room: 429, code 26.
    Full,
    /// The events are taken, and the answer tells that there is hardly room: 200, code 24.
    NearlyFull,
    /// The token is not a known one: 403, code 4.
    Forbidden,
    /// The token is switched off: 403, code 1.
    Disabled,
    /// Something broke inside: 500, code 8. Nothing was taken.
    Broken,
    /// The answer takes this long.
    Slow(Duration),
    /// The events are taken, and the connection ends before the answer.
    LostReply,
}
