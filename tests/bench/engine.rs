//! The program itself, as an operator would run it: `sidearm run -c FILE`.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{Failure, part::Part};

/// How often it is asked how far it is: seldom, for answering costs it time.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Nothing here takes longer than this, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(600);

/// A running engine.
pub(crate) struct Engine {
    pub(crate) part: Part,
    admin: SocketAddr,
}

impl Engine {
    /// Starts it on the journal in `folder`, with these tables of sinks.
    pub(crate) fn start(folder: &Path, relay: &str, sinks: &[String]) -> Result<Self, Failure> {
        let admin = free_address()?;
        let file = folder.join("sidearm.toml");
        fs::write(&file, config(folder, relay, admin, sinks))?;
        let program = env!("CARGO_BIN_EXE_sidearm");
        // A wrong table would end the program at once, and leave the relay waiting for it.
        if !Command::new(program)
            .args(["check", "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .status()?
            .success()
        {
            return Err("the program refuses its configuration".into());
        }
        let mut command = Command::new(program);
        let part = Part::start(command.args(["run", "-c"]).arg(file).env("RUST_LOG", "error"))?;
        Ok(Self { part, admin })
    }

    /// Waits until its status is as wanted, and answers how long that took.
    pub(crate) fn until(&self, holds: impl Fn(&Value) -> bool) -> Result<Duration, Failure> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if self.status().is_ok_and(|status| holds(&status)) {
                return Ok(start.elapsed());
            }
            sleep(ASK_EVERY);
        }
        Err(format!("the engine does not come to an end: {}", self.status()?).into())
    }

    /// `/api/status`.
    pub(crate) fn status(&self) -> Result<Value, Failure> {
        let mut connection = TcpStream::connect(self.admin)?;
        connection.write_all(b"GET /api/status HTTP/1.0\r\nHost: bench\r\n\r\n")?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let body = answer.split_once("\r\n\r\n").ok_or("an answer without a body")?.1;
        Ok(serde_json::from_str(body)?)
    }

    /// The journal's account of alerts.
    pub(crate) fn alerts(&self) -> Result<Value, Failure> {
        Ok(alerts(&self.status()?).clone())
    }
}

/// Whether so many events have come, and are in the journal or were refused for want of room.
pub(crate) fn received(status: &Value, events: u64) -> bool {
    let alerts = alerts(status);
    let come = alerts["received"].as_u64().zip(alerts["refused"].as_u64());
    come.is_some_and(|(received, refused)| received + refused >= events)
}

/// Whether no sink has anything left to do.
pub(crate) fn settled(status: &Value) -> bool {
    let sinks = status["sinks"].as_object();
    sinks.is_some_and(|sinks| sinks.values().all(|sink| sink["pending"] == 0))
}

fn alerts(status: &Value) -> &Value {
    &status["journal"]["streams"][0]
}

/// An address of this machine that is free now.
pub(crate) fn free_address() -> Result<SocketAddr, Failure> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

fn config(folder: &Path, relay: &str, admin: SocketAddr, sinks: &[String]) -> String {
    let journal = toml::Value::from(folder.join("journal").display().to_string());
    let sinks = sinks.concat();
    format!(
        r#"[relay]
address = "{relay}"
tls.mode = "off"

[journal]
path = {journal}
alerts.max = "8 GiB"

[admin]
listen = "{admin}"
{sinks}"#
    )
}
