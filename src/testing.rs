//! Events made for the unit tests, from KubeArmor's own messages.

use buffa::Message as _;
use sidearm_proto::{feeder, sidearm};
use sidearm_sinks::contract::Stream;

use crate::samples::Sample;

pub(crate) fn alert(alert: feeder::Alert) -> Sample {
    Sample::event("alert", Stream::Alert, alert.encode_to_vec())
}

pub(crate) fn log(log: feeder::Log) -> Sample {
    Sample::event("log", Stream::Log, log.encode_to_vec())
}

pub(crate) fn message(message: feeder::Message) -> Sample {
    Sample::event("message", Stream::Message, message.encode_to_vec())
}

/// Half a minute in which the relay was away.
pub(crate) fn gap(stream: Stream) -> Sample {
    Sample::gap(stream, &half_a_minute())
}

pub(crate) fn half_a_minute() -> sidearm::Gap {
    sidearm::Gap {
        FromMicros: 1_779_770_817_355_927,
        ToMicros: 1_779_770_847_000_000,
        Reason: "the relay ended the stream".into(),
        ..sidearm::Gap::default()
    }
}

/// A package manager, blocked in a shop's pod.
pub(crate) fn blocked_apt() -> feeder::Alert {
    feeder::Alert {
        UpdatedTime: "2026-05-26T04:46:57.355927Z".into(),
        HostName: "node-1".into(),
        NamespaceName: "shop".into(),
        PodName: "web-7c9f".into(),
        ContainerName: "web".into(),
        Labels: "app=web,tier=front".into(),
        ProcessName: "/usr/bin/apt".into(),
        PID: 42,
        PolicyName: "no-package-managers".into(),
        Severity: "5".into(),
        ATags: vec!["NIST".into(), "MITRE_T1036_masquerading".into()],
        Message: "package manager denied".into(),
        Type: "MatchedPolicy".into(),
        Source: "/bin/bash -i".into(),
        Operation: "Process".into(),
        Resource: "/usr/bin/apt install nmap".into(),
        Action: "Block".into(),
        Result: "Permission denied".into(),
        ..feeder::Alert::default()
    }
}

/// KubeArmor's notice that it now drops a container's alerts.
pub(crate) fn throttle_notice() -> feeder::Alert {
    feeder::Alert {
        UpdatedTime: "2026-05-26T04:46:57.355927Z".into(),
        NamespaceName: "shop".into(),
        PodName: "web-7c9f".into(),
        Type: "SystemEvent".into(),
        Operation: "AlertThreshold".into(),
        MaxAlertsPerSec: 10,
        DroppingAlertsInterval: 30,
        ..feeder::Alert::default()
    }
}
