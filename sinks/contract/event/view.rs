//! From wire bytes to one set of fields, stream by stream.

use buffa::{DecodeError, MessageView as _};
use jiff::{Timestamp, fmt::temporal::DateTimePrinter};
use sidearm_proto::{
    feeder::{AlertView, LogView, MessageView},
    sidearm::GapView,
};

/// What an event holds beside the fields of an alert.
#[derive(Debug)]
pub(in crate::contract) enum Own<'a> {
    /// Nothing: an alert or a log.
    Nothing,
    /// Two fields of an agent's message.
    Message { host_ip: &'a str, level: &'a str },
    /// All a gap record says.
    Gap(Box<Gap<'a>>),
}

/// A time in which events may have been missed.
#[derive(Debug, Clone)]
pub struct Gap<'a> {
    /// The last moment known to be whole, in microseconds since 1970.
    pub from_us: i64,
    /// Whole again from here, in microseconds since 1970.
    pub to_us: i64,
    /// `from_us` as RFC 3339 in UTC, with microseconds.
    pub from: String,
    /// `to_us` as RFC 3339 in UTC, with microseconds.
    pub to: String,
    /// What happened.
    pub reason: &'a str,
    /// Events known to be lost; 0 where nobody can know.
    pub lost: u64,
}

type Seen<'a> = Result<(Box<AlertView<'a>>, Own<'a>), DecodeError>;

pub(super) fn of_alert(message: &[u8]) -> Seen<'_> {
    Ok((Box::new(AlertView::decode_view(message)?), Own::Nothing))
}

pub(super) fn of_log(message: &[u8]) -> Seen<'_> {
    let log = LogView::decode_view(message)?;
    let view = AlertView {
        Timestamp: log.Timestamp,
        UpdatedTime: log.UpdatedTime,
        ClusterName: log.ClusterName,
        HostName: log.HostName,
        NamespaceName: log.NamespaceName,
        Owner: log.Owner,
        PodName: log.PodName,
        Labels: log.Labels,
        ContainerID: log.ContainerID,
        ContainerName: log.ContainerName,
        ContainerImage: log.ContainerImage,
        ParentProcessName: log.ParentProcessName,
        ProcessName: log.ProcessName,
        HostPPID: log.HostPPID,
        HostPID: log.HostPID,
        PPID: log.PPID,
        PID: log.PID,
        UID: log.UID,
        Type: log.Type,
        Source: log.Source,
        Operation: log.Operation,
        Resource: log.Resource,
        Data: log.Data,
        EventData: log.EventData,
        Result: log.Result,
        Cwd: log.Cwd,
        TTY: log.TTY,
        ExecEvent: log.ExecEvent,
        NodeID: log.NodeID,
        ProcessHash: log.ProcessHash,
        ParentHash: log.ParentHash,
        ResourceHash: log.ResourceHash,
        HashAlgo: log.HashAlgo,
        UserName: log.UserName,
        ..AlertView::default()
    };
    Ok((Box::new(view), Own::Nothing))
}

pub(super) fn of_message(message: &[u8]) -> Seen<'_> {
    let message = MessageView::decode_view(message)?;
    let view = AlertView {
        Timestamp: message.Timestamp,
        UpdatedTime: message.UpdatedTime,
        ClusterName: message.ClusterName,
        HostName: message.HostName,
        Type: message.Type,
        Message: message.Message,
        ..AlertView::default()
    };
    Ok((Box::new(view), Own::Message { host_ip: message.HostIP, level: message.Level }))
}

pub(super) fn of_gap(message: &[u8]) -> Seen<'_> {
    const MICROS_PER_SECOND: i64 = 1_000_000;
    let gap = GapView::decode_view(message)?;
    let view = AlertView {
        Timestamp: gap.ToMicros.div_euclid(MICROS_PER_SECOND),
        Type: "SidearmGap",
        ..AlertView::default()
    };
    let own = Gap {
        from_us: gap.FromMicros,
        to_us: gap.ToMicros,
        from: rfc3339(gap.FromMicros),
        to: rfc3339(gap.ToMicros),
        reason: gap.Reason,
        lost: gap.Lost,
    };
    Ok((Box::new(view), Own::Gap(Box::new(own))))
}

/// UTC with microseconds; a moment beyond year 9999 or before -9999 shows as that end of time.
pub(in crate::contract) fn rfc3339(micros: i64) -> String {
    let end = if micros < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let moment = Timestamp::from_microsecond(micros).unwrap_or(end);
    DateTimePrinter::new().precision(Some(6)).timestamp_to_string(&moment)
}
