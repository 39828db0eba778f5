//! The real program as a child, with an environment that the test makes whole.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use tokio::net::TcpListener;

/// The environment of a program.
pub(crate) type Variables = Vec<(&'static str, String)>;

/// The program with these variables and no others, but for a proxy that is not there: what is on
/// this machine is never reached by one.
pub(crate) fn sidearm(folder: &Path, variables: &Variables) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidearm"));
    command.env_clear().env("HOME", folder).env("HTTP_PROXY", "http://127.0.0.1:1");
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
}

/// One event to the sink `siem` by `send-test`: whether it was accepted, and all that was printed,
/// which never shows a secret.
pub(crate) fn send_test(folder: &Path, siem: &str, variables: &Variables) -> (bool, String) {
    let file = folder.join("c.toml");
    fs::write(&file, format!("[sinks.siem]\n{siem}\n")).expect("written");
    let file = file.to_str().expect("UTF-8");
    let mut command = sidearm(folder, variables);
    command.args(["send-test", "-c", file, "--sink", "siem"]);
    let Output { status, stdout, stderr } = command.output().expect("the program runs");
    let told = String::from_utf8([stdout, stderr].concat()).expect("UTF-8");
    assert!(!told.contains("hunter2"), "a secret is shown: {told}");
    (status.code() == Some(0), told)
}

/// An address where nobody listens.
pub(crate) async fn away() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}
