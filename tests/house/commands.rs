//! The real program's commands that need no network: check, preview, sinks.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

const CONFIG: &str = r#"
[sinks.siem]
when = 'NamespaceName == "shop"'
splunk_hec.url = "https://splunk:8088"
splunk_hec.token = "${env:SIDEARM_TEST_TOKEN}"
[sinks.hook.webhook]
url = "https://user:pass@hooks.example.com/private/path?key=private"
headers = { x-key = "private" }
[sinks.seen]
streams = ["alert", "log", "message"]
stdout = {}
"#;
const TOKEN: &str = "5a3b9f62-7c1d-4e08-9b46-d0c2e8f1a735";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    }
}

fn sidearm(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sidearm"));
    command.args(arguments).env_remove("SIDEARM_CONFIG").env_remove("KUBEARMOR_SERVICE");
    command.env("SIDEARM_TEST_TOKEN", TOKEN).stdin(Stdio::null());
    command
}

fn output(arguments: &[&str]) -> Output {
    sidearm(arguments).output().expect("the program runs")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn check_tells_every_mistake_with_file_line_and_path() {
    let folder = Folder::new();
    let wrong = "[relay]\nadress = \"a:1\"\n[journal]\nsync = 1\n[sinks.a]\nstream = [\"log\"]\n\
                 when = 'PodNme == \"\"'\nstdout = {}\nfile.path = \"x\"\n[sinks.b]\n\
                 pigeon.url = \"https://a\"\n[sinks.c.webhook]\nmethod = \"POST\"\n\
                 [sinks.d]\ntemplate = \"{{ PodName\"\nfile.path = \"${file:/nowhere/at/all}\"\n\
                 [sinks.e]\n[shutdown]\nwait = \"soon\"\n";
    let file = folder.file("wrong.toml", wrong);
    let Output { status, stdout, stderr } = output(&["check", "-c", path(&file)]);
    assert_eq!((status.code(), text(&stdout)), (Some(78), ""));
    let places = [
        "2: relay.adress: ",
        "4: journal.sync: ",
        "6: sinks.a.stream: ",
        "7: sinks.a.when: ",
        "9: sinks.a.file: ",
        "11: sinks.b.pigeon: ",
        "12: sinks.c.webhook.url: ",
        "15: sinks.d.template: ",
        "16: sinks.d.file.path: ",
        "17: sinks.e: ",
        "19: shutdown.wait: ",
    ];
    let lines: Vec<&str> = text(&stderr).lines().collect();
    assert_eq!(lines.len(), places.len(), "{lines:#?}");
    for (line, place) in lines.iter().zip(places) {
        assert!(line.starts_with(&format!("{}:{place}", path(&file))), "{place}: {line}");
    }
}

#[test]
fn check_says_in_a_line_that_a_file_is_right() {
    let folder = Folder::new();
    let file = folder.file("right.toml", CONFIG);
    let Output { status, stdout, stderr } = output(&["check", "-c", path(&file)]);
    assert_eq!((status.code(), text(&stderr)), (Some(0), ""));
    assert_eq!(text(&stdout).lines().count(), 1);
    assert!(text(&stdout).contains("3 sinks: siem (splunk_hec), hook (webhook), seen (stdout)"));
}

#[test]
fn check_warns_of_what_is_right_and_perhaps_not_meant_so() {
    let folder = Folder::new();
    let pager = "[sinks.pager]\ndigest = false\n\
                 pagerduty.routing_key = \"R0UT1NGKEY0000000000000000000042\"\n";
    let file = folder.file("pager.toml", pager);
    let Output { status, stdout, stderr } = output(&["check", "-c", path(&file)]);
    assert_eq!((status.code(), text(&stdout).lines().count()), (Some(0), 1));
    let expected = format!("{}:2: sinks.pager.digest: warning: without a digest", path(&file));
    assert!(text(&stderr).starts_with(&expected), "{}", text(&stderr));
    assert_eq!(text(&stderr).lines().count(), 1);
}

#[test]
fn preview_shows_the_request_and_no_secret() {
    let folder = Folder::new();
    let file = folder.file("c.toml", CONFIG);
    let Output { status, stdout, .. } = output(&["preview", "-c", path(&file), "--json"]);
    assert_eq!(status.code(), Some(0));
    for secret in [TOKEN, "private", "user:pass"] {
        assert!(!text(&stdout).contains(secret), "{secret} is shown");
    }
    let previews: Vec<Value> = serde_json::from_slice(&stdout).expect("a list");
    let keys = ["body", "headers", "method", "sink", "taken", "url", "why"];
    for preview in &previews {
        let mut found: Vec<&str> =
            preview.as_object().expect("an object").keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, keys);
    }
    let siem = previews.iter().find(|preview| preview["sink"] == "siem").expect("siem is shown");
    assert_eq!(siem["taken"], true, "a sample that it takes is chosen");
    assert_eq!(siem["url"], "https://splunk:8088/services/collector/event");
    assert_eq!(
        (&siem["method"], &siem["headers"]["authorization"]),
        (&"POST".into(), &"***".into())
    );
    assert_eq!(siem["headers"]["content-encoding"], "gzip");
}

#[test]
fn preview_of_a_given_event_tells_who_takes_it_and_why() {
    let events = concat!(
        include_str!("../events/alert-file-audit.json"),
        "\n\n",
        include_str!("../events/log-process.json"),
    );
    let folder = Folder::new();
    let file = folder.file("c.toml", &CONFIG.replace("shop", "no such namespace"));
    let mut child = sidearm(&["preview", "-c", path(&file), "--event", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    child.stdin.take().expect("piped").write_all(events.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let previews: Vec<Value> = serde_json::from_slice(&output.stdout).expect("a list");
    let told: Vec<(&str, bool)> = previews
        .iter()
        .map(|preview| (preview["sink"].as_str().expect("text"), preview["taken"] == true))
        .collect();
    assert_eq!(
        told,
        [
            ("siem", false),
            ("hook", true),
            ("seen", true),
            ("siem", false),
            ("hook", false),
            ("seen", true)
        ]
    );
    let why = |index: usize| previews[index]["why"].as_str().expect("text");
    assert!(why(0).contains("`when` says no"), "{}", why(0));
    assert!(why(3).contains("this is of the stream log"), "{}", why(3));
    assert_eq!((&previews[2]["method"], &previews[2]["url"]), (&"APPEND".into(), &"stdout".into()));
    assert_eq!(
        previews[2]["body"].as_str(),
        events.lines().next().map(|line| format!("{line}\n")).as_deref()
    );
}

#[test]
fn preview_names_the_line_that_is_no_event() {
    let folder = Folder::new();
    let good = include_str!("../events/alert-file-audit.json").trim();
    let file = folder.file("events", &format!("{good}\n{{}}\n"));
    let Output { status, stderr, .. } = output(&["preview", "--event", path(&file)]);
    assert_eq!(status.code(), Some(1));
    assert!(text(&stderr).contains("events:2: expected one event"), "{}", text(&stderr));
}

#[test]
fn sinks_lists_the_catalogue_and_tells_of_each() {
    let list = output(&["sinks"]);
    for entry in sidearm_sinks::CATALOGUE {
        let facts = (entry.facts)();
        assert!(text(&list.stdout).contains(facts.summary), "{}", facts.name);
        let Output { status, stdout, .. } = output(&["sinks", facts.name]);
        assert_eq!(status.code(), Some(0));
        for part in facts.settings.iter().map(|setting| setting.key).chain([facts.limits.source]) {
            assert!(text(&stdout).contains(part), "{}: {part}", facts.name);
        }
    }
    let Output { status, stderr, .. } = output(&["sinks", "splunkhec"]);
    assert_eq!(status.code(), Some(1));
    assert!(text(&stderr).contains("did you mean \"splunk_hec\"?"), "{}", text(&stderr));
}

#[test]
fn a_reader_who_has_seen_enough_is_no_failure() {
    let mut child = sidearm(&["preview"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), ""));
}
