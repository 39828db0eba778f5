//! `sidearm preview`: what each sink would send for an event, or why it would not take it.
//!
//! Owns which events are shown and how it looks; `request` makes the request as a lane would, with
//! the wire's own headers. Nothing is connected to, and no secret is shown.

mod events;
mod request;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anstyle::{Effects, Style};
use sidearm_sinks::contract::Stream;

use self::request::{Preview, Subject};
use super::{ConfigFile, Exit, complain};
use crate::config::Config;

const BOLD: Style = Style::new().effects(Effects::BOLD);
const DIM: Style = Style::new().effects(Effects::DIMMED);

/// Shows the exact request each sink would send for an event, and which sinks would not take it.
///
/// Secrets are shown as ***, bodies before compression. Nothing is connected to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sidearm preview -c sidearm.toml                           sample events, every sink
  sidearm preview -c sidearm.toml --sink siem --event -     events from standard input
  karmor logs --json | head -1 | sidearm preview --event - --json")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Only this sink
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// Events in KubeArmor's own JSON, one a line; - is standard input. Without it: for each sink
    /// and stream a sample event, where there is one that the sink takes
    #[arg(long, value_name = "FILE|-")]
    event: Option<PathBuf>,
    /// Print a list for programs: [{"sink","taken","why","method","url","headers","body"}]
    #[arg(long)]
    json: bool,
}

/// Runs it.
pub(crate) fn run(args: Args) -> io::Result<Exit> {
    let mut config = match args.config.look() {
        Ok(config) => config,
        Err(exit) => return Ok(exit),
    };
    if let Some(name) = &args.sink
        && let Err(why) = keep_one(&mut config, name)
    {
        complain(&why);
        return Ok(Exit::Failed);
    }
    let previews = match previews(&config, args.event.as_deref()) {
        Ok(previews) => previews,
        Err(why) => {
            complain(&why);
            return Ok(Exit::Failed);
        }
    };
    let mut out = anstream::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &previews)?;
        writeln!(out)?;
    } else {
        previews.iter().try_for_each(|preview| show(&mut out, preview))?;
    }
    Ok(Exit::Done)
}

fn keep_one(config: &mut Config, name: &str) -> Result<(), String> {
    let names: Vec<String> = config.sinks.iter().map(|sink| sink.lane.name.clone()).collect();
    config.sinks.retain(|sink| sink.lane.name == name);
    if config.sinks.is_empty() {
        return Err(format!("there is no sink named \"{name}\", expected {}", names.join(", ")));
    }
    Ok(())
}

fn previews(config: &Config, event: Option<&Path>) -> Result<Vec<Preview>, String> {
    let subjects: Vec<Subject<'_>> =
        config.sinks.iter().map(|sink| Subject::new(config, sink)).collect::<Result<_, _>>()?;
    match event {
        None => of_samples(&subjects),
        Some(path) => {
            let given = events::read(path)?;
            let of_one = |given| subjects.iter().map(move |subject| subject.preview(given));
            given.iter().flat_map(of_one).collect()
        }
    }
}

/// For each sink and stream the first sample that it takes, else the first there is.
fn of_samples(subjects: &[Subject<'_>]) -> Result<Vec<Preview>, String> {
    let samples = events::samples();
    let mut previews = Vec::new();
    for subject in subjects {
        for stream in Stream::ALL {
            let of_stream = samples.iter().filter(|given| given.stream == stream);
            let mut all: Vec<Preview> =
                of_stream.map(|given| subject.preview(given)).collect::<Result<_, _>>()?;
            let shown = all.iter().position(|preview| preview.taken).unwrap_or_default();
            previews.extend(all.drain(..).nth(shown));
        }
    }
    Ok(previews)
}

fn show(out: &mut dyn Write, preview: &Preview) -> io::Result<()> {
    let Preview { sink, event, why, .. } = preview;
    let verb = if preview.taken { "takes" } else { "does not take" };
    writeln!(out, "{BOLD}{sink}{BOLD:#} {verb} {event} {DIM}({why}){DIM:#}")?;
    if let (Some(method), Some(url)) = (&preview.method, &preview.url) {
        writeln!(out, "{method} {url}")?;
    }
    for (name, value) in preview.headers.iter().flatten() {
        writeln!(out, "{name}: {value}")?;
    }
    if let Some(body) = &preview.body {
        writeln!(out, "\n{}", harmless(body).trim_end())?;
    }
    writeln!(out)
}

/// A body is shown on a terminal: an event must not move its cursor or change its colours.
fn harmless(body: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c.to_string(),
        c if c.is_control() => c.escape_unicode().to_string(),
        c => c.to_string(),
    };
    body.chars().map(shown).collect()
}
