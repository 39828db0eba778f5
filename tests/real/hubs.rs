//! Azure Event Hubs over AMQP. The service itself is not to be had: a peer in `hubs/peer.js`, made
//! with a library of AMQP that is not ours, holds its rules, and what it took is read back as any
//! consumer reads a hub (`hubs/read.js`).

mod checks;

use std::{fs, path::PathBuf, process::Command};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    certificates,
    place::{self, Server, eventually, fetched, installed, output},
    program::{Feed, free_address},
    rig::{Count, Counterpart, Further, Trouble},
};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/hubs");
const NAMESPACE: &str = "ns.servicebus.windows.net";
const KEY_NAME: &str = "send";
pub(crate) const KEY: &str = "bm90IGEgc2VjcmV0IG9mIGFueWJvZHk=";
/// Silence after which the peer closes a connection, doubled: as clients are told half of it.
const IDLE_MS: u64 = 2_000;

/// The peer, and where it listens.
pub(crate) struct Hubs {
    modules: PathBuf,
    folder: TempDir,
    server: Option<Server>,
    tls: u16,
    websocket: u16,
    control: u16,
}

/// Starts it, waits until it answers.
pub(crate) fn start() -> Result<Box<dyn Counterpart>, Trouble> {
    installed("node")?;
    let modules = fetched("hubs")?.join("node_modules");
    let folder = tempfile::tempdir()?;
    certificates::write(folder.path())?;
    fs::create_dir(folder.path().join("data"))?;
    let port = || free_address().map(|address| address.port());
    let (tls, websocket, control) = (port()?, port()?, port()?);
    let mut hubs = Hubs { modules, folder, server: None, tls, websocket, control };
    let file = |name: &str| hubs.folder.path().join(name);
    let settings = json!({
        "data": file("data"), "ca": file("ca.crt"), "certificate": file("server.crt"),
        "key": file("server.key"), "tls": tls, "websocket": websocket, "control": control,
        "namespace": NAMESPACE, "name": KEY_NAME, "secret": KEY, "idle_ms": IDLE_MS,
    });
    fs::write(file("settings.json"), settings.to_string())?;
    hubs.restart()?;
    Ok(Box::new(hubs))
}

impl Hubs {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command.env("NODE_PATH", &self.modules).current_dir(SCRIPTS);
        command.arg(script).arg(self.file("settings.json"));
        command
    }

    /// Makes a hub; the peer knows it at once.
    fn create(&self, hub: &str) -> Result<(), Trouble> {
        Ok(fs::create_dir(self.file("data").join(hub))?)
    }

    /// Lines of a sink's table, by TLS, with a key.
    fn lines(&self, hub: &str, more: &str) -> String {
        let proof = format!("SharedAccessKeyName={KEY_NAME};SharedAccessKey={KEY}");
        self.lines_with(&proof, self.tls, hub, more)
    }

    fn lines_with(&self, proof: &str, port: u16, hub: &str, more: &str) -> String {
        format!(
            "event_hubs.connection_string = \"Endpoint=sb://{NAMESPACE}/;{proof}\"\n\
             event_hubs.hub = \"{hub}\"\nevent_hubs.endpoint = \"amqps://localhost:{port}\"\n\
             event_hubs.tls.ca = \"{}\"\n{more}\n",
            self.file("ca.crt").display()
        )
    }

    /// Tells the peer what to do in a hub, or asks what it saw there.
    fn control(&self, method: &str, path: &str, body: &str) -> Result<Value, Trouble> {
        match place::call(self.control, method, path, body)? {
            (200, answer) => Ok(answer),
            (status, answer) => Err(format!("{method} {path}: {status} {answer}").into()),
        }
    }

    /// What is done with the next transfers of a hub.
    fn script(&self, hub: &str, script: Value) -> Result<(), Trouble> {
        let body = json!({ "script": script }).to_string();
        self.control("POST", &format!("/hubs/{hub}"), &body).map(drop)
    }

    /// What was done with a hub's transfers: `act`, `events`, and when (`at`).
    fn acts(&self, hub: &str) -> Result<Vec<Value>, Trouble> {
        let seen = self.control("GET", &format!("/hubs/{hub}"), "")?;
        Ok(seen["seen"].as_array().cloned().unwrap_or_default())
    }

    /// The tokens that senders put for a hub: `ends`, `at`, `connection`.
    fn tokens(&self, hub: &str) -> Result<Vec<Value>, Trouble> {
        let seen = self.control("GET", "/seen", "")?;
        let name = format!("amqps://{NAMESPACE}/{hub}");
        let tokens = seen["tokens"].as_array().cloned().unwrap_or_default();
        Ok(tokens.into_iter().filter(|token| token["name"] == name.as_str()).collect())
    }

    /// Every event of a hub: `id`, `event_id`, `key`, `partition`, `body`.
    fn events(&self, hub: &str) -> Result<Vec<Value>, Trouble> {
        let text = output(self.node("read.js").arg(hub))?;
        text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
    }

    /// The ids of the events in a hub, copies and all.
    fn ids(&self, place: &str) -> Result<Vec<String>, Trouble> {
        let events = self.events(place)?;
        if let Some(event) = events.iter().find(|event| event["id"] != event["event_id"]) {
            return Err(format!("two ids of one event: {event}").into());
        }
        let id = |event: &Value| event["id"].as_str().map(str::to_owned);
        Ok(events.iter().filter_map(id).collect())
    }
}

impl Counterpart for Hubs {
    fn sink(&mut self, place: &str) -> Result<String, Trouble> {
        self.create(place)?;
        Ok(self.lines(place, ""))
    }

    fn count(&mut self, place: &str, sent: &Feed) -> Result<Count, Trouble> {
        Ok(Count::of(&sent.ids, &self.ids(place)?))
    }

    fn kill(&mut self) -> Result<(), Trouble> {
        match self.server.take() {
            Some(mut server) => server.kill(),
            None => Err("the peer was not running".into()),
        }
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        self.server = Some(Server::start(&mut self.node("peer.js"), &self.file("log"))?);
        eventually("the peer answers", || self.control("GET", "/seen", "").is_ok())
    }

    fn further(&self) -> Vec<Further> {
        checks::ALL.to_vec()
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
