//! Where the demo plays: a folder, the relay and the Splunk stand-in on loopback, and a
//! configuration like one a person would write.

use std::{
    fs, io,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{
    hec::{Hec, Settings},
    relay::BuiltInRelay,
};
use crate::config::{self, Config, Environment};

/// The sink that takes everything, by which it is seen what has arrived.
pub(crate) const ARCHIVE: &str = "archive";

/// Everything around the engine. The servers end when it is dropped.
pub(crate) struct Stage {
    folder: PathBuf,
    pub(crate) relay: BuiltInRelay,
    pub(crate) hec: Hec,
    relay_address: SocketAddr,
    hec_address: SocketAddr,
    _servers: JoinSet<()>,
}

impl Stage {
    /// Makes the folder and starts the servers; the error is a sentence.
    pub(crate) async fn set(folder: Option<&Path>) -> Result<Self, String> {
        let folder = match folder {
            Some(folder) => empty_folder(folder)?,
            None => fresh_folder()?,
        };
        let (relay, hec) = (BuiltInRelay::new(), Hec::new(Settings::default()));
        let (relay_listener, relay_address) = listen().await?;
        let (hec_listener, hec_address) = listen().await?;
        let mut servers = JoinSet::new();
        let (server, stop) = (relay.clone(), CancellationToken::new());
        // A server that ends early shows in the ledgers: events stay pending, or never come.
        servers.spawn(async move { drop(server.serve_tcp(relay_listener, stop).await) });
        let (server, stop) = (hec.clone(), CancellationToken::new());
        servers.spawn(async move { drop(server.serve(hec_listener, stop).await) });
        Ok(Self { folder, relay, hec, relay_address, hec_address, _servers: servers })
    }

    /// The configuration, which is also left in the folder for people to look at.
    pub(crate) fn config(&self) -> Result<Config, String> {
        let path = self.config_path();
        let text = self.config_text();
        fs::write(&path, &text).map_err(|error| format!("writing {}: {error}", path.display()))?;
        let file = path.display().to_string();
        let mut config = config::read(&text, &file, &Environment::fixed([]))
            .map_err(|problems| format!("the demo's own configuration is wrong: {problems}"))?;
        // The usual port may be another sidearm's.
        config.admin.listen = None;
        Ok(config)
    }

    /// Where the configuration is left.
    pub(crate) fn config_path(&self) -> PathBuf {
        self.folder.join("sidearm.toml")
    }

    /// The file with everything.
    pub(crate) fn archive(&self) -> PathBuf {
        self.folder.join("events.ndjson")
    }

    fn config_text(&self) -> String {
        let journal = toml_string(&self.folder.join("journal").display().to_string());
        // What follows a percent sign in a file sink's path would be part of a date.
        let archive = toml_string(&self.archive().display().to_string().replace('%', "%%"));
        let (relay, hec) = (self.relay_address, self.hec_address);
        let token = Settings::default().token;
        format!(
            r#"# What `sidearm demo` ran with.
[relay]
address = "{relay}"
tls.mode = "off"

[journal]
path = {journal}
alerts.max = "256 MiB"
logs.max = "256 MiB"

# Everything, as KubeArmor's own JSON.
[sinks.{ARCHIVE}]
streams = ["alert", "message", "log"]
file.path = {archive}

# Alerts, and of the logs those of what failed.
[sinks.splunk]
streams = ["alert", "log"]
when = 'stream == "alert" || Result != "Passed"'
splunk_hec.url = "http://{hec}"
splunk_hec.token = "{token}"

# Alerts, for people.
[sinks.terminal]
format = "text"
stdout = {{}}
"#
        )
    }
}

fn toml_string(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

async fn listen() -> Result<(TcpListener, SocketAddr), String> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let named = bound.and_then(|listener| listener.local_addr().map(|address| (listener, address)));
    named.map_err(|error| format!("listening on a free port of 127.0.0.1: {error}"))
}

/// The folder that was asked for; what is in it already is not touched, so there must be nothing.
fn empty_folder(folder: &Path) -> Result<PathBuf, String> {
    let failed = |error: io::Error| format!("preparing {}: {error}", folder.display());
    fs::create_dir_all(folder).map_err(failed)?;
    if fs::read_dir(folder).map_err(failed)?.next().is_some() {
        return Err(format!("{}: expected a new or an empty folder", folder.display()));
    }
    // The configuration names it, and may be used from anywhere.
    folder.canonicalize().map_err(failed)
}

/// A folder of one's own among the temporary ones. It stays: it holds what was delivered.
fn fresh_folder() -> Result<PathBuf, String> {
    const TRIES: u32 = 1_000;
    let (parent, process) = (std::env::temp_dir(), std::process::id());
    for attempt in 0..TRIES {
        let folder = parent.join(format!("sidearm-demo-{process}-{attempt}"));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(format!("making a folder in {}: {error}", parent.display())),
        }
    }
    Err(format!("{} is full of earlier demos: remove some", parent.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_configuration_is_one_that_anybody_could_run() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let folder = parent.path().join("100% \"seen\"");
        let stage = Stage::set(Some(&folder)).await.expect("a stage");
        let config = stage.config().expect("a configuration without mistakes");
        let names: Vec<&str> = config.sinks.iter().map(|sink| sink.lane.name.as_str()).collect();
        assert_eq!(names, [ARCHIVE, "splunk", "terminal"]);
        assert!(stage.folder.join("sidearm.toml").exists());
    }

    #[tokio::test]
    async fn a_folder_with_something_in_it_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("mine"), "").expect("a file");
        let refused = Stage::set(Some(folder.path())).await.err().expect("refused");
        assert!(refused.ends_with("expected a new or an empty folder"), "{refused}");
    }

    #[test]
    fn no_two_demos_share_a_folder() {
        let (one, two) = (fresh_folder().expect("a folder"), fresh_folder().expect("a folder"));
        assert_ne!(one, two);
        fs::remove_dir(one).expect("empty");
        fs::remove_dir(two).expect("empty");
    }
}
