//! `sidearm check`: every mistake of a configuration in one go, or one line that says it is right.

use std::io::{self, Write as _};

use super::{ConfigFile, Exit};
use crate::config::Config;

/// Finds every mistake in a configuration: keys, types, secrets, filters, templates, limits.
///
/// Filters and templates are tried on sample events of every kind. Nothing is connected to. Each
/// mistake is a line on standard error, FILE:LINE: PATH: what was found, what was expected; the
/// exit code is then 78. What is right and perhaps not meant so is told likewise, as a warning.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sidearm check -c sidearm.toml")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

/// Runs it.
pub(crate) fn run(args: Args) -> io::Result<Exit> {
    let config = match args.config.look() {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    for doubt in &config.doubts {
        writeln!(anstream::stderr(), "{}", doubt.warning())?;
    }
    writeln!(anstream::stdout(), "{}: right: {}", args.config.name(), in_a_line(&config))?;
    Ok(Exit::Done)
}

fn in_a_line(config: &Config) -> String {
    let count = config.sinks.len();
    let sinks = if count == 1 { "sink" } else { "sinks" };
    let each: Vec<String> = config
        .sinks
        .iter()
        .map(|sink| format!("{} ({})", sink.lane.name, sink.lane.facts.name))
        .collect();
    format!("{count} {sinks}: {}; events from {}", each.join(", "), config.relay.address)
}
