use std::io::{Seek as _, Write as _};

use sidearm_sinks::{CATALOGUE, contract::Destination};

use super::*;

/// The mistakes of a text, a line each.
fn mistakes(text: &str) -> Vec<String> {
    mistakes_in(text, &Environment::fixed([("TOKEN", "hunter2"), ("/secret", "hunter3\n")]))
}

fn mistakes_in(text: &str, environment: &Environment) -> Vec<String> {
    match read(text, "f.toml", environment) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.to_string().lines().map(str::to_owned).collect(),
    }
}

fn assert_starts(found: &[String], expected: &[&str]) {
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "expected {expected}\n   found {found}");
    }
}

#[test]
fn many_mistakes_are_told_in_one_go_each_with_path_and_line() {
    let text = r#"clster = "prod"
[relay]
address = "localhost"
tls.mode = "of"
[journal]
alerts.max = "1 Gigabyte"
sync = 5
[sinks.siem]
streams = ["alert", "logs"]
when = 'NamspaceName == "payments"'
batch.events = 100000
splunk_hec.url = "splunk:8088"
splunk_hec.tokn = "x"
[sinks.chat]
template = "{{ PodNme }}"
pigeon.url = "https://hooks.example.com/services/x"
[sinks.both]
file.path = "/tmp/a"
stdout = {}
[sinks.none]
streams = ["log"]
[sinks."a b"]
file.path = "${file:/nowhere}"
format = "template"
[log]
level = "sidearm=loud"
"#;
    assert_starts(
        &mistakes(text),
        &[
            "f.toml:1: clster: unknown key; did you mean \"cluster\"? expected ",
            "f.toml:3: relay.address: found \"localhost\", expected host:port",
            "f.toml:4: relay.tls.mode: found \"of\"; did you mean \"off\"? expected \"off\"",
            "f.toml:6: journal.alerts.max: expected a size such as \"512 MiB\"",
            "f.toml:7: journal.sync: found the number 5, expected a string",
            "f.toml:9: sinks.siem.streams[1]: found \"logs\"; did you mean \"log\"?",
            "f.toml:10: sinks.siem.when: ",
            "f.toml:11: sinks.siem.batch.events: found 100000, expected 1 to 1000, the limit of",
            "f.toml:12: sinks.siem.splunk_hec.url: expected an address such as",
            "f.toml:12: sinks.siem.splunk_hec.token: this key is required, and missing",
            "f.toml:13: sinks.siem.splunk_hec.tokn: unknown key; did you mean \"token\"?",
            "f.toml:15: sinks.chat.template: ",
            "f.toml:16: sinks.chat.pigeon: unknown kind of sink, expected ",
            "f.toml:19: sinks.both.stdout: a second destination beside file, expected one",
            "f.toml:20: sinks.none: no destination found, expected exactly one of ",
            "f.toml:22: sinks.a b: found the name \"a b\", expected letters",
            "f.toml:22: sinks.a b.template: this key is required where the format is",
            "f.toml:23: sinks.a b.file.path: reading /nowhere: no such file",
            "f.toml:26: log.level: expected a level such as \"info\"",
        ],
    );
}

#[test]
fn lines_that_are_not_toml_hide_no_mistake_elsewhere() {
    let text = "[relay]\naddress = localhost:1\n[journal]\nsyn = \"1s\"\n[sinks.a]\n";
    assert_starts(
        &mistakes(text),
        &["f.toml:2: not TOML: ", "f.toml:4: journal.syn: unknown key; did you mean \"sync\"?"],
    );
    let twice = "[sinks.a]\nstdout = {}\n[sinks.a]\n";
    assert_starts(&mistakes(twice), &["f.toml:3: not TOML: duplicate key"]);
}

#[test]
fn secrets_stand_in_no_complaint() {
    let text = "[sinks.a]\nformat = \"${env:TOKEN}\"\nsplunk_hec = \"${file:/secret}\"\n\
                [sinks.b]\nfile.path = \"a\"\nfile.rotate.max_size = \"x${env:TOKEN}\"\n\
                [sinks.c]\nwhen = '${env:TOKEN} =='\nstdout = {}\n";
    let told = mistakes(text);
    assert_eq!(told.len(), 4, "{told:#?}");
    assert!(told.iter().all(|line| !line.contains("hunter")), "{told:#?}");
    assert!(told[0].contains("found \"***\""), "{told:#?}");
}

#[test]
fn what_cannot_be_shared_is_told() {
    let text = "[sinks.a]\nstdout = {}\n[sinks.b]\nstdout = {}\n\
                [sinks.c]\nfile.path = \"/x\"\n[sinks.d]\nfile.path = \"/x\"\n";
    assert_starts(
        &mistakes(text),
        &[
            "f.toml:4: sinks.b.stdout: standard output belongs to sinks.a already",
            "f.toml:8: sinks.d.file: /x belongs to sinks.c already",
        ],
    );
}

#[test]
fn a_file_without_sinks_and_tables_that_are_none_are_told() {
    assert_starts(&mistakes(""), &["f.toml: sinks: no sink found, expected at least one"]);
    assert_starts(
        &mistakes("relay = 1\ncluster = 2\nsinks = []\n"),
        &[
            "f.toml:1: relay: found a number, expected a table",
            "f.toml:2: cluster: found a number, expected a string",
            "f.toml:3: sinks: found a list, expected a table",
        ],
    );
}

#[test]
fn certificates_that_are_not_there_are_told() {
    let text = "[relay.tls]\nca = \"/secret\"\ncert = \"/gone\"\n\
                [sinks.a.webhook]\nurl = \"https://a\"\ntls.ca = \"/gone-too\"\n";
    assert_starts(
        &mistakes(text),
        &[
            "f.toml:1: relay.tls.key: this key is required beside the other half",
            "f.toml:3: relay.tls.cert: reading /gone: no such file",
            "f.toml:6: sinks.a.webhook.tls.ca: reading /gone-too: no such file",
        ],
    );
}

#[test]
fn certificates_that_cannot_be_used_are_told() {
    let folder = tempfile::tempdir().expect("a folder");
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    };
    let [one, other] = [(), ()].map(|()| {
        let key = rcgen::KeyPair::generate().expect("a key");
        let params = rcgen::CertificateParams::new(vec!["a".to_owned()]).expect("a name");
        (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
    });
    let (cert, key) = (put("cert", &one.0), put("key", &one.1));
    let (not_its_key, no_pem) = (put("other", &other.1), put("no-pem", "hunter2"));
    let text = |ca: &str, cert: &str, key: &str| {
        format!(
            "[sinks.a.webhook]\nurl = \"https://a\"\ntls.ca = {ca:?}\ntls.cert = {cert:?}\n\
             tls.key = {key:?}\n"
        )
    };
    let found = |text: String| mistakes_in(&text, &Environment::process());
    assert_starts(&found(text(&cert, &cert, &key)), &[]);
    assert_starts(
        &found(text(&no_pem, &cert, &not_its_key)),
        &[
            &format!("f.toml:3: sinks.a.webhook.tls.ca: reading {no_pem}: expected one or more"),
            &format!("f.toml:4: sinks.a.webhook.tls.cert: reading {cert}: expected a certificate"),
        ],
    );
    let no_key = format!("f.toml:5: sinks.a.webhook.tls.key: reading {no_pem}: expected a private");
    assert_starts(&found(text(&cert, &cert, &no_pem)), &[&no_key]);
}

#[test]
fn rates_and_rooms_beyond_reason_are_told() {
    let text = "[journal]\ndead_letters.max = \"1 KiB\"\n\
                [sinks.a]\nrate_per_second = 0.0001\nfile.path = \"/a\"\n\
                [sinks.b]\nrate_per_second = 1e7\nfile.path = \"/b\"\n\
                [sinks.c]\nrate_per_second = 0.001\nfile.path = \"/c\"\n";
    assert_starts(
        &mistakes(text),
        &[
            "f.toml:2: journal.dead_letters.max: found 1 KiB, expected at least 1 MiB",
            "f.toml:4: sinks.a.rate_per_second: found 0.0001, expected 0.001 to 1000000 requests",
            "f.toml:7: sinks.b.rate_per_second: found 10000000, expected 0.001 to 1000000",
        ],
    );
}

#[test]
fn sinks_stand_in_the_files_order_with_what_they_were_told() {
    let text = "[sinks.z]\nstreams = [\"log\", \"alert\"]\nbatch.events = 7\nbatch.wait = \"2s\"\n\
                template = \"{{ PodName }}\"\nstdout = {}\n\
                [sinks.a]\nrate_per_second = 3\nfile.path = \"/a\"\n";
    let config = read(text, "f.toml", &Environment::fixed([])).expect("nothing is wrong");
    let [z, a] = config.sinks.as_slice() else { panic!("two sinks") };
    assert_eq!((z.lane.name.as_str(), a.lane.name.as_str()), ("z", "a"));
    use sidearm_sinks::contract::{Format, Stream};
    assert_eq!(z.lane.streams, [Stream::Alert, Stream::Log]);
    assert_eq!((z.lane.batch.events, z.lane.batch.wait.as_secs()), (7, 2));
    assert_eq!((z.lane.format, a.lane.format), (Format::Template, Format::Json));
    assert_eq!(
        (a.lane.rate_per_second, a.lane.batch.events),
        (Some(3.0), a.lane.facts.limits.events)
    );
}

#[test]
fn a_digest_is_for_formats_that_can_count_and_within_its_limits() {
    let hook = |lines: &str| format!("[sinks.a]\n{lines}\nwebhook.url = \"https://a\"\n");
    let counting = "template = \"{{ count }} {{ PodName }}\"";
    for (lines, expected) in [
        ("digest = { every = \"10m\" }", ""),
        (&format!("{counting}\ndigest = true"), ""),
        (
            "template = \"{{ PodName }}\"\ndigest = true",
            "f.toml:3: sinks.a.digest: the format \"template\" cannot say how many events",
        ),
        (
            "digest.every = \"500ms\"",
            "f.toml:2: sinks.a.digest.every: found 500 ms, expected 1 s to 24 h",
        ),
        (
            "digest.every = \"25h\"",
            "f.toml:2: sinks.a.digest.every: found 90000000 ms, expected 1 s to 24 h",
        ),
        (
            "digest.per_hour = 0",
            "f.toml:2: sinks.a.digest.per_hour: found 0, expected 1 to 3600 messages",
        ),
        (
            "digest.per_hour = 3601",
            "f.toml:2: sinks.a.digest.per_hour: found 3601, expected 1 to 3600 messages",
        ),
    ] {
        let expected: Vec<_> = Some(expected).filter(|line| !line.is_empty()).into_iter().collect();
        assert_starts(&mistakes(&hook(lines)), &expected);
    }
}

#[test]
fn alertmanager_is_told_again_before_it_ends_what_it_was_told() {
    let text = |lines: &str| format!("[sinks.a]\n{lines}\nalertmanager.url = \"http://am\"\n");
    for lines in [
        "",
        "digest = false",
        "digest.every = \"4m\"",
        "digest.every = \"8m\"\nalertmanager.resolve_timeout = \"10m\"",
    ] {
        assert_eq!(mistakes(&text(lines)), Vec::<String>::new(), "{lines}");
    }
    assert_starts(
        &mistakes(&text("digest.every = \"5m\"")),
        &["f.toml:2: sinks.a.digest.every: found 300 s, expected at most 240 s, or a longer"],
    );
}

#[test]
fn what_is_perhaps_not_meant_so_is_told_and_no_mistake() {
    let doubts = |text: &str| -> Vec<String> {
        match read(text, "f.toml", &Environment::fixed([])) {
            Ok(config) => config.doubts.iter().map(Problem::warning).collect(),
            Err(problems) => panic!("{problems}"),
        }
    };
    let pager = "[sinks.p]\npagerduty.routing_key = \"R0UT1NGKEY0000000000000000000042\"\n";
    assert_eq!(doubts(pager), Vec::<String>::new());
    assert_starts(
        &doubts(&format!("{pager}digest = false\n")),
        &["f.toml:3: sinks.p.digest: warning: without a digest nothing says that an incident"],
    );
    let chat = |lines: &str| format!("[sinks.c]\nslack.url = \"https://s\"\n{lines}\n");
    let whole = "template = '{\"text\": {{ PodName | json }}}'\nslack.body = \"whole\"";
    let counted = "template = '{\"text\": {{ count | json }}}'\nslack.body = \"whole\"";
    for lines in [
        "",
        "template = \"{{ PodName }}\"",
        "slack.body = \"whole\"",
        counted,
        &format!("{whole}\ndigest = false"),
    ] {
        assert_eq!(doubts(&chat(lines)), Vec::<String>::new(), "{lines}");
    }
    assert_starts(
        &doubts(
            "[sinks.h]\nevent_hubs.connection_string = \"Endpoint=sb://n.servicebus.windows.net/;\
                 SharedAccessKeyName=k;SharedAccessKey=c2FtcGxl\"\nevent_hubs.hub = \"h\"\n\
                 event_hubs.tls.insecure = true\n",
        ),
        &["f.toml:4: sinks.h.event_hubs.tls.insecure: warning: the destination's certificate"],
    );
    assert_starts(
        &doubts(&chat(whole)),
        &["f.toml:3: sinks.c.template: warning: the body it writes does not name `count`"],
    );
}

#[test]
fn a_destination_is_built_again_only_where_a_secret_changed() {
    let mut secret = tempfile::NamedTempFile::new().expect("a file");
    let mut write = |token: &str| {
        secret.rewind().and_then(|()| secret.write_all(token.as_bytes())).expect("written");
        secret.path().display().to_string()
    };
    let path = write("11111111-1111-1111-1111-111111111111\n");
    let text = format!(
        "[sinks.other]\nfile.path = \"${{env:SIDEARM_NOT_SET:-/x}}\"\n[sinks.siem]\n\
         splunk_hec.url = \"https://a\"\nsplunk_hec.token = \"${{file:{path}}}\"\n"
    );
    let mut config = read(&text, "f.toml", &Environment::process()).expect("nothing is wrong");
    let rebuild = &mut config.sinks[1].rebuild;
    assert!(rebuild().expect("readable").is_none());
    write("22222222-2222-2222-2222-222222222222\n");
    assert!(matches!(rebuild(), Ok(Some(Destination::Http(_)))));
    assert!(rebuild().expect("readable").is_none());
    drop(secret);
    let told = rebuild().err().expect("unreadable");
    assert!(told.contains("sinks.siem.splunk_hec.token: reading "), "{told}");
}

#[test]
fn a_form_of_its_own_is_for_those_that_have_one() {
    for entry in CATALOGUE {
        let facts = (entry.facts)();
        let environment = Environment::fixed(facts.sample_secrets.iter().copied());
        let head = format!("[sinks.{}]\n", facts.name);
        let text =
            example::sink(&facts).replacen(&head, &format!("{head}format = \"native\"\n"), 1);
        let expected = if facts.native { 0 } else { 1 };
        let told = mistakes_in(&text, &environment);
        assert_eq!(told.len(), expected, "{text}: {told:?}");
        assert!(told.iter().all(|told| told.contains("has no form of its own")), "{told:?}");
    }
}

#[test]
fn every_example_of_the_catalogue_is_right() {
    for entry in CATALOGUE {
        let facts = (entry.facts)();
        let text = example::sink(&facts);
        let environment = Environment::fixed(facts.sample_secrets.iter().copied());
        assert_eq!(mistakes_in(&text, &environment), Vec::<String>::new(), "{text}");
    }
}
