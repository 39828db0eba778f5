//! `sidearm demo`: the main job, seen working, with nothing else installed.
//!
//! Owns the command line and what both of its ways share. `whole` runs the built-in relay, the
//! ordinary engine and its destinations; `relay_only` runs just the relay, for somebody else's
//! client.

mod play;
mod progress;
mod relay_only;
mod report;
mod screen;
mod whole;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::Exit;

/// Events a second unless told otherwise: an attack takes some ten seconds, and can be read.
const RATE: u32 = 120;
/// Where neither events nor seconds are said, a story as long as this: at the usual rate one
/// attack, with a little more after it.
const STORY_SECONDS: u64 = 11;
/// KubeArmor's own port.
const RELAY_PORT: u16 = 32767;

/// Plays an attack through the whole engine: a built-in relay, a Splunk stand-in, a file, the
/// terminal.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The built-in relay speaks KubeArmor's own gRPC. What arrives is forwarded to a file (everything), to \
a Splunk stand-in
(alerts, and logs of what failed) and to the terminal (alerts). It ends with the ledger of each: what \
became of every event.
Exit code 1 where a ledger does not balance.

Examples:
  sidearm demo                                          the whole way, on this machine
  sidearm demo --rate 5000 --events 0                   faster, and until stopped (ctrl-c)
  sidearm demo --dir ./seen                             files that stay where you want them
  sidearm demo --json | jq .sinks                       the final ledger, for programs
  sidearm demo --relay-only --listen 127.0.0.1:32767    just the relay, for a client of your own
  sidearm demo --relay-only --burst 20000               the same: 20,000 alerts at once")]
pub(crate) struct Args {
    /// Events a second; with --burst, so many on average [default: 120]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// Events in all; 0: until stopped [default: 11 seconds of them, or what --seconds allows; with --relay-only 0, with --burst one burst]
    #[arg(long)]
    events: Option<u64>,
    /// Seconds at most
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: Option<u64>,
    /// What the scenario's chances are drawn from
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to keep file, journal and configuration: a new or empty folder [default: a temporary one]
    #[arg(long, conflicts_with = "relay_only")]
    dir: Option<PathBuf>,
    /// Print nothing but the final report, as JSON; alerts then go to standard error
    #[arg(long)]
    json: bool,
    /// Run only the built-in relay, with every event numbered (`ExecEvent.ExecID`)
    #[arg(long)]
    relay_only: bool,
    /// Where the relay listens [default: 127.0.0.1:32767]
    #[arg(long, requires = "relay_only")]
    listen: Option<SocketAddr>,
    /// Send alerts alone, so many at once, every 5 seconds or as --rate has it
    #[arg(long, requires = "relay_only", value_parser = clap::value_parser!(u64).range(1..))]
    burst: Option<u64>,
}

impl Args {
    fn rate(&self) -> u32 {
        self.rate.unwrap_or(RATE)
    }

    /// How many events are told; `default` where nothing is said.
    fn events(&self, default: u64) -> u64 {
        match self.events.unwrap_or(default) {
            0 => u64::MAX,
            events => events,
        }
    }

    /// How many events the whole way is told.
    fn story_events(&self) -> u64 {
        match self.seconds {
            Some(_) => self.events(0),
            None => self.events(u64::from(self.rate()) * STORY_SECONDS),
        }
    }

    /// How long they are told at most. A year stands for ever: a timer has an end.
    fn time(&self) -> Duration {
        const YEAR_SECONDS: u64 = 365 * 24 * 3_600;
        Duration::from_secs(self.seconds.unwrap_or(YEAR_SECONDS).min(YEAR_SECONDS))
    }

    fn listen(&self) -> SocketAddr {
        self.listen.unwrap_or_else(|| SocketAddr::from((Ipv4Addr::LOCALHOST, RELAY_PORT)))
    }
}

/// Runs it.
pub(crate) fn run(args: Args) -> io::Result<Exit> {
    super::block_on(async {
        match args.relay_only {
            true => relay_only::run(&args).await,
            false => whole::run(&args).await,
        }
    })?
}
