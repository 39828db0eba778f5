//! The program's own log: on standard error, as text for people or an object a line.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use super::{Exit, complain};
use crate::config::{Config, LogConfig, LogFormat};

/// What is logged where nothing is said.
const LEVEL: &str = "info";

/// Starts the log of a command that reaches destinations, with what is doubtful about its
/// configuration.
///
/// # Errors
/// The exit code, once it is told that the log cannot be started.
pub(crate) fn start(config: &Config) -> Result<(), Exit> {
    if let Err(why) = start_as(&config.log) {
        complain(&why);
        return Err(Exit::Config);
    }
    for doubt in &config.doubts {
        tracing::warn!("{}", doubt.warning());
    }
    Ok(())
}

/// `RUST_LOG` beats the configuration.
fn start_as(log: &LogConfig) -> Result<(), String> {
    let given = std::env::var("RUST_LOG").ok().filter(|directives| !directives.is_empty());
    let directives = given.as_deref().or(log.level.as_deref()).unwrap_or(LEVEL);
    let filter = EnvFilter::builder().parse(directives).map_err(|error| {
        format!("RUST_LOG: expected a level such as \"info\", or tracing's directives: {error}")
    })?;
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // A reader of stderr that has gone away must not end the engine: told of a failed write, the
    // library would print to stderr itself, and panic.
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .log_internal_errors(false);
    let started = match log.format {
        LogFormat::Text => builder.with_ansi(colour).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| format!("starting the log: {error}"))
}
