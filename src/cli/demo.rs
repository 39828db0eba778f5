//! `sidearm demo`: the main job, seen working, with nothing else installed.

use std::{io, net::SocketAddr};

use super::Exit;

/// Plays an attack through the whole engine: a built-in relay, a Splunk stand-in, a file, the
/// terminal.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sidearm demo                                          the whole way, on this machine
  sidearm demo --rate 5000 --events 0                   until stopped
  sidearm demo --json | jq .sinks                       the final ledger, for programs
  sidearm demo --relay-only --listen 127.0.0.1:32767    just the relay, for an own client")]
pub(crate) struct Args {
    /// Events a second
    #[arg(long)]
    rate: Option<u32>,
    /// Events in all; 0: until stopped
    #[arg(long)]
    events: Option<u64>,
    /// Seconds at most
    #[arg(long)]
    seconds: Option<u64>,
    /// What the scenario's chances are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the final ledger as JSON
    #[arg(long)]
    json: bool,
    /// Run only the built-in relay
    #[arg(long)]
    relay_only: bool,
    /// Where the relay listens
    #[arg(long)]
    listen: Option<SocketAddr>,
    /// Send so many events at once
    #[arg(long)]
    burst: Option<u64>,
}

/// Runs it.
pub(crate) fn run(args: Args) -> io::Result<Exit> {
    super::complain(&format!("the demo is on its way: {args:?}"));
    Ok(Exit::Failed)
}
