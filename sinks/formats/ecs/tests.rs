use std::{collections::BTreeMap, sync::LazyLock};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::write;
use crate::{
    contract::testing::arbitrary_event,
    formats::testing::{self, Schema, plain, with_every_sample},
};

/// The fields of ECS 8.17 that we use, and our own.
const FIELDS: &str = "
    @timestamp date
    ecs.version text 8.17.0
    message text
    tags[] text
    event.id text
    event.kind text alert|event
    event.module text kubearmor
    event.dataset text kubearmor.alerts|kubearmor.logs|kubearmor.messages
    event.category[] text file|host|intrusion_detection|network|process
    event.type[] text access|allowed|change|connection|creation|deletion|denied|error|info|protocol|start
    event.action text
    event.outcome text failure|success
    event.severity int
    event.provider text
    event.created date
    event.start date
    event.end date
    event.reason text
    rule.name text
    rule.ruleset text
    rule.category text
    threat.framework text MITRE ATT&CK
    threat.tactic.id[] text
    threat.tactic.name[] text
    threat.technique.id[] text
    threat.technique.name[] text
    threat.technique.subtechnique.id[] text
    threat.technique.subtechnique.name[] text
    log.level text
    orchestrator.type text kubernetes
    orchestrator.cluster.name text
    orchestrator.namespace text
    orchestrator.resource.type text pod
    orchestrator.resource.name text
    orchestrator.resource.label[] text
    orchestrator.resource.parent.type text
    container.id text
    container.name text
    container.image.name text
    container.image.tag[] text
    container.image.hash.all[] text
    host.name text
    host.hostname text
    host.id text
    host.ip ip
    process.pid int
    process.vpid int
    process.executable text
    process.name text
    process.command_line text
    process.working_directory text
    process.hash.sha256 text
    process.hash.md5 text
    process.hash.sha1 text
    process.parent.pid int
    process.parent.vpid int
    process.parent.executable text
    process.parent.name text
    process.parent.command_line text
    process.parent.hash.sha256 text
    process.parent.hash.md5 text
    process.parent.hash.sha1 text
    user.id text
    user.name text
    file.path text
    file.name text
    file.directory text
    file.extension text
    file.hash.sha256 text
    file.hash.md5 text
    file.hash.sha1 text
    source.address text
    source.ip ip
    source.port port
    destination.address text
    destination.ip ip
    destination.port port
    network.type text ipv4|ipv6
    network.iana_number digits
    network.transport text
    network.protocol text dns
    network.direction text ingress|egress
    dns.type text query
    dns.question.name text
    dns.question.type text
    observer.vendor text KubeArmor
    observer.product text KubeArmor
    observer.type text sensor
    observer.version text
    related.hosts[] text
    related.user[] text
    related.ip[] ip
    related.hash[] text
    kubearmor.type text
    kubearmor.operation text
    kubearmor.action text
    kubearmor.result text
    kubearmor.gravity text info|low|medium|high|critical
    kubearmor.resource text
    kubearmor.data text
    kubearmor.event_data.others[] text
    kubearmor.remote_host text
    kubearmor.owner.name text
    kubearmor.owner.namespace text
    kubearmor.tty text
    kubearmor.exec_event.id text
    kubearmor.exec_event.executable_name text
    kubearmor.max_alerts_per_sec int
    kubearmor.dropping_interval int
    kubearmor.hash.algorithm text
    kubearmor.hash.process text
    kubearmor.hash.parent text
    kubearmor.hash.resource text
    kubearmor.timestamp number
    kubearmor.updated_time text
    kubearmor.tags text
    kubearmor.severity text
    kubearmor.host_ip text
    kubearmor.stream text alert|log|message
    kubearmor.lost number
    kubearmor.digest.telling text repeats|quiet|held
    kubearmor.digest.events number
    kubearmor.digest.incidents number
    kubearmor.digest.start date
    kubearmor.digest.end date
    kubearmor.digest.pods[] text
    kubearmor.digest.processes[] text
";

/// Written from the keys that agents write: a member each.
fn schema() -> Schema {
    Schema::of(FIELDS).with_details("kubearmor.event_data.")
}

fn body_of(wanted: &str) -> Value {
    let mut body = Value::Null;
    with_every_sample(|name, event| {
        if name == wanted {
            body = testing::written(write, event);
        }
    });
    body
}

#[test]
fn every_sample_fits_the_schema_and_loses_nothing() {
    let (schema, mut used) = (schema(), BTreeMap::new());
    with_every_sample(|name, event| {
        let body = testing::written(write, event);
        used.extend(schema.check(name, &body));
        testing::nothing_is_lost(name, event, &body);
    });
    // What only odd events have: held by the events that the next test makes up.
    let odd = ["kubearmor.severity", "kubearmor.timestamp", "threat.tactic.id[]"];
    let unused = schema.unused(&used);
    assert!(odd.iter().all(|field| unused.contains(field)), "{unused:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn any_event_fits_the_schema(owned in arbitrary_event()) {
        let event = owned.event();
        schema_once().check("arbitrary", &testing::written(write, &event));
    }
}

fn schema_once() -> &'static Schema {
    static SCHEMA: LazyLock<Schema> = LazyLock::new(schema);
    &SCHEMA
}

#[test]
fn what_an_event_is_stands_in_the_words_of_ecs() {
    let mut told = Vec::new();
    with_every_sample(|name, event| {
        let body = testing::written(write, event);
        let about = |field: &str| match &body["event"][field] {
            Value::Array(words) => words.iter().map(plain).collect::<Vec<_>>().join("+"),
            Value::Null => "-".to_owned(),
            word => plain(word),
        };
        let words = ["kind", "category", "type", "action", "outcome"].map(about);
        told.push(format!("{name}: {}", words.join(" ")));
    });
    assert_eq!(told.join("\n"), TOLD.trim());
}

const TOLD: &str = "
alert-capabilities-block: alert process+intrusion_detection info+denied capable failure
alert-default-posture: alert file+intrusion_detection access+denied file_open failure
alert-device-block: alert host+intrusion_detection change+denied device failure
alert-dns-block: alert network+intrusion_detection protocol+info+denied socket_sendmsg failure
alert-file-audit: alert file+intrusion_detection access+allowed openat success
alert-file-block: alert file+intrusion_detection deletion+denied file_unlink failure
alert-host-default-posture: alert process+intrusion_detection change+denied setuid failure
alert-host-policy-block: alert file+intrusion_detection access+denied file_open failure
alert-nasty-text: alert process+intrusion_detection start+denied execve failure
alert-network-audit: alert network+intrusion_detection connection+start+allowed tcp_connect success
alert-network-block: alert network+intrusion_detection info+denied socket_create failure
alert-network-firewall: alert network+intrusion_detection connection+denied networkfirewall failure
alert-old-agent: alert process+intrusion_detection info+denied mount failure
alert-preset-fileless: alert process+intrusion_detection start+denied process failure
alert-process-audit-block: alert process+intrusion_detection start+allowed execve success
alert-process-block: alert process+intrusion_detection start+denied security_bprm_check failure
alert-sparse: alert process+intrusion_detection start process -
alert-syscall-audit: alert process+intrusion_detection info fchownat failure
alert-throttle-notice: event intrusion_detection info alertthreshold success
alert-throttle-notice-rewritten: event intrusion_detection info alertthreshold success
log-dns: event network protocol+info udp_sendskb success
log-dns-commas: event network protocol+info udp_sendmsg success
log-file-failed: event file access openat failure
log-host: event network connection+start connect success
log-network-accept: event network connection+start accept success
log-network-connect: event network connection+start tcp_connect success
log-process: event process start execve success
log-syscall: event process access ptrace failure
message: event - info agent_message -
gap: event intrusion_detection info gap -
";

#[test]
fn a_digest_tells_what_it_stands_for() {
    with_every_sample(|name, event| {
        let mut own = Vec::new();
        crate::contract::json::write(event, &mut own);
        if event.is_gap() {
            return;
        }
        let (stream, message) =
            crate::contract::from_json::read(std::str::from_utf8(&own).expect(name)).expect(name);
        let again = testing::event(crate::contract::Kind::Event, stream, &message);
        let body = testing::written(write, &again.telling(testing::digest()));
        schema_once().check(name, &body);
        assert_eq!(
            body["kubearmor"]["digest"],
            json!({
                "telling": "repeats",
                "events": 12,
                "incidents": 1,
                "start": "2026-03-02T09:14:10.000001Z",
                "end": "2026-03-02T09:15:10.000002Z",
                "pods": ["cart-0", "cart-1"],
                "processes": ["/usr/bin/apt"],
            })
        );
    });
}

#[test]
fn ends_are_addresses_where_they_are_and_texts_where_they_are_not() {
    let socket = &body_of("log-host")["destination"];
    assert_eq!(socket, &json!({"address": "/run/systemd/journal/dev-log"}));
    let packet = body_of("alert-network-firewall");
    assert_eq!(
        (&packet["source"], &packet["destination"]),
        (
            &json!({"address": "10.42.3.17", "ip": "10.42.3.17", "port": 51544}),
            &json!({"address": "198.51.100.7", "ip": "198.51.100.7", "port": 443})
        )
    );
    let query = body_of("log-dns");
    assert_eq!(
        query["dns"],
        json!({"type": "query", "question": {"name": "cart.shop.svc.cluster.local", "type": "A"}})
    );
}

#[test]
fn techniques_stand_under_their_parents() {
    let threat = &body_of("alert-process-audit-block")["threat"];
    assert_eq!(
        threat,
        &json!({
            "framework": "MITRE ATT&CK",
            "technique": {
                "id": ["T1190", "T1059"],
                "name": ["exploit_public_facing_application"],
                "subtechnique": {"id": ["T1059.004"], "name": ["unix_shell"]},
            },
        })
    );
}
