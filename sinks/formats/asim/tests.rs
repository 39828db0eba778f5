use std::{collections::BTreeMap, sync::LazyLock};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::write;
use crate::{
    contract::{Event, Kind, Stream, from_json, samples, testing::arbitrary_event},
    formats::testing::{self, Schema, plain, with_every_sample},
};

/// Columns of every schema, as far as we use them. `EventResultDetails` and the like: a text.
const COMMON: &str = "
    TimeGenerated date
    EventCount int
    EventStartTime date
    EventEndTime date
    EventMessage text
    EventVendor text KubeArmor
    EventProduct text KubeArmor
    EventProductVersion text
    EventUid text
    EventOriginalType text
    EventOriginalSubType text
    EventSeverity text Informational|Low|Medium|High
    EventOriginalSeverity text
    EventResult text Success|Failure|NA
    EventOriginalResultDetails text
    Dvc text
    DvcHostname text
    DvcId text
    DvcIdType text Other
    DvcIpAddr ip
    DvcAction text Allow|Deny
    DvcOriginalAction text
    AdditionalFields.Enforcer text
    AdditionalFields.ATags[] text
    AdditionalFields.Tags text
    AdditionalFields.ClusterName text
    AdditionalFields.NamespaceName text
    AdditionalFields.PodName text
    AdditionalFields.Labels text
    AdditionalFields.Owner.Ref text
    AdditionalFields.Owner.Name text
    AdditionalFields.Owner.Namespace text
    AdditionalFields.ContainerID text
    AdditionalFields.ContainerName text
    AdditionalFields.ContainerImage text
    AdditionalFields.HostIP text
    AdditionalFields.Resource text
    AdditionalFields.Data text
    AdditionalFields.EventData.Others[] text
    AdditionalFields.Source text
    AdditionalFields.ParentProcessName text
    AdditionalFields.HostPID int
    AdditionalFields.HostPPID int
    AdditionalFields.PID int
    AdditionalFields.PPID int
    AdditionalFields.Cwd text
    AdditionalFields.TTY text
    AdditionalFields.ExecEvent.ExecID text
    AdditionalFields.ExecEvent.ExecutableName text
    AdditionalFields.RemoteAddress text
    AdditionalFields.RemotePort port
    AdditionalFields.RemoteHost text
    AdditionalFields.DnsQuery text
    AdditionalFields.ProcessHash text
    AdditionalFields.ParentHash text
    AdditionalFields.ResourceHash text
    AdditionalFields.HashAlgo text
    AdditionalFields.PolicyName text
    AdditionalFields.MaxAlertsPerSec int
    AdditionalFields.DroppingAlertsInterval int
    AdditionalFields.Timestamp number
    AdditionalFields.UpdatedTime text
    AdditionalFields.Level text
    AdditionalFields.Stream text alert|log|message
    AdditionalFields.Reason text
    AdditionalFields.From text
    AdditionalFields.To text
    AdditionalFields.Lost number
    AdditionalFields.Digest.Telling text repeats|quiet|held
    AdditionalFields.Digest.Incidents number
    AdditionalFields.Digest.Pods[] text
    AdditionalFields.Digest.Processes[] text
";

/// What every schema demands.
const DEMANDED: &str = "TimeGenerated EventCount EventStartTime EventEndTime EventType EventResult \
     EventVendor EventProduct EventSchema EventSchemaVersion Dvc";

/// By schema, what it demands beside that, and its own columns as far as we use them.
const SCHEMAS: [(&str, &str, &str); 6] = [
    (
        "AlertEvent",
        "EventUid",
        "
    EventSchema text AlertEvent
    EventSchemaVersion text 0.1
    EventType text Alert
    EventSubType text Suspicious Activity
    AlertId text
    AlertName text
    AlertDescription text
    AlertStatus text Active|Closed
    DetectionMethod text EDR
    ThreatCategory text Security Policy Violation
    RuleName text
    AttackTactics text
    AttackTechniques text
    IndicatorType text Ip|Host|Process|File
    ProcessId signed
    ProcessName text
    ProcessCommandLine text
    FilePath text
    FileName text
    FileMD5 text
    FileSHA1 text
    FileSHA256 text
    UserId signed
    UserIdType text Other
    Username text
    UsernameType text Simple
",
    ),
    (
        "ProcessEvent",
        "ActingProcessId TargetProcessId TargetProcessName TargetProcessCommandLine \
         ActorUsername TargetUsername",
        "
    EventSchema text ProcessEvent
    EventSchemaVersion text 0.1.4
    EventType text ProcessCreated
    ActingProcessId signed
    ActingProcessName text
    ActingProcessCommandLine text
    ActingProcessMD5 text
    ActingProcessSHA1 text
    ActingProcessSHA256 text
    TargetProcessId signed
    TargetProcessName text
    TargetProcessCommandLine text
    TargetProcessCurrentDirectory text
    TargetProcessMD5 text
    TargetProcessSHA1 text
    TargetProcessSHA256 text
    ActorUserId signed
    ActorUserIdType text UID
    ActorUsername text
    ActorUsernameType text Simple
    TargetUserId signed
    TargetUserIdType text UID
    TargetUsername text
    TargetUsernameType text Simple
",
    ),
    (
        "FileEvent",
        "ActorUsername TargetFilePath TargetFilePathType",
        "
    EventSchema text FileEvent
    EventSchemaVersion text 0.2.2
    EventType text FileAccessed|FileCreated|FileModified|FileDeleted|FileRenamed|FolderModified
    TargetFilePath text
    TargetFilePathType text Unix
    TargetFileName text
    TargetFileDirectory text
    TargetFileExtension text
    TargetFileMD5 text
    TargetFileSHA1 text
    TargetFileSHA256 text
    ActingProcessId signed
    ActingProcessName text
    ActingProcessCommandLine text
    ActorUserId signed
    ActorUserIdType text UID
    ActorUsername text
    ActorUsernameType text Simple
",
    ),
    (
        "NetworkSession",
        "Src Dst",
        "
    EventSchema text NetworkSession
    EventSchemaVersion text 0.2.7
    EventType text EndpointNetworkSession
    EventSubType text Start
    Src text
    Dst text
    SrcHostname text
    DstHostname text
    SrcIpAddr ip
    DstIpAddr ip
    SrcPortNumber port
    DstPortNumber port
    NetworkProtocol text
    NetworkProtocolVersion text IPv4|IPv6
    NetworkDirection text Inbound|Outbound|Listen|Unknown
    NetworkRuleName text
    SrcAppName text
    SrcAppType text Process
    DstAppName text
    DstAppType text Process
    SrcUserId signed
    SrcUserIdType text UID
    SrcUsername text
    SrcUsernameType text Simple
    DstUserId signed
    DstUserIdType text UID
    DstUsername text
    DstUsernameType text Simple
",
    ),
    (
        "Dns",
        "EventResultDetails DnsResponseCodeName Src",
        "
    EventSchema text Dns
    EventSchemaVersion text 0.1.7
    EventType text Query
    EventSubType text request
    EventResultDetails text NA
    DnsQuery text
    DnsQueryTypeName text
    DnsResponseCodeName text NA
    Src text
    Dst text
    SrcHostname text
    DstHostname text
    SrcIpAddr ip
    DstIpAddr ip
    SrcPortNumber port
    DstPortNumber port
    NetworkProtocol text UDP
    NetworkProtocolVersion text IPv4|IPv6
    SrcProcessName text
    SrcProcessId signed
    SrcUserId signed
    SrcUserIdType text UID
    SrcUsername text
    SrcUsernameType text Simple
",
    ),
    (
        "AuditEvent",
        "Operation Object ActorUsername",
        "
    EventSchema text AuditEvent
    EventSchemaVersion text 0.1.2
    EventType text Execute|Other
    Operation text
    Object text
    ObjectType text Other
    ActingAppName text
    ActingAppType text Process
    ActorUserId signed
    ActorUserIdType text UID
    ActorUsername text
    ActorUsernameType text Simple
",
    ),
];

static ASIM: LazyLock<BTreeMap<&str, (Schema, &str)>> = LazyLock::new(|| {
    let schema = |(name, demanded, own)| {
        let schema = Schema::of(COMMON).and(own).with_details("AdditionalFields.EventData.");
        (name, (schema, demanded))
    };
    SCHEMAS.into_iter().map(schema).collect()
});

fn check(name: &str, row: &Value) {
    let of = row["EventSchema"].as_str().expect("a schema");
    let (schema, demanded) = ASIM.get(of).unwrap_or_else(|| panic!("{name}: no schema {of}"));
    schema.check(name, row);
    for column in DEMANDED.split(' ').chain(demanded.split(' ')) {
        assert!(row.get(column).is_some(), "{name}: {of} has no {column}: {row:#}");
    }
}

fn row_of(wanted: &str) -> Value {
    let mut row = Value::Null;
    with_every_sample(|name, event| {
        if name == wanted {
            row = testing::written(write, event);
        }
    });
    row
}

/// Every alert as a log, too: no sample log is of some operations.
fn with_every_alert_as_log(mut test: impl FnMut(&str, &Event<'_>)) {
    for (name, line) in samples().iter().filter(|(name, _)| name.starts_with("alert")) {
        let mut event: serde_json::Map<_, _> = serde_json::from_str(line).expect(name);
        event.insert("Type".to_owned(), "ContainerLog".into());
        let of_policies = [
            "PolicyName",
            "Severity",
            "Tags",
            "ATags",
            "Message",
            "Enforcer",
            "Action",
            "MaxAlertsPerSec",
            "DroppingAlertsInterval",
            "KubeArmorVersion",
        ];
        of_policies.into_iter().for_each(|field| drop(event.remove(field)));
        let line = Value::from(event).to_string();
        let (stream, message) = from_json::read(&line).expect(name);
        assert_eq!(stream, Stream::Log);
        test(name, &testing::event(Kind::Event, stream, &message));
    }
}

#[test]
fn every_sample_fits_its_schema_and_loses_nothing() {
    let test = |name: &str, event: &Event<'_>| {
        let row = testing::written(write, event);
        check(name, &row);
        testing::nothing_is_lost(name, event, &row);
    };
    with_every_sample(test);
    with_every_alert_as_log(test);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn any_event_fits_its_schema(owned in arbitrary_event()) {
        check("arbitrary", &testing::written(write, &owned.event()));
    }
}

#[test]
fn a_column_of_another_schema_or_type_is_noticed() {
    let right = row_of("log-process");
    type Spoil = fn(&mut Value);
    let wrong: [(&str, Spoil); 5] = [
        ("a column of files", |row| row["TargetFilePath"] = json!("/etc")),
        ("a number for a text", |row| row["ActingProcessId"] = json!(1)),
        ("a value of no list", |row| row["EventSeverity"] = json!("Critical")),
        ("another version", |row| row["EventSchemaVersion"] = json!("0.2")),
        ("a missing column", |row| {
            row.as_object_mut().map(|row| row.remove("TargetProcessName"));
        }),
    ];
    for (what, spoil) in wrong {
        let mut row = right.clone();
        spoil(&mut row);
        assert!(std::panic::catch_unwind(|| check(what, &row)).is_err(), "{what}");
    }
}

#[test]
fn what_an_event_is_stands_in_the_words_of_asim() {
    let mut told = Vec::new();
    let mut tell = |name: &str, event: &Event<'_>| {
        let row = testing::written(write, event);
        let words = ["EventSchema", "EventType", "EventSeverity", "EventResult", "DvcAction"];
        let words = words.map(|word| row.get(word).map_or_else(|| "-".to_owned(), plain));
        told.push(format!("{name}: {}", words.join(" ")));
    };
    with_every_sample(&mut tell);
    assert_eq!(told.join("\n"), TOLD.trim());
}

const TOLD: &str = "
alert-capabilities-block: AlertEvent Alert Medium Failure Deny
alert-default-posture: AlertEvent Alert Medium Failure Deny
alert-device-block: AlertEvent Alert High Failure Deny
alert-dns-block: AlertEvent Alert High Failure Deny
alert-file-audit: AlertEvent Alert High Success Allow
alert-file-block: AlertEvent Alert High Failure Deny
alert-host-default-posture: AlertEvent Alert Medium Failure Deny
alert-host-policy-block: AlertEvent Alert High Failure Deny
alert-nasty-text: AlertEvent Alert High Failure Deny
alert-network-audit: AlertEvent Alert High Success Allow
alert-network-block: AlertEvent Alert Low Failure Deny
alert-network-firewall: AlertEvent Alert Low Failure Deny
alert-old-agent: AlertEvent Alert Medium Failure Deny
alert-preset-fileless: AlertEvent Alert High Failure Deny
alert-process-audit-block: AlertEvent Alert Medium Success Allow
alert-process-block: AlertEvent Alert High Failure Deny
alert-sparse: AlertEvent Alert Low NA -
alert-syscall-audit: AlertEvent Alert Medium Failure Allow
alert-throttle-notice: AlertEvent Alert Medium Success -
alert-throttle-notice-rewritten: AlertEvent Alert Informational Success -
log-dns: Dns Query Informational Success -
log-dns-commas: Dns Query Informational Success -
log-file-failed: FileEvent FileAccessed Informational Failure -
log-host: NetworkSession EndpointNetworkSession Informational Success -
log-network-accept: NetworkSession EndpointNetworkSession Informational Success -
log-network-connect: NetworkSession EndpointNetworkSession Informational Success -
log-process: ProcessEvent ProcessCreated Informational Success -
log-syscall: AuditEvent Execute Informational Failure -
message: AuditEvent Other Medium NA -
gap: AlertEvent Alert Medium NA -
";

#[test]
fn an_alert_names_its_rule_its_techniques_and_its_process() {
    let row = row_of("alert-process-audit-block");
    for (column, value) in [
        ("AlertName", "shop-no-shells"),
        ("RuleName", "shop-no-shells"),
        ("AlertDescription", "A shell was started by the web server"),
        ("AttackTechniques", "unix_shell (T1059.004), exploit_public_facing_application (T1190)"),
        ("ProcessName", "/usr/bin/dash"),
        ("ProcessCommandLine", "/usr/bin/dash -c id"),
        ("ProcessId", "418344"),
        ("DvcOriginalAction", "Audit (Block)"),
        ("DvcAction", "Allow"),
    ] {
        assert_eq!(row[column], value, "{column}");
    }
}

#[test]
fn the_ends_of_a_connection_are_where_the_schema_wants_them() {
    let row = row_of("log-network-accept");
    assert_eq!((&row["SrcIpAddr"], &row["SrcPortNumber"]), (&json!("10.42.3.17"), &json!(47712)));
    assert_eq!(
        (&row["Dst"], &row["DstAppName"]),
        (&json!("cart-0"), &json!("/usr/local/bin/redis-server"))
    );
    let row = row_of("log-dns");
    assert_eq!(
        (&row["DnsQuery"], &row["Dst"]),
        (&json!("cart.shop.svc.cluster.local"), &json!("10.43.0.10"))
    );
}

#[test]
fn a_digest_is_a_count_between_two_times() {
    let (_, line) = samples()[0];
    let (stream, message) = from_json::read(line).expect("an event");
    let event = testing::event(Kind::Event, stream, &message).telling(testing::digest());
    let row = testing::written(write, &event);
    check("digest", &row);
    assert_eq!(
        (&row["EventCount"], &row["EventStartTime"], &row["EventEndTime"]),
        (&json!(12), &json!("2026-03-02T09:14:10.000001Z"), &json!("2026-03-02T09:15:10.000002Z"))
    );
}
