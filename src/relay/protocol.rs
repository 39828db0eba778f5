//! `feeder.LogService` as it stands on the wire: its paths and its filters.
//!
//! Shared by the client beside it and by the built-in relay. Knows neither what a message means
//! nor where it goes.

use http::uri::PathAndQuery;
use sidearm_sinks::contract::Stream;

/// The only health call a relay knows: it answers the number it is given.
pub(crate) const HEALTH_CHECK: &str = "/feeder.LogService/HealthCheck";

/// The call that opens a stream.
pub(crate) fn watch_path(stream: Stream) -> &'static str {
    match stream {
        Stream::Alert => "/feeder.LogService/WatchAlerts",
        Stream::Message => "/feeder.LogService/WatchMessages",
        Stream::Log => "/feeder.LogService/WatchLogs",
    }
}

/// A path as tonic takes it.
pub(crate) fn path(path: &'static str) -> PathAndQuery {
    PathAndQuery::from_static(path)
}
