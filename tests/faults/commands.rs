//! The real program's commands that reach out: send-test, and run until it is told to stop.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread::{self, JoinHandle},
};

use sidearm_sinks::contract::from_json;

fn sidearm(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidearm"));
    command.args(arguments).env_remove("SIDEARM_CONFIG").env_remove("RUST_LOG");
    command
}

/// Answers one HTTP request, and hands its body out.
#[expect(clippy::disallowed_methods, reason = "no clock is paused here, no runtime is there")]
fn answer_once(status: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a caller");
        let mut reader = BufReader::new(stream.try_clone().expect("a second handle"));
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("a header");
            let line = line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(bytes) = line.strip_prefix("content-length: ") {
                length = bytes.parse().expect("a length");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the body");
        write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 4\r\nconnection: close\r\n\r\nseen")
            .expect("the answer is sent");
        String::from_utf8(body).expect("UTF-8")
    });
    (address, served)
}

fn send_test(folder: &Path, address: &str) -> Output {
    let file = folder.join("c.toml");
    let text = format!("[sinks.hook.webhook]\nurl = \"http://{address}/hook\"\n");
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("UTF-8");
    sidearm(&["send-test", "-c", file, "--sink", "hook"]).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn send_test_sends_one_marked_event_and_tells_the_answer() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, served) = answer_once("200 OK");
    let output = send_test(folder.path(), &address);
    let body = served.join().expect("a request came");
    assert!(from_json::read(&body).is_ok() && body.contains("sidearm-send-test"), "{body}");
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains("answer   HTTP 200: seen") && told.contains("verdict  accepted"),
        "{told}"
    );
}

#[test]
fn send_test_fails_where_the_destination_refuses_or_is_away() {
    let folder = tempfile::tempdir().expect("a folder");
    let (address, served) = answer_once("403 Forbidden");
    let refused = send_test(folder.path(), &address);
    served.join().expect("a request came");
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).contains("answer   HTTP 403"), "{}", text(&refused.stdout));
    // The listener is gone by now.
    let away = send_test(folder.path(), &address);
    assert_eq!(away.status.code(), Some(1));
    assert!(text(&away.stdout).contains("nothing was sent"), "{}", text(&away.stdout));
}

#[test]
fn every_command_that_reaches_a_destination_warns_of_a_certificate_that_nobody_checks() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("c.toml");
    let table = "[sinks.siem]\nelasticsearch.url = \"https://127.0.0.1:1\"\n\
                 elasticsearch.tls.insecure = true\n";
    fs::write(&file, table).expect("written");
    let file = file.to_str().expect("UTF-8");
    for command in [
        &["check", "-c", file][..],
        &["send-test", "-c", file, "--sink", "siem"],
        &["setup", "elasticsearch", "-c", file],
    ] {
        let output = sidearm(command).output().expect("the program runs");
        let told = text(&output.stderr);
        assert!(told.contains("c.toml:3: sinks.siem.elasticsearch.tls.insecure"), "{told}");
    }
}

#[test]
fn send_test_to_a_sink_that_is_not_there_names_those_that_are() {
    let output = sidearm(&["send-test", "--sink", "siem"]).output().expect("the program runs");
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("stdout"), "{}", text(&output.stderr));
}

#[test]
fn run_ends_in_good_order_when_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a folder");
    let journal = folder.path().join("journal");
    let file = folder.path().join("c.toml");
    let config = format!(
        "relay.address = \"127.0.0.1:1\"\njournal.path = \"{}\"\nadmin.listen = \"off\"\n\
         log.format = \"json\"\n[sinks.seen]\nstdout = {{}}\n",
        journal.display()
    );
    std::fs::write(&file, config).expect("written");
    let mut child = sidearm(&["run", "-c", file.to_str().expect("UTF-8")])
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
    let mut line_with = |part: &str| {
        log.by_ref().map_while(Result::ok).find(|line| line.contains(part)).expect(part)
    };
    line_with("\"started\"");
    terminate(&child);
    let ledger: serde_json::Value =
        serde_json::from_str(&line_with("what became of every event")).expect("JSON");
    assert_eq!((&ledger["sink"], &ledger["dead"]), (&"seen".into(), &0.into()));
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
}

fn terminate(child: &Child) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().expect("kill runs").success());
}
