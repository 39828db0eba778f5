//! OpenSearch 2.19, one node.

use std::process::Command;

use crate::{
    place::fetched,
    rig::{Counterpart, Trouble},
    search::{Search, compiled},
};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/search/OpenSearch.java");

/// Compiles the node's few lines, starts it, installs what `sidearm setup` installs.
pub(crate) fn start() -> Result<Box<dyn Counterpart>, Trouble> {
    let jars = fetched("opensearch")?;
    Search::start(move |folder, port| {
        let jars = jars.join("*").display().to_string();
        let classes = compiled(folder, &jars, &[], SOURCE)?;
        let mut command = Command::new("java");
        command.args([
            "-Xmx512m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            &format!("{}:{jars}", classes.display()),
            "OpenSearch",
        ]);
        command.arg(port.to_string()).arg(folder.join("home"));
        Ok(command)
    })
}
