//! The real program between a relay in this process and one sink.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use sidearm::demo::{relay::BuiltInRelay, scenario::Scenario};
use sidearm_sinks::contract::{Arrival, Event, Kind, Overrides, Stream};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::rig::Trouble;

/// Long: a busy machine is no fault, and what goes well never waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Alerts published at once; the next follow when the program has taken them.
const AT_A_TIME: usize = 200;

/// What was published, in order.
#[derive(Debug, Default, Clone)]
pub(crate) struct Feed {
    /// The id of each event.
    pub(crate) ids: Vec<String>,
    /// The key of each event's incident.
    pub(crate) incidents: Vec<String>,
}

impl Feed {
    pub(crate) fn extend(&mut self, more: Feed) {
        self.ids.extend(more.ids);
        self.incidents.extend(more.incidents);
    }

    /// Notes an event as it is on its way.
    fn add(&mut self, message: &[u8]) -> Result<(), Trouble> {
        let arrival = Arrival { stream: Stream::Alert, sequence: 0, received_us: 0 };
        let event = Event::decode(Kind::Event, arrival, message, Overrides::none())?;
        self.ids.push(event.id().to_string());
        self.incidents.push(event.incident_key());
        Ok(())
    }
}

/// The program under test. Dropping it kills it.
pub(crate) struct Program {
    child: Child,
    admin: SocketAddr,
    relay: BuiltInRelay,
    story: Scenario,
    folder: TempDir,
    _runtime: Runtime,
}

impl Program {
    /// Starts it with one sink, `sink` being the lines of its table, and waits until it is
    /// subscribed to the relay's alerts.
    pub(crate) fn start(sink: &str) -> Result<Self, Trouble> {
        let folder = tempfile::tempdir()?;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let relay = BuiltInRelay::new();
        let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let (address, server) = (listener.local_addr()?, relay.clone());
        runtime.spawn(async move { server.serve_tcp(listener, CancellationToken::new()).await });
        let admin = free_address()?;
        let file = folder.path().join("sidearm.toml");
        fs::write(&file, config(folder.path(), address, admin, sink))?;
        let child = Command::new(env!("CARGO_BIN_EXE_sidearm"))
            .args([Path::new("run"), Path::new("-c"), &file])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("log"))?)
            .spawn()?;
        let story = Scenario::new(1, 0);
        let mut program = Self { child, admin, relay, story, folder, _runtime: runtime };
        program.until("a subscription", |program| program.relay.subscribed(Stream::Alert) > 0)?;
        Ok(program)
    }

    /// Publishes so many alerts, no faster than they are taken.
    pub(crate) fn publish(&mut self, events: usize) -> Result<Feed, Trouble> {
        let mut feed = Feed::default();
        while feed.ids.len() < events {
            self.until("room at the relay", |program| {
                program.relay.room(Stream::Alert) >= AT_A_TIME
            })?;
            for _ in 0..AT_A_TIME.min(events - feed.ids.len()) {
                let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
                let message = self.story.next_of(Stream::Alert, now as i64);
                feed.add(&message)?;
                self.relay.publish(Stream::Alert, message);
            }
        }
        Ok(feed)
    }

    /// Publishes one alert that was made by hand.
    pub(crate) fn publish_message(&mut self, message: bytes::Bytes) -> Result<Feed, Trouble> {
        let mut feed = Feed::default();
        feed.add(&message)?;
        self.relay.publish(Stream::Alert, message);
        Ok(feed)
    }

    /// Waits until every event published has its final fate, by the program's own ledger, and what
    /// was counted is told.
    pub(crate) fn settled(&mut self, feed: &Feed) -> Result<(), Trouble> {
        let events = feed.ids.len() as u64;
        self.until("every event has its fate", |program| {
            program.sink().is_ok_and(|sink| {
                let untold = sink["digest"]["untold"].as_u64().unwrap_or_default();
                sink["pending"] == 0 && fates(&sink) >= events && untold == 0
            })
        })
    }

    /// Every event has reached its destination, or is counted in a message that has.
    pub(crate) fn gave_up_nothing(&self) -> Result<(), Trouble> {
        let sink = self.sink()?;
        match ["filtered", "dead", "shed"].iter().all(|fate| sink[fate] == 0) {
            true => Ok(()),
            false => Err(self.wrong(&format!("events were given up: {sink}"))),
        }
    }

    /// Waits until the sink's part of the status is as wanted.
    pub(crate) fn until_sink(
        &mut self,
        what: &str,
        holds: impl Fn(&Value) -> bool,
    ) -> Result<(), Trouble> {
        self.until(what, |program| program.sink().is_ok_and(|sink| holds(&sink)))
    }

    /// Waits until the lane is parked; why it is. Neither that, nor the log, nor the metrics may
    /// tell the secret.
    pub(crate) fn parked(&mut self, secret: &str) -> Result<String, Trouble> {
        self.until_sink("the lane is parked", |sink| sink["state"] == "parked")?;
        let why = self.sink()?["last_error"].as_str().unwrap_or_default().to_owned();
        let told = self.log() + &self.get("/metrics")? + &why;
        match told.contains(secret) {
            false => Ok(why),
            true => Err(self.wrong("the secret is told")),
        }
    }

    /// The sink's part of `/api/status`.
    pub(crate) fn sink(&self) -> Result<Value, Trouble> {
        Ok(self.get_json("/api/status")?["sinks"]["real"].clone())
    }

    /// The text behind a path of the admin address.
    pub(crate) fn get(&self, path: &str) -> Result<String, Trouble> {
        let mut connection = TcpStream::connect(self.admin)?;
        write!(connection, "GET {path} HTTP/1.0\r\nHost: test\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer.split_once("\r\n\r\n").ok_or("an answer without a body")?.1.to_owned())
    }

    fn get_json(&self, path: &str) -> Result<Value, Trouble> {
        Ok(serde_json::from_str(&self.get(path)?)?)
    }

    /// The dead letters of the sink, a line each.
    pub(crate) fn dead_letters(&self) -> String {
        let path = self.folder.path().join("journal/dead/real.ndjson");
        fs::read_to_string(path).unwrap_or_default()
    }

    /// What it wrote to its log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Ends it in good order.
    pub(crate) fn stop(&mut self) -> Result<(), Trouble> {
        Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            match self.child.try_wait()? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(self.wrong(&format!("it ended with {status}"))),
                None => sleep(LOOK_EVERY),
            }
        }
        Err(self.wrong("it did not end when told to"))
    }

    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) -> Result<(), Trouble> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if holds(self) {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.wrong(&format!("it ended early, with {status}")));
            }
            sleep(LOOK_EVERY);
        }
        let sink = self.sink().unwrap_or_default();
        Err(self.wrong(&format!("never: {what}; its status: {sink}")))
    }

    /// What is wrong, with the end of the program's own log.
    pub(crate) fn wrong(&self, what: &str) -> Trouble {
        const LINES: usize = 15;
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let end = lines[lines.len().saturating_sub(LINES)..].join("\n    ");
        Trouble::Wrong(format!("{what}; the end of its log:\n    {end}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // A process that is gone already is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fates(sink: &Value) -> u64 {
    ["accepted", "filtered", "digested", "dead", "shed"]
        .iter()
        .filter_map(|fate| sink[fate].as_u64())
        .sum()
}

fn config(folder: &Path, relay: SocketAddr, admin: SocketAddr, sink: &str) -> String {
    format!(
        "[relay]\naddress = \"{relay}\"\ntls.mode = \"off\"\n\
         [journal]\npath = \"{}\"\n[admin]\nlisten = \"{admin}\"\n\
         [shutdown]\nwait = \"30s\"\n[sinks.real]\n{sink}\n",
        folder.join("journal").display()
    )
}

/// An address of this machine that is free now.
pub(crate) fn free_address() -> Result<SocketAddr, Trouble> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
