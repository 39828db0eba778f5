//! The way in: subscribes to KubeArmor's relay, watches over each stream, records every gap.
//!
//! One supervised subscription per stream, each on a connection of its own, so that streams fail
//! apart and a flood of logs takes no flow control from alerts. Raw message bytes go straight to
//! the journal's appender; nothing here decodes an event, waits for a sink or gives up.
//!
//! ```text
//! watch     one stream: open, receive, end, gap, wait, again
//! health    nonces: is this connection alive, does the relay answer at all
//! connect   an address and certificates become a channel, afresh each time
//! tls       the certificate files, read anew at each connect
//! codec     a message on the wire becomes a record of the journal, with no copy between
//! protocol  paths and messages of `feeder.LogService`, shared with the built-in relay
//! status    what metrics and health pages show
//! timing    every wait
//! words     errors as people read them
//! ```

mod codec;
mod connect;
mod health;
pub(crate) mod protocol;
mod status;
mod timing;
mod tls;
mod watch;

pub use connect::{Connect, ConnectError, RelayConnector, channel};
pub use health::watch_health;
pub use status::RelayStatus;
pub use timing::Timing;
pub use watch::Watch;
