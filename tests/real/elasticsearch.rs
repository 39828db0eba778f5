//! Elasticsearch 8.17, one node: its core, without Elastic's own additions.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    place::fetched,
    rig::{Counterpart, Trouble},
    search::{Search, compiled},
};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/search/Elasticsearch.java");
/// Jars that the node loads as a module of its own.
const TRANSPORT: [&str; 3] = ["netty-", "transport-netty4-", "elasticsearch-ssl-config-"];
const DESCRIPTOR: &str = "name=transport-netty4
description=HTTP
version=8.17.0
elasticsearch.version=8.17.0
java.version=17
classname=org.elasticsearch.transport.netty4.Netty4Plugin
";

/// Lays out its home, compiles the node's few lines, starts it, installs what `sidearm setup`
/// installs.
pub(crate) fn start() -> Result<Box<dyn Counterpart>, Trouble> {
    let jars = fetched("elasticsearch")?;
    Search::start(move |folder, port| {
        let library = laid_out(folder, &jars)?.display().to_string();
        let modules = ["--module-path", &library, "--add-modules", "ALL-MODULE-PATH"];
        let classes = compiled(folder, "", &modules, SOURCE)?;
        let mut command = Command::new("java");
        command.args(["-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.arg("-Des.distribution.type=zip").args(modules);
        command.arg("-cp").arg(classes).arg("Elasticsearch").arg(port.to_string());
        command.arg(folder.join("home"));
        Ok(command)
    })
}

/// Puts each jar where the node looks for it; answers the folder of its own.
fn laid_out(folder: &Path, jars: &Path) -> Result<PathBuf, Trouble> {
    let (library, module) = (folder.join("lib"), folder.join("home/modules/transport-netty4"));
    if library.is_dir() {
        return Ok(library);
    }
    fs::create_dir_all(&library)?;
    fs::create_dir_all(&module)?;
    for entry in fs::read_dir(jars)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_transport = TRANSPORT.iter().any(|beginning| name.starts_with(beginning));
        let to = if is_transport { &module } else { &library };
        fs::copy(entry.path(), to.join(&name))?;
    }
    fs::write(module.join("plugin-descriptor.properties"), DESCRIPTOR)?;
    Ok(library)
}
