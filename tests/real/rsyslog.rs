//! rsyslog, with an input for each way to it: what it has parsed is read from the files it writes.
//!
//! Its queues are off, so whatever it has read of a connection is written to a file at once. What
//! it has not read when it is killed is the sender's to notice.

mod checks;

use std::{fs, net::TcpStream, path::PathBuf, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    certificates,
    place::{Server, eventually, installed},
    program::{Feed, free_address},
    rig::{Count, Counterpart, Further, Trouble},
};

/// Parts of rsyslog that are packages of their own.
const DRIVERS: [&str; 2] = ["lmnsd_ossl.so", "lmnsd_gtls.so"];

/// The server, and where it listens.
pub(crate) struct Rsyslog {
    folder: TempDir,
    server: Option<Server>,
    tls: u16,
    /// TLS by GnuTLS; client certificates are required.
    mutual: u16,
    tcp: u16,
    udp: u16,
}

/// Writes its configuration, starts it, waits until it listens.
pub(crate) fn start() -> Result<Box<dyn Counterpart>, Trouble> {
    installed("rsyslogd")?;
    for driver in DRIVERS {
        has_driver(driver)?;
    }
    let folder = tempfile::tempdir()?;
    certificates::write(folder.path())?;
    let port = || free_address().map(|address| address.port());
    let (tls, mutual, tcp, udp) = (port()?, port()?, port()?, port()?);
    let mut rsyslog = Rsyslog { folder, server: None, tls, mutual, tcp, udp };
    fs::write(rsyslog.file("rsyslog.conf"), rsyslog.configuration())?;
    rsyslog.restart()?;
    Ok(Box::new(rsyslog))
}

/// Debian keeps them below the folder of the machine's kind.
fn has_driver(name: &str) -> Result<(), Trouble> {
    for kind in fs::read_dir("/usr/lib")? {
        if kind?.path().join("rsyslog").join(name).is_file() {
            return Ok(());
        }
    }
    Err(Trouble::Missing(format!("rsyslog's {name} is missing; tests/real/run installs it")))
}

impl Rsyslog {
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Lines of a sink's table for this port; a place is the APP-NAME of its messages.
    fn lines(&self, place: &str, port: u16, more: &str) -> String {
        format!("syslog.address = \"127.0.0.1:{port}\"\nsyslog.app_name = \"{place}\"\n{more}\n")
    }

    /// Lines for a port within TLS, with files of this folder.
    fn secure(&self, place: &str, port: u16, files: &[(&str, &str)]) -> String {
        let tls = files.iter().map(|(setting, name)| {
            format!("syslog.tls.{setting} = \"{}\"\n", self.file(name).display())
        });
        self.lines(place, port, &tls.collect::<String>())
    }

    /// What rsyslog made of each message of a place.
    fn records(&self, place: &str) -> Result<Vec<Value>, Trouble> {
        let path = self.file(&format!("{place}.ndjson"));
        let text = if path.exists() { fs::read_to_string(path)? } else { String::new() };
        text.lines().map(|line| serde_json::from_str(line).map_err(Trouble::from)).collect()
    }

    /// The ids of the events of a place, copies and all.
    fn ids(&self, place: &str) -> Result<Vec<String>, Trouble> {
        self.records(place)?.iter().map(id).collect()
    }

    fn configuration(&self) -> String {
        let Self { tls, mutual, tcp, udp, .. } = self;
        let folder = self.folder.path().display();
        let fields = [
            ("host", "hostname", ""),
            ("facility", "syslogfacility-text", ""),
            ("severity", "syslogseverity-text", ""),
            ("time", "timereported", " dateFormat=\"rfc3339\""),
            ("kind", "msgid", ""),
            ("structured", "structured-data", ""),
            ("body", "msg", ""),
            ("raw", "rawmsg", ""),
        ];
        let fields = fields.map(|(ours, theirs, more)| {
            format!("property(outname=\"{ours}\" name=\"{theirs}\"{more} format=\"jsonf\")")
        });
        let fields = fields.join(" constant(value=\",\")\n");
        format!(
            "global(workDirectory=\"{folder}\" net.enableDNS=\"off\"
  defaultNetstreamDriverCAFile=\"{folder}/ca.crt\"
  defaultNetstreamDriverCertFile=\"{folder}/server.crt\"
  defaultNetstreamDriverKeyFile=\"{folder}/server.key\")
module(load=\"imudp\")
module(load=\"imtcp\")
main_queue(queue.type=\"Direct\")
template(name=\"place\" type=\"string\" string=\"{folder}/%app-name%.ndjson\")
template(name=\"record\" type=\"list\") {{ constant(value=\"{{\")
{fields}
constant(value=\"}}\\n\") }}
ruleset(name=\"keep\" queue.type=\"Direct\") {{
  action(type=\"omfile\" dynaFile=\"place\" template=\"record\")
}}
input(type=\"imudp\" address=\"127.0.0.1\" port=\"{udp}\" ruleset=\"keep\")
input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tcp}\" ruleset=\"keep\")
input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{tls}\" ruleset=\"keep\"
  streamDriver.name=\"ossl\" streamDriver.mode=\"1\" streamDriver.authMode=\"anon\")
input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{mutual}\" ruleset=\"keep\"
  streamDriver.name=\"gtls\" streamDriver.mode=\"1\" streamDriver.authMode=\"x509/certvalid\")
"
        )
    }
}

/// The id in the structured element of a message.
fn id(record: &Value) -> Result<String, Trouble> {
    let structured = record["structured"].as_str().unwrap_or_default();
    let id = structured.split_once("event_id=\"").and_then(|(_, rest)| rest.split_once('"'));
    let (id, _) = id.ok_or_else(|| format!("a message without an event's id: {record}"))?;
    Ok(id.to_owned())
}

impl Counterpart for Rsyslog {
    fn sink(&mut self, place: &str) -> Result<String, Trouble> {
        Ok(self.secure(place, self.tls, &[("ca", "ca.crt")]))
    }

    fn count(&mut self, place: &str, sent: &Feed) -> Result<Count, Trouble> {
        Ok(Count::of(&sent.ids, &self.ids(place)?))
    }

    fn kill(&mut self) -> Result<(), Trouble> {
        match self.server.take() {
            Some(mut server) => server.kill(),
            None => Err("rsyslog was not running".into()),
        }
    }

    fn restart(&mut self) -> Result<(), Trouble> {
        let mut command = Command::new("rsyslogd");
        command.args(["-n", "-i", "NONE", "-f"]).arg(self.file("rsyslog.conf"));
        self.server = Some(Server::start(&mut command, &self.file("log"))?);
        // The inputs are opened in the order in which they are written.
        eventually("rsyslog listens", || TcpStream::connect(("127.0.0.1", self.mutual)).is_ok())
    }

    fn further(&self) -> Vec<Further> {
        checks::ALL.to_vec()
    }

    fn as_any(&mut self) -> &mut dyn std::any::Any {
        self
    }
}
