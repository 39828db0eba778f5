//! The runs, one after the other, and what is printed of them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    Failure,
    engine::{Engine, free_address, received, settled},
    part::Part,
    sinks::{Stands, hec, rows},
};

/// Alerts of a run that goes flat out.
const EVENTS: u64 = 1_000_000;
/// Yardstick and engine in turn, so often; the median counts.
const ROUNDS: usize = 3;
/// Deliveries, of all sinks together, where there are several.
const DELIVERIES: u64 = 2_000_000;
const PACED_PER_SECOND: u64 = 10_000;
const PACED_EVENTS: u64 = 10 * PACED_PER_SECOND;
const FLAT_OUT: u64 = 0;
/// How often the yardstick is asked how far it is.
const ASK_EVERY: Duration = Duration::from_millis(10);

const MIB: u64 = 1 << 20;
const BACKLOG_BYTES: u64 = 128 * MIB;
const FULL_BACKLOG_BYTES: u64 = 1024 * MIB;

/// What one run came to.
#[derive(Clone, Copy)]
struct Cost {
    events: u64,
    seconds: f64,
    cpu_seconds: f64,
    peak_mib: f64,
    journal_bytes: u64,
    /// Events the journal's disk was too slow for; told by a gap record, and counted.
    refused: u64,
}

impl Cost {
    fn cpu_seconds_per_million(&self) -> f64 {
        self.cpu_seconds * 1e6 / self.events as f64
    }

    fn json(&self, yardstick: &Cost) -> Value {
        let cpu = self.cpu_seconds_per_million();
        json!({
            "events": self.events,
            "events_per_second": (self.events as f64 / self.seconds).round(),
            "cpu_seconds_per_million_events": rounded(cpu),
            "cpu_of_yardstick": rounded(cpu / yardstick.cpu_seconds_per_million()),
            "peak_memory_mib": rounded(self.peak_mib),
            "events_refused": self.refused,
            "journal_bytes_per_event": rounded(self.journal_bytes as f64 / self.events as f64),
        })
    }
}

/// Does all runs and prints their figures.
pub(crate) fn all(full: bool) -> Result<(), Failure> {
    let mut yardsticks = Vec::new();
    let mut ones = Vec::new();
    for round in 1..=ROUNDS {
        tell(&format!("yardstick and one sink, flat out, round {round} of {ROUNDS}"));
        let (bare, whole) = (yardstick(FLAT_OUT, EVENTS)?, delivered(1, EVENTS)?);
        tell(&format!(
            "{:.2} and {:.2} CPU seconds per million events",
            bare.cpu_seconds_per_million(),
            whole.cpu_seconds_per_million()
        ));
        yardsticks.push(bare);
        ones.push(whole);
    }
    let (yardstick_cost, one) = (median(yardsticks), median(ones));
    tell("four sinks");
    let four = delivered(4, DELIVERIES / 4)?;
    tell("sixteen sinks");
    let sixteen = delivered(16, DELIVERIES / 16)?;
    tell("10,000 events a second");
    let (paced, delay) = paced()?;
    let paced_yardstick = yardstick(PACED_PER_SECOND, PACED_EVENTS)?;
    let backlog_bytes = if full { FULL_BACKLOG_BYTES } else { BACKLOG_BYTES };
    tell(&format!("a dead sink, until {} MiB wait, and catching up", backlog_bytes / MIB));
    let events = backlog_bytes * one.events / one.journal_bytes.max(1);
    let (dead, caught_up) = backlog(events)?;

    let further = |cost: &Cost, sinks: f64| {
        let more = cost.cpu_seconds_per_million() - one.cpu_seconds_per_million();
        rounded(more / (sinks - 1.0) / yardstick_cost.cpu_seconds_per_million())
    };
    let report = json!({
        "processors": std::thread::available_parallelism()?.get(),
        "yardstick": yardstick_cost.json(&yardstick_cost),
        "one_sink": one.json(&yardstick_cost),
        "four_sinks": four.json(&yardstick_cost),
        "sixteen_sinks": sixteen.json(&yardstick_cost),
        "each_further_sink_of_yardstick": {
            "of_four": further(&four, 4.0),
            "of_sixteen": further(&sixteen, 16.0),
        },
        "at_10000_a_second": {
            "engine": paced.json(&paced_yardstick),
            "yardstick": paced_yardstick.json(&paced_yardstick),
            "relay_to_sink": delay,
        },
        "dead_sink": dead.json(&yardstick_cost),
        "catching_up": caught_up.json(&yardstick_cost),
    });
    println!("{report:#}");
    Ok(())
}

/// One row for each destination that takes batches, and for each format: prints a table. Words
/// choose rows by a part of their name.
pub(crate) fn each_sink(wanted: &[&str]) -> Result<(), Failure> {
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|word| name.contains(word));
    let (_http, http) = stand("http")?;
    let (_grpc, grpc) = stand("grpc")?;
    let (_tcp, tcp) = stand("tcp")?;
    let stands = Stands { http: &http, grpc: &grpc, tcp: &tcp };
    let folder = tempfile::tempdir()?;
    let yardstick =
        median((0..ROUNDS).map(|_| yardstick(FLAT_OUT, EVENTS)).collect::<Result<_, _>>()?);
    let bare = yardstick.cpu_seconds_per_million();
    println!("{:<24} {:>10} {:>12} {:>10}", "sink", "CPU s/1M", "of yardstick", "events/s");
    println!("{:<24} {bare:>10.2} {:>12.2}", "yardstick", 1.0);
    for (name, table) in rows(folder.path(), &stands).iter().filter(|(name, _)| is_wanted(name)) {
        tell(name);
        match row(table) {
            Ok(cost) => {
                let cpu = cost.cpu_seconds_per_million();
                let speed = cost.events as f64 / cost.seconds;
                println!("{name:<24} {cpu:>10.2} {:>12.2} {speed:>10.0}", cpu / bare);
            }
            Err(error) => println!("{name:<24} failed: {error}"),
        }
    }
    match std::env::var("KAFKA") {
        _ if !is_wanted("kafka") => Ok(()),
        Ok(broker) => kafka(&broker, bare),
        Err(_) => {
            println!(
                "{:<24} SKIPPED: KAFKA=HOST:PORT names a broker with the topic bench",
                "kafka"
            );
            Ok(())
        }
    }
}

/// Kafka, and a bare producer that sends the same alerts to the same broker.
fn kafka(broker: &str, yardstick: f64) -> Result<(), Failure> {
    tell("kafka");
    let table = format!(
        "[sinks.row.kafka]\nbrokers = \"{broker}\"\nsecurity = \"plaintext\"\ntopic = \"bench\"\n"
    );
    let sink = row(&table)?;
    tell("a bare producer");
    let mut producer = Part::role(&["producer", broker, "bench", &EVENTS.to_string()])?;
    says(&mut producer, "begins")?;
    let (start, cpu) = (Instant::now(), producer.cpu_seconds()?);
    says(&mut producer, &EVENTS.to_string())?;
    let producer = Cost {
        events: EVENTS,
        seconds: start.elapsed().as_secs_f64(),
        cpu_seconds: producer.cpu_seconds()? - cpu,
        peak_mib: producer.peak_mib()?,
        journal_bytes: 0,
        refused: 0,
    };
    for (name, cost) in [("kafka", &sink), ("bare rdkafka producer", &producer)] {
        let cpu = cost.cpu_seconds_per_million();
        let speed = cost.events as f64 / cost.seconds;
        println!("{name:<24} {cpu:>10.2} {:>12.2} {speed:>10.0}", cpu / yardstick);
    }
    let ratio = sink.cpu_seconds_per_million() / producer.cpu_seconds_per_million();
    println!("kafka costs {ratio:.2} times the bare producer");
    Ok(())
}

/// The whole way, flat out, to one sink that takes everything.
fn row(table: &str) -> Result<Cost, Failure> {
    let folder = tempfile::tempdir()?;
    let (mut relay, relay_address) = relay(EVENTS, FLAT_OUT)?;
    let engine = Engine::start(folder.path(), &relay_address, &[table.to_owned()])?;
    let cost = measured(&engine, &mut relay, EVENTS, |status| {
        // A parked lane would never come to an end; that it did not is told below.
        let parked = status["sinks"]["row"]["state"] == "parked";
        parked || received(status, EVENTS) && settled(status)
    })?;
    let sink = engine.status()?["sinks"]["row"].clone();
    match (sink["accepted"].as_u64(), sink["received"].as_u64()) {
        (Some(accepted), Some(received)) if accepted == received => Ok(cost),
        _ => Err(format!("not everything was accepted: {sink}").into()),
    }
}

fn stand(way: &str) -> Result<(Part, String), Failure> {
    let mut stand = Part::role(&["stand", way])?;
    let address = stand.line()?;
    Ok((stand, address))
}

fn yardstick(per_second: u64, events: u64) -> Result<Cost, Failure> {
    let (mut relay, address) = relay(events, per_second)?;
    let mut subscriber = Part::role(&["yardstick", &address])?;
    begins(&mut relay)?;
    let (start, cpu) = (Instant::now(), subscriber.cpu_seconds()?);
    says(&mut relay, "done")?;
    loop {
        subscriber.nudge()?;
        if subscriber.line()?.parse::<u64>()? >= events {
            break;
        }
        std::thread::sleep(ASK_EVERY);
    }
    Ok(Cost {
        events,
        seconds: start.elapsed().as_secs_f64(),
        cpu_seconds: subscriber.cpu_seconds()? - cpu,
        peak_mib: subscriber.peak_mib()?,
        journal_bytes: 0,
        refused: 0,
    })
}

/// The whole way, flat out, to so many sinks.
fn delivered(sinks: usize, events: u64) -> Result<Cost, Failure> {
    let folder = tempfile::tempdir()?;
    let (mut relay, relay_address) = relay(events, FLAT_OUT)?;
    let (_destination, address) = destination("discard", 0)?;
    let sinks: Vec<_> = (0..sinks).map(|index| hec(index, &address)).collect();
    let engine = Engine::start(folder.path(), &relay_address, &sinks)?;
    measured(&engine, &mut relay, events, |status| received(status, events) && settled(status))
}

/// The whole way at an ordinary pace, and how long events were under way, in milliseconds.
fn paced() -> Result<(Cost, Value), Failure> {
    let folder = tempfile::tempdir()?;
    let (mut relay, relay_address) = relay(PACED_EVENTS, PACED_PER_SECOND)?;
    let (mut destination, address) = destination("timed", 0)?;
    let engine = Engine::start(folder.path(), &relay_address, &[hec(0, &address)])?;
    let cost = measured(&engine, &mut relay, PACED_EVENTS, |status| {
        received(status, PACED_EVENTS) && settled(status)
    })?;
    destination.nudge()?;
    let line = destination.line()?;
    let figures: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [events, p50_us, p99_us] = figures[..] else { return Err("expected three figures".into()) };
    let delay = json!({ "events": events, "p50_ms": p50_us / 1e3, "p99_ms": p99_us / 1e3 });
    Ok((cost, delay))
}

/// A backlog that grows while the only sink is dead; then the sink is there, and the engine, newly
/// started, works it off.
fn backlog(events: u64) -> Result<(Cost, Cost), Failure> {
    let folder = tempfile::tempdir()?;
    let address = free_address()?;
    let sink = hec(0, &address.to_string());
    let dead = {
        let (mut relay, relay_address) = relay(events, FLAT_OUT)?;
        let engine = Engine::start(folder.path(), &relay_address, std::slice::from_ref(&sink))?;
        measured(&engine, &mut relay, events, |status| received(status, events))?
    };
    let (_relay, relay_address) = relay(0, FLAT_OUT)?;
    let (_destination, _) = destination("discard", address.port())?;
    let start = Instant::now();
    let engine = Engine::start(folder.path(), &relay_address, std::slice::from_ref(&sink))?;
    engine.until(|status| {
        let accepted = status["sinks"]["hec0"]["accepted"].as_u64();
        settled(status) && accepted >= Some(events - dead.refused)
    })?;
    let caught_up = Cost {
        seconds: start.elapsed().as_secs_f64(),
        cpu_seconds: engine.part.cpu_seconds()?,
        peak_mib: engine.part.peak_mib()?,
        ..dead
    };
    Ok((dead, caught_up))
}

fn measured(
    engine: &Engine,
    relay: &mut Part,
    events: u64,
    done: impl Fn(&Value) -> bool,
) -> Result<Cost, Failure> {
    begins(relay)?;
    let (start, cpu) = (Instant::now(), engine.part.cpu_seconds()?);
    says(relay, "done")?;
    engine.until(done)?;
    let alerts = engine.alerts()?;
    let count = |name: &str| alerts[name].as_u64().ok_or("no journal in the status");
    Ok(Cost {
        events,
        seconds: start.elapsed().as_secs_f64(),
        cpu_seconds: engine.part.cpu_seconds()? - cpu,
        peak_mib: engine.part.peak_mib()?,
        journal_bytes: count("bytes")?,
        refused: count("refused")?,
    })
}

fn relay(events: u64, per_second: u64) -> Result<(Part, String), Failure> {
    let mut relay = Part::role(&["relay", &events.to_string(), &per_second.to_string()])?;
    let address = relay.line()?;
    Ok((relay, address))
}

fn destination(way: &str, port: u16) -> Result<(Part, String), Failure> {
    let mut destination = Part::role(&["destination", way, &port.to_string()])?;
    let address = destination.line()?;
    Ok((destination, address))
}

/// Waits until the relay is subscribed to and about to tell; events follow at once.
fn begins(relay: &mut Part) -> Result<(), Failure> {
    says(relay, "subscribed")?;
    says(relay, "begins")
}

fn says(part: &mut Part, word: &str) -> Result<(), Failure> {
    match part.line()? {
        line if line == word => Ok(()),
        line => Err(format!("a process of the benchmark said {line:?}, expected {word:?}").into()),
    }
}

fn median(mut costs: Vec<Cost>) -> Cost {
    costs.sort_by(|one, other| one.cpu_seconds.total_cmp(&other.cpu_seconds));
    costs[costs.len() / 2]
}

fn rounded(figure: f64) -> f64 {
    (figure * 100.0).round() / 100.0
}

fn tell(what: &str) {
    eprintln!("bench: {what}");
}
