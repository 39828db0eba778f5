//! Back from KubeArmor's own JSON to the bytes of the wire, for events that people hand us.
//!
//! Strict where the relay's own reading is lenient: an unknown key or a value of another type is
//! an error that names it, for here it is a slip of the pen.

mod members;

use buffa::Message as _;
use sidearm_proto::feeder::{Alert, ExecEvent, Log, Message, Podowner};

use super::Stream;
use members::Members;

/// Reads one object. Answers the stream it belongs to, by its `Type`, and its message.
pub fn read(line: &str) -> Result<(Stream, Vec<u8>), String> {
    let mut members = Members::parse(line)?;
    let stream = stream_of(members.peek("Type"))?;
    let message = match stream {
        Stream::Alert => alert(&mut members)?.encode_to_vec(),
        Stream::Message => message(&mut members)?.encode_to_vec(),
        Stream::Log => log(&mut members)?.encode_to_vec(),
    };
    members.finish()?;
    Ok((stream, message))
}

/// By the ends of the names, so that a newer KubeArmor's kinds find their stream.
fn stream_of(kind: Option<&str>) -> Result<Stream, String> {
    match kind {
        Some("SystemEvent") => Ok(Stream::Alert),
        Some("Message") => Ok(Stream::Message),
        Some(kind) if kind.starts_with("Matched") => Ok(Stream::Alert),
        Some(kind) if kind.ends_with("Log") => Ok(Stream::Log),
        found => Err(format!(
            "reading an event: expected \"Type\" to be MatchedPolicy, MatchedHostPolicy, \
             MatchedNetworkPolicy, SystemEvent, ContainerLog, HostLog or Message, found {}",
            found.map_or_else(|| "none".to_owned(), |kind| format!("\"{kind}\""))
        )),
    }
}

fn message(from: &mut Members) -> Result<Message, String> {
    Ok(Message {
        Timestamp: from.number("Timestamp")?,
        UpdatedTime: from.text("UpdatedTime")?,
        ClusterName: from.text("ClusterName")?,
        HostName: from.text("HostName")?,
        HostIP: from.text("HostIP")?,
        Type: from.text("Type")?,
        Level: from.text("Level")?,
        Message: from.text("Message")?,
    })
}

fn log(from: &mut Members) -> Result<Log, String> {
    Ok(Log {
        Timestamp: from.number("Timestamp")?,
        UpdatedTime: from.text("UpdatedTime")?,
        ClusterName: from.text("ClusterName")?,
        HostName: from.text("HostName")?,
        NamespaceName: from.text("NamespaceName")?,
        Owner: from.object("Owner", owner)?.into(),
        PodName: from.text("PodName")?,
        Labels: from.text("Labels")?,
        ContainerID: from.text("ContainerID")?,
        ContainerName: from.text("ContainerName")?,
        ContainerImage: from.text("ContainerImage")?,
        ParentProcessName: from.text("ParentProcessName")?,
        ProcessName: from.text("ProcessName")?,
        HostPPID: from.number("HostPPID")?,
        HostPID: from.number("HostPID")?,
        PPID: from.number("PPID")?,
        PID: from.number("PID")?,
        UID: from.number("UID")?,
        Type: from.text("Type")?,
        Source: from.text("Source")?,
        Operation: from.text("Operation")?,
        Resource: from.text("Resource")?,
        Data: from.text("Data")?,
        EventData: from.texts_by_name("EventData")?,
        Result: from.text("Result")?,
        Cwd: from.text("Cwd")?,
        TTY: from.text("TTY")?,
        ExecEvent: from.object("ExecEvent", execution)?.into(),
        NodeID: from.text("NodeID")?,
        ProcessHash: from.text("ProcessHash")?,
        ParentHash: from.text("ParentHash")?,
        ResourceHash: from.text("ResourceHash")?,
        HashAlgo: from.text("HashAlgo")?,
        UserName: from.text("UserName")?,
    })
}

fn alert(from: &mut Members) -> Result<Alert, String> {
    Ok(Alert {
        Timestamp: from.number("Timestamp")?,
        UpdatedTime: from.text("UpdatedTime")?,
        ClusterName: from.text("ClusterName")?,
        HostName: from.text("HostName")?,
        NamespaceName: from.text("NamespaceName")?,
        Owner: from.object("Owner", owner)?.into(),
        PodName: from.text("PodName")?,
        Labels: from.text("Labels")?,
        ContainerID: from.text("ContainerID")?,
        ContainerName: from.text("ContainerName")?,
        ContainerImage: from.text("ContainerImage")?,
        HostPPID: from.number("HostPPID")?,
        HostPID: from.number("HostPID")?,
        PPID: from.number("PPID")?,
        PID: from.number("PID")?,
        UID: from.number("UID")?,
        ParentProcessName: from.text("ParentProcessName")?,
        ProcessName: from.text("ProcessName")?,
        PolicyName: from.text("PolicyName")?,
        Severity: from.text("Severity")?,
        Tags: from.text("Tags")?,
        ATags: from.texts("ATags")?,
        Message: from.text("Message")?,
        Type: from.text("Type")?,
        Source: from.text("Source")?,
        Operation: from.text("Operation")?,
        Resource: from.text("Resource")?,
        Data: from.text("Data")?,
        EventData: from.texts_by_name("EventData")?,
        Enforcer: from.text("Enforcer")?,
        Action: from.text("Action")?,
        Result: from.text("Result")?,
        Cwd: from.text("Cwd")?,
        TTY: from.text("TTY")?,
        MaxAlertsPerSec: from.number("MaxAlertsPerSec")?,
        DroppingAlertsInterval: from.number("DroppingAlertsInterval")?,
        ExecEvent: from.object("ExecEvent", execution)?.into(),
        KubeArmorVersion: from.text("KubeArmorVersion")?,
        NodeID: from.text("NodeID")?,
        ProcessHash: from.text("ProcessHash")?,
        ParentHash: from.text("ParentHash")?,
        ResourceHash: from.text("ResourceHash")?,
        HashAlgo: from.text("HashAlgo")?,
        UserName: from.text("UserName")?,
    })
}

fn owner(from: &mut Members) -> Result<Podowner, String> {
    Ok(Podowner {
        Ref: from.text("Ref")?,
        Name: from.text("Name")?,
        Namespace: from.text("Namespace")?,
    })
}

fn execution(from: &mut Members) -> Result<ExecEvent, String> {
    Ok(ExecEvent { ExecID: from.text("ExecID")?, ExecutableName: from.text("ExecutableName")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_an_event_is_named() {
        for (line, complaint) in [
            ("[]", "expected one object of KubeArmor's JSON, found a list"),
            (
                r#"{"Type":"Odd"}"#,
                "expected \"Type\" to be MatchedPolicy, MatchedHostPolicy, MatchedNetworkPolicy, \
                 SystemEvent, ContainerLog, HostLog or Message, found \"Odd\"",
            ),
            (
                r#"{"Type":"HostLog","Podname":"a"}"#,
                "unknown key \"Podname\"; did you mean \"PodName\"?",
            ),
            (r#"{"Type":"HostLog","Owner":{"Kind":"a"}}"#, "unknown key \"Kind\" of Owner"),
            (
                r#"{"Type":"HostLog","Owner":{"Name":7}}"#,
                "expected \"Name\" of Owner to be text, found the number 7",
            ),
            (
                r#"{"Type":"HostLog","PID":4294967296}"#,
                "expected \"PID\" to be a whole number of 32 bits, found the number 4294967296",
            ),
            (
                r#"{"Type":"HostLog","PID":"7"}"#,
                "expected \"PID\" to be a whole number of 32 bits, found a text",
            ),
            (
                r#"{"Type":"MatchedPolicy","ATags":["a",null]}"#,
                "expected \"ATags\" to be a list of texts, found null",
            ),
            (
                r#"{"Type":"HostLog","EventData":{"a":true}}"#,
                "expected \"EventData\" to be an object of texts, found true",
            ),
            (r#"{"Type":"HostLog","PolicyName":"p"}"#, "unknown key \"PolicyName\""),
        ] {
            let error = read(line).expect_err(line);
            let start = format!("reading an event: {complaint}");
            assert!(error.starts_with(&start), "{error}\n{start}");
        }
        let error = read("{\"Type\":").expect_err("half an object");
        assert!(error.starts_with("reading an event: expected one object of KubeArmor's JSON"));
    }
}
