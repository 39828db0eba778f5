//! Where what was fetched lies, and programs run from there.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::{program::PATIENCE, rig::Trouble};

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A folder that `tests/real/run` has filled; skipped where it has not.
pub(crate) fn fetched(name: &str) -> Result<PathBuf, Trouble> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/real").join(name);
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Trouble::Missing(format!("target/real/{name} is missing; tests/real/run fetches it")))
}

/// A program of this machine; skipped where there is none.
pub(crate) fn installed(program: &str) -> Result<(), Trouble> {
    let found = std::env::var_os("PATH").is_some_and(|path| {
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    });
    if found {
        return Ok(());
    }
    Err(Trouble::Missing(format!("{program} is not installed; tests/real/run installs it")))
}

/// A process that ends with this value.
pub(crate) struct Server(Child);

impl Server {
    /// Starts one, its output going to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Result<Self, Trouble> {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        Ok(Self(child))
    }

    /// Stops it in its tracks (SIGSTOP): it stays connected and does nothing more.
    pub(crate) fn freeze(&self) -> Result<(), Trouble> {
        output(Command::new("kill").args(["-STOP", &self.0.id().to_string()])).map(drop)
    }

    /// Ends it at once, as a power cut would (SIGKILL).
    pub(crate) fn kill(&mut self) -> Result<(), Trouble> {
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A process that is gone already is what is wanted.
        let _ = self.kill();
    }
}

/// Looks again and again until it holds.
pub(crate) fn eventually(what: &str, holds: impl Fn() -> bool) -> Result<(), Trouble> {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if holds() {
            return Ok(());
        }
        sleep(LOOK_EVERY);
    }
    Err(Trouble::Wrong(format!("never: {what}")))
}

/// What a program writes to its standard output; an error where it fails.
pub(crate) fn output(command: &mut Command) -> Result<String, Trouble> {
    let output = command.stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?);
    }
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Trouble::Wrong(format!("{command:?} ended with {}: {words}", output.status)))
}

/// One request to a port of this machine; status, and the answer where it is JSON.
pub(crate) fn call(
    port: u16,
    method: &str,
    path: &str,
    body: &str,
) -> Result<(u16, Value), Trouble> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    write!(
        connection,
        "{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or("an answer without a body")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let status = head.split(' ').nth(1).ok_or("an answer without a status")?.parse()?;
    let body = match head.contains("transfer-encoding: chunked") {
        true => unchunked(&answer[end + 4..]).ok_or("an answer that breaks off")?,
        false => answer[end + 4..].to_vec(),
    };
    Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
}

/// A body that came in pieces, put together.
fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let bytes = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?, 16).ok()?;
        if bytes == 0 {
            return Some(body);
        }
        let piece = rest.get(line + 2..line + 2 + bytes)?;
        body.extend_from_slice(piece);
        rest = rest.get(line + 4 + bytes..)?;
    }
}
