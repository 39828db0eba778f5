//! The real program between a built-in relay and AWS's double, with an environment of its own.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::Path,
    process::{Child, Stdio},
    time::SystemTime,
};

use sidearm::demo::{relay::BuiltInRelay, scenario::Scenario};
use sidearm_sinks::contract::Stream;
use tempfile::TempDir;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    patience::eventually,
    program::{Variables, sidearm},
};

/// Everything around the program; it all ends when this is dropped.
pub(super) struct Site {
    relay: BuiltInRelay,
    address: SocketAddr,
    story: Scenario,
    folder: TempDir,
    program: Option<Child>,
    _server: JoinSet<()>,
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(mut program) = self.program.take() {
            program.kill().expect("it is our own");
            program.wait().expect("it ends");
        }
    }
}

impl Site {
    pub(super) async fn new() -> Self {
        let relay = BuiltInRelay::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (mut server, serving) = (JoinSet::new(), relay.clone());
        server.spawn(async move {
            serving.serve_tcp(listener, CancellationToken::new()).await.expect("it serves");
        });
        let folder = tempfile::tempdir().expect("a folder");
        let story = Scenario::new(5, 0);
        Self { relay, address, story, folder, program: None, _server: server }
    }

    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What the program has logged so far; no secret is ever in it.
    pub(super) fn log(&self) -> String {
        let log = fs::read_to_string(self.folder().join("log")).expect("a log");
        assert!(!log.contains("hunter2"), "a secret is shown: {log}");
        log
    }

    /// Starts the program, and waits until it listens to the relay.
    pub(super) async fn run(&mut self, siem: &str, variables: &Variables) {
        let file = self.folder().join("sidearm.toml");
        fs::write(&file, self.config(siem)).expect("written");
        let log = File::create(self.folder().join("log")).expect("a log");
        let mut command = sidearm(self.folder(), variables);
        command.args([Path::new("run"), Path::new("-c"), &file]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.program = Some(command.spawn().expect("the program starts"));
        eventually("a subscription", async || self.relay.subscribed(Stream::Alert) > 0).await;
    }

    fn config(&self, siem: &str) -> String {
        format!(
            r#"
            [relay]
            address = "{relay}"
            tls.mode = "off"
            [journal]
            path = "{journal}"
            [admin]
            listen = "off"
            [sinks.siem]
            {siem}
            "#,
            relay = self.address,
            journal = self.folder().join("journal").display(),
        )
    }

    /// Publishes so many alerts at once.
    pub(super) fn publish(&mut self, count: usize) {
        let now = SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970");
        for _ in 0..count {
            let message = self.story.next_of(Stream::Alert, now.as_micros() as i64);
            self.relay.publish(Stream::Alert, message);
        }
    }
}
