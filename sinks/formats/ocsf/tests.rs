mod facts;

use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use self::facts::Ocsf;
use super::{write, write_finding};
use crate::{
    contract::{Digest, Telling, testing::arbitrary_event},
    formats::testing::{self, plain, with_every_sample},
};

static OCSF: LazyLock<Ocsf> = LazyLock::new(Ocsf::new);

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
    with_every_sample(|name, event| {
        for write in [write, write_finding] {
            let body = testing::written(write, event);
            OCSF.check(name, &body);
            testing::nothing_is_lost(name, event, &body);
        }
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]
    #[test]
    fn any_event_fits_the_schema(owned in arbitrary_event()) {
        OCSF.check("arbitrary", &testing::written(write, &owned.event()));
    }

    #[test]
    fn any_event_is_a_finding_of_the_schema(owned in arbitrary_event()) {
        OCSF.check("arbitrary", &testing::written(write_finding, &owned.event()));
    }
}

#[test]
fn what_is_wrong_is_noticed() {
    let right = body_of("alert-process-block");
    type Spoil = fn(&mut Value);
    let wrong: [(&str, Spoil); 10] = [
        ("an attribute of no schema", |event| event["colour"] = json!("red")),
        ("a severity of no schema", |event| event["severity_id"] = json!(42)),
        ("another value's caption", |event| event["severity"] = json!("Low")),
        ("no caption", |event| drop(remove(event, "disposition"))),
        ("a text for a number", |event| event["time"] = json!("2026-03-02")),
        ("microseconds for milliseconds", |event| event["time"] = json!(1_772_442_850_523_092_i64)),
        ("a class without what it requires", |event| drop(remove(event, "process"))),
        ("a process without a number", |event| {
            drop(remove(&mut event["process"], "pid"));
        }),
        ("a type of another class", |event| event["type_uid"] = json!(100_101)),
        ("an empty list", |event| event["observables"] = json!([])),
    ];
    for (what, spoil) in wrong {
        let mut event = right.clone();
        spoil(&mut event);
        let noticed = std::panic::catch_unwind(|| OCSF.check(what, &event)).is_err();
        assert!(noticed, "{what}");
    }
}

fn remove(from: &mut Value, member: &str) -> Option<Value> {
    from.as_object_mut().and_then(|object| object.remove(member))
}

#[test]
fn what_an_event_is_stands_in_the_words_of_ocsf() {
    let mut told = Vec::new();
    with_every_sample(|name, event| {
        let body = testing::written(write, event);
        let words = ["type_name", "severity", "status", "disposition"];
        let words = words.map(|word| body.get(word).map_or_else(|| "-".to_owned(), plain));
        told.push(format!("{name}: {}", words.join(", ")));
    });
    assert_eq!(told.join("\n"), TOLD.trim());
}

const TOLD: &str = "
alert-capabilities-block: Kernel Activity: Invoke, Medium, Failure, Blocked
alert-default-posture: File System Activity: Open, Medium, Failure, Blocked
alert-device-block: Peripheral Activity: Connect, High, Failure, Blocked
alert-dns-block: DNS Activity: Query, Critical, Failure, Blocked
alert-file-audit: File System Activity: Open, Critical, Success, Alert
alert-file-block: File System Activity: Delete, Critical, Failure, Blocked
alert-host-default-posture: Kernel Activity: Invoke, Medium, Failure, Blocked
alert-host-policy-block: File System Activity: Open, Critical, Failure, Blocked
alert-nasty-text: Process Activity: Launch, High, Failure, Blocked
alert-network-audit: Network Activity: Open, High, Success, Alert
alert-network-block: Network Activity: Refuse, Low, Failure, Blocked
alert-network-firewall: Network Activity: Refuse, Low, Failure, Blocked
alert-old-agent: Kernel Activity: Invoke, Medium, Failure, Blocked
alert-preset-fileless: Process Activity: Launch, Critical, Failure, Blocked
alert-process-audit-block: Process Activity: Launch, Medium, Success, Alert
alert-process-block: Process Activity: Launch, High, Failure, Blocked
alert-sparse: Process Activity: Launch, Low, -, Alert
alert-syscall-audit: Kernel Activity: Invoke, Medium, Failure, Alert
alert-throttle-notice: Base Event: Other, Medium, Success, -
alert-throttle-notice-rewritten: Base Event: Other, Informational, Success, -
log-dns: DNS Activity: Query, Informational, Success, Logged
log-dns-commas: DNS Activity: Query, Informational, Success, Logged
log-file-failed: File System Activity: Open, Informational, Failure, Logged
log-host: Network Activity: Open, Informational, Success, Logged
log-network-accept: Network Activity: Open, Informational, Success, Logged
log-network-connect: Network Activity: Open, Informational, Success, Logged
log-process: Process Activity: Launch, Informational, Success, Logged
log-syscall: Kernel Activity: Invoke, Informational, Failure, Logged
message: Base Event: Other, Medium, -, -
gap: Base Event: Other, Medium, -, -
";

#[test]
fn a_digest_is_a_time_and_a_count_and_an_update_of_its_finding() {
    let (stream, message) = {
        let (_, line) = crate::contract::samples()[0];
        crate::contract::from_json::read(line).expect("an event")
    };
    let told = |telling| {
        let digest = Digest { telling, ..testing::digest().clone() };
        let event = testing::event(crate::contract::Kind::Event, stream, &message);
        let event = event.telling(&digest);
        let (activity, finding) =
            (testing::written(write, &event), testing::written(write_finding, &event));
        OCSF.check("activity", &activity);
        OCSF.check("finding", &finding);
        assert_eq!(
            (&activity["count"], &activity["start_time"], &activity["end_time"]),
            (&json!(12), &json!(1_772_442_850_000_i64), &json!(1_772_442_910_000_i64))
        );
        (plain(&finding["activity_name"]), plain(&finding["status"]))
    };
    assert_eq!(told(Telling::Repeats), ("Update".to_owned(), "New".to_owned()));
    assert_eq!(told(Telling::Quiet), ("Close".to_owned(), "Resolved".to_owned()));
    assert_eq!(told(Telling::Held), ("Create".to_owned(), "New".to_owned()));
}

#[test]
fn a_finding_shows_its_evidence() {
    let mut finding = Value::Null;
    with_every_sample(|name, event| {
        if name == "alert-file-block" {
            finding = testing::written(write_finding, event);
        }
    });
    let evidence = &finding["evidences"][0];
    assert_eq!(evidence["file"]["path"], "/usr/share/nginx/html/index.html");
    assert_eq!(evidence["actor"]["process"]["cmd_line"], "/usr/bin/rm -rf /usr/share/nginx/html");
    assert_eq!(finding["finding_info"]["analytic"]["name"], "shop-web-root-is-fixed");
    assert_eq!(finding["resources"][0]["name"], "storefront-5d88c6b4f7-zt9wl");
}

#[test]
fn one_end_of_a_connection_is_the_workloads() {
    let connect = body_of("log-network-connect");
    assert_eq!(connect["src_endpoint"], json!({"name": "checkout-6c9d7f5b88-k2xqv"}));
    assert_eq!(
        connect["dst_endpoint"],
        json!({"ip": "10.43.12.80", "port": 6379, "svc_name": "svc/shop/cart"})
    );
    let accept = body_of("log-network-accept");
    assert_eq!(accept["src_endpoint"], json!({"ip": "10.42.3.17", "port": 47712}));
    assert_eq!(accept["dst_endpoint"], json!({"name": "cart-0"}));
    assert_eq!(accept["connection_info"]["direction"], "Inbound");
}
