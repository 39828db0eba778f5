//! `sidearm sinks`: the catalogue, and one destination's settings, limits and example.

use std::io::{self, Write};

use anstyle::{Effects, Style};
use sidearm_sinks::{
    CATALOGUE,
    contract::{ByteSize, Facts, Limits, did_you_mean},
};

use super::{Exit, complain};
use crate::config::example;

const BOLD: Style = Style::new().effects(Effects::BOLD);

/// Lists the destinations there are; with a NAME: its settings, limits and an example.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  sidearm sinks
  sidearm sinks splunk_hec")]
pub(crate) struct Args {
    /// One of them
    name: Option<String>,
}

/// Runs it.
pub(crate) fn run(args: Args) -> io::Result<Exit> {
    let all: Vec<Facts> = CATALOGUE.iter().map(|entry| (entry.facts)()).collect();
    let mut out = anstream::stdout().lock();
    let Some(name) = args.name else {
        list(&mut out, &all)?;
        return Ok(Exit::Done);
    };
    let Some(facts) = all.iter().find(|facts| facts.name == name) else {
        let near = did_you_mean(&name, all.iter().map(|facts| facts.name));
        complain(&format!("there is no sink of the kind \"{name}\"{near}"));
        return Ok(Exit::Failed);
    };
    one(&mut out, facts)?;
    Ok(Exit::Done)
}

fn list(out: &mut dyn Write, all: &[Facts]) -> io::Result<()> {
    let width = width(all.iter().map(|facts| facts.name));
    for Facts { name, summary, .. } in all {
        writeln!(out, "{BOLD}{name:width$}{BOLD:#}  {summary}")?;
    }
    writeln!(out, "\n`sidearm sinks NAME` tells its settings, its limits, and an example.")
}

fn one(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    writeln!(out, "{BOLD}{}{BOLD:#}: {}", facts.name, facts.summary)?;
    if facts.all_settings().next().is_some() {
        writeln!(out, "\n{BOLD}Settings{BOLD:#}, each with {}. before it", facts.name)?;
    }
    let width = width(facts.all_settings().map(|setting| setting.key));
    for setting in facts.all_settings() {
        writeln!(out, "  {:width$}  {}", setting.key, setting.help)?;
    }
    limits(out, facts)?;
    writeln!(out, "\n{BOLD}Example{BOLD:#}\n{}", example::sink(facts).trim_end())
}

fn limits(out: &mut dyn Write, facts: &Facts) -> io::Result<()> {
    let Limits { events, bytes, wait, in_flight, source } = facts.limits;
    writeln!(out, "\n{BOLD}Limits{BOLD:#} ({source})")?;
    writeln!(out, "  batch.events     {events} by default and at most")?;
    writeln!(out, "  batch.bytes      {} by default and at most", ByteSize(bytes as u64))?;
    writeln!(out, "  batch.wait       {} ms by default", wait.as_millis())?;
    writeln!(out, "  batch.in_flight  {in_flight} by default")?;
    match facts.rate_per_second {
        Some(rate) => writeln!(out, "  rate_per_second  {rate} by default"),
        None => writeln!(out, "  rate_per_second  no limit by default"),
    }
}

fn width<'a>(words: impl Iterator<Item = &'a str>) -> usize {
    words.map(str::len).max().unwrap_or_default()
}
