//! `sidearm send-test`: one clearly marked event to one sink, and what the destination said.

use std::{
    io::{self, Write as _},
    sync::Arc,
};

use super::{ConfigFile, Exit, block_on, complain, logging};
use crate::{
    config::Config,
    engine::{StartError, TestReport, send_test},
    wire::RealWires,
};

/// Sends one clearly marked event to a sink, through its own format, request and credentials.
///
/// It prints the answer, how long it took, and what it means. The journal is not touched, so it
/// may run beside a `sidearm run`. Exit code 1 where the destination refuses or does not answer.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sidearm send-test -c sidearm.toml --sink siem")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// The sink
    #[arg(long, value_name = "NAME")]
    sink: String,
}

/// Runs it.
pub(crate) fn run(args: Args) -> io::Result<Exit> {
    let config = match args.config.look() {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    if let Err(exit) = logging::start(&config) {
        return Ok(exit);
    }
    match block_on(send(config, &args.sink))? {
        Ok(report) => {
            tell(&args.sink, &report)?;
            Ok(if report.accepted { Exit::Done } else { Exit::Failed })
        }
        Err(error) => {
            complain(&error.to_string());
            Ok(Exit::Failed)
        }
    }
}

async fn send(config: Config, sink: &str) -> Result<TestReport, StartError> {
    send_test(config, sink, Arc::new(RealWires)).await
}

fn tell(sink: &str, report: &TestReport) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    writeln!(out, "sink     {sink}")?;
    writeln!(out, "event    {}", report.event_id)?;
    if let Some(reply) = &report.reply {
        writeln!(out, "answer   {reply}")?;
    }
    writeln!(out, "took     {} ms", report.took.as_millis())?;
    writeln!(out, "verdict  {}", report.verdict)
}
