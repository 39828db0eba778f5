//! What Elasticsearch and OpenSearch have in common: a node, read by its own HTTP interface.
//!
//! Events go to data streams by the templates that `sidearm setup elasticsearch` installs, each
//! under its own id: there is no copy, not even after a kill.

mod checks;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    place::{self, Server, eventually, installed, output},
    program::{Feed, free_address},
    rig::{Count, Counterpart, Further, Trouble},
};

/// How the node is run from a folder, on a port.
type Run = Box<dyn Fn(&Path, u16) -> Result<Command, Trouble>>;

/// The largest page a search answers.
const PAGE: u64 = 10_000;

/// A node, and where it listens.
pub(crate) struct Search {
    folder: TempDir,
    run: Run,
    server: Option<Server>,
    port: u16,
}

/// Compiles one file of Java into the folder `classes`.
pub(crate) fn compiled(
    folder: &Path,
    jars: &str,
    more: &[&str],
    source: &str,
) -> Result<PathBuf, Trouble> {
    let classes = folder.join("classes");
    if !classes.is_dir() {
        let mut command = Command::new("javac");
        command.args(["-cp", jars]).args(more).arg("-d").arg(&classes).arg(source);
        output(&mut command)?;
    }
    Ok(classes)
}

impl Search {
    pub(crate) fn start(
        run: impl Fn(&Path, u16) -> Result<Command, Trouble> + 'static,
    ) -> Result<Box<dyn Counterpart>, Trouble> {
        installed("java")?;
        installed("javac")?;
        let (folder, port) = (tempfile::tempdir()?, free_address()?.port());
        let mut node = Self { folder, run: Box::new(run), server: None, port };
        node.restart()?;
        node.setup()?;
        Ok(Box::new(node))
    }

    /// Runs `sidearm setup elasticsearch` against the node; what it said.
    pub(crate) fn setup(&self) -> Result<String, Trouble> {
        let file = self.folder.path().join("setup.toml");
        fs::write(&file, format!("[sinks.real]\n{}", self.lines("")))?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_sidearm"));
        command.args(["setup", "elasticsearch", "-c"]).arg(&file).env_remove("RUST_LOG");
        output(&mut command)
    }

    /// Lines of a sink's table.
    pub(crate) fn lines(&self, more: &str) -> String {
        format!("elasticsearch.url = \"http://127.0.0.1:{}\"\n{more}\n", self.port)
    }

    /// One request; status and answer.
    pub(crate) fn call(
        &self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<(u16, Value), Trouble> {
        place::call(self.port, method, path, body)
    }

    /// One request that must go well.
    pub(crate) fn must(&self, method: &str, path: &str, body: &str) -> Result<Value, Trouble> {
        match self.call(method, path, body)? {
            (200..=299, answer) => Ok(answer),
            (status, answer) => Err(format!("{method} {path}: {status} {answer}").into()),
        }
    }

    /// The ids of all documents of an index or a data stream.
    pub(crate) fn documents(&self, index: &str) -> Result<Vec<String>, Trouble> {
        self.must("POST", &format!("/{index}/_refresh"), "")?;
        let path = format!("/{index}/_search?size={PAGE}&_source=false&track_total_hits=true");
        let found = self.must("GET", &path, "")?;
        let total = found["hits"]["total"]["value"].as_u64().ok_or("a search without a total")?;
        if total > PAGE {
            return Err(format!("{total} documents, more than were sent").into());
        }
        let hits = found["hits"]["hits"].as_array().ok_or("a search without hits")?;
        Ok(hits.iter().filter_map(|hit| hit["_id"].as_str().map(str::to_owned)).collect())
    }
}

/// The data stream of a place: the template's patterns cover it.
fn stream(place: &str) -> String {
    format!("logs-kubearmor.{place}-default")
}

impl Counterpart for Search {
    fn sink(&mut self, place: &str) -> Result<String, Trouble> {
        let more = format!(
            "elasticsearch.index = \"{}\"\nelasticsearch.data_stream = true",
            stream(place)
        );
        Ok(self.lines(&more))
    }

    fn count(&mut self, place: &str, sent: &Feed) -> Result<Count, Trouble> {
        Ok(Count::of(&sent.ids, &self.documents(&stream(place))?))
    }

    fn kill(&mut self) -> Result<(), Trouble> {
        match self.server.take() {
            Some(mut server) => server.kill(),
            None => Err("the node was not running".into()),
        }
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        let mut command = (self.run)(self.folder.path(), self.port)?;
        self.server = Some(Server::start(&mut command, &self.folder.path().join("log"))?);
        eventually("the node is ready", || {
            let path = "/_cluster/health?wait_for_status=yellow&timeout=1s";
            matches!(self.call("GET", path, ""), Ok((200, _)))
        })
    }

    /// Every event is created under its own id.
    fn copies_allowed(&self) -> bool {
        false
    }

    fn further(&self) -> Vec<Further> {
        checks::ALL.to_vec()
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
