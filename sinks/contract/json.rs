//! An event as KubeArmor's own JSON, byte for byte as its relay prints it.
//!
//! The relay prints its Go structures with `encoding/json`: members in the order of their
//! declaration, empty ones left out (but for `PPID` and `UID`), maps by key, and `<`, `>`, `&`
//! escaped. Gap records, which KubeArmor does not know, follow the same rules. Written straight
//! from the view: this is the most travelled way of an event.

mod text;

use sidearm_proto::feeder::AlertView;

use super::{
    Event, Stream,
    event::{Gap, Own},
};
pub use text::write_text;

/// Appends the event as one object, without a line end.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    match &event.own {
        Own::Gap(gap) => write_gap(event, gap, out),
        Own::Message { host_ip, level } => write_message(&event.view, host_ip, level, out),
        Own::Nothing => write_activity(&event.view, event.stream(), out),
    }
    close(start, out);
}

/// Every member was written with a comma before it: the first one's becomes the brace.
fn close(start: usize, out: &mut Vec<u8>) {
    match out.get_mut(start) {
        Some(comma) => *comma = b'{',
        None => out.push(b'{'),
    }
    out.push(b'}');
}

fn write_gap(event: &Event<'_>, gap: &Gap<'_>, out: &mut Vec<u8>) {
    number(out, b",\"Timestamp\":", event.view.Timestamp);
    text(out, b",\"UpdatedTime\":", &gap.to);
    text(out, b",\"ClusterName\":", event.view.ClusterName);
    text(out, b",\"Type\":", event.view.Type);
    text(out, b",\"Stream\":", event.stream().name());
    text(out, b",\"From\":", &gap.from);
    text(out, b",\"To\":", &gap.to);
    text(out, b",\"Reason\":", gap.reason);
    number(out, b",\"Lost\":", i64::try_from(gap.lost).unwrap_or(i64::MAX));
}

fn write_message(view: &AlertView<'_>, host_ip: &str, level: &str, out: &mut Vec<u8>) {
    number(out, b",\"Timestamp\":", view.Timestamp);
    text(out, b",\"UpdatedTime\":", view.UpdatedTime);
    text(out, b",\"ClusterName\":", view.ClusterName);
    text(out, b",\"HostName\":", view.HostName);
    text(out, b",\"HostIP\":", host_ip);
    text(out, b",\"Type\":", view.Type);
    text(out, b",\"Level\":", level);
    text(out, b",\"Message\":", view.Message);
}

/// An alert or a log. A log names its processes before their numbers, an alert after; a log's
/// other members stand as an alert's do, those of policies left out because they are empty.
fn write_activity(view: &AlertView<'_>, stream: Stream, out: &mut Vec<u8>) {
    write_place(view, out);
    if stream == Stream::Log {
        write_process_names(view, out);
        write_process_numbers(view, out);
    } else {
        write_process_numbers(view, out);
        write_process_names(view, out);
    }
    write_policy(view, out);
    write_deed(view, out);
    write_circumstances(view, out);
}

fn write_place(view: &AlertView<'_>, out: &mut Vec<u8>) {
    number(out, b",\"Timestamp\":", view.Timestamp);
    text(out, b",\"UpdatedTime\":", view.UpdatedTime);
    text(out, b",\"ClusterName\":", view.ClusterName);
    text(out, b",\"HostName\":", view.HostName);
    text(out, b",\"NamespaceName\":", view.NamespaceName);
    if let Some(owner) = view.Owner.as_option() {
        out.extend_from_slice(b",\"Owner\":");
        let start = out.len();
        text(out, b",\"Ref\":", owner.Ref);
        text(out, b",\"Name\":", owner.Name);
        text(out, b",\"Namespace\":", owner.Namespace);
        close(start, out);
    }
    text(out, b",\"PodName\":", view.PodName);
    text(out, b",\"Labels\":", view.Labels);
    text(out, b",\"ContainerID\":", view.ContainerID);
    text(out, b",\"ContainerName\":", view.ContainerName);
    text(out, b",\"ContainerImage\":", view.ContainerImage);
}

fn write_process_numbers(view: &AlertView<'_>, out: &mut Vec<u8>) {
    number(out, b",\"HostPPID\":", view.HostPPID.into());
    number(out, b",\"HostPID\":", view.HostPID.into());
    out.extend_from_slice(b",\"PPID\":");
    text::write_int(out, view.PPID.into());
    number(out, b",\"PID\":", view.PID.into());
    out.extend_from_slice(b",\"UID\":");
    text::write_int(out, view.UID.into());
}

fn write_process_names(view: &AlertView<'_>, out: &mut Vec<u8>) {
    text(out, b",\"ParentProcessName\":", view.ParentProcessName);
    text(out, b",\"ProcessName\":", view.ProcessName);
}

fn write_policy(view: &AlertView<'_>, out: &mut Vec<u8>) {
    text(out, b",\"PolicyName\":", view.PolicyName);
    text(out, b",\"Severity\":", view.Severity);
    text(out, b",\"Tags\":", view.Tags);
    if let Some((first, others)) = view.ATags.split_first() {
        out.extend_from_slice(b",\"ATags\":[");
        write_text(first, out);
        for tag in others {
            out.push(b',');
            write_text(tag, out);
        }
        out.push(b']');
    }
    text(out, b",\"Message\":", view.Message);
}

fn write_deed(view: &AlertView<'_>, out: &mut Vec<u8>) {
    text(out, b",\"Type\":", view.Type);
    text(out, b",\"Source\":", view.Source);
    text(out, b",\"Operation\":", view.Operation);
    text(out, b",\"Resource\":", view.Resource);
    text(out, b",\"Data\":", view.Data);
    if !view.EventData.is_empty() {
        write_event_data(view, out);
    }
    text(out, b",\"Enforcer\":", view.Enforcer);
    text(out, b",\"Action\":", view.Action);
    text(out, b",\"Result\":", view.Result);
}

fn write_event_data(view: &AlertView<'_>, out: &mut Vec<u8>) {
    let mut pairs: Vec<_> = view.EventData.iter_unique().collect();
    pairs.sort_unstable();
    out.extend_from_slice(b",\"EventData\":");
    let start = out.len();
    for (key, value) in pairs {
        out.push(b',');
        write_text(key, out);
        out.push(b':');
        write_text(value, out);
    }
    close(start, out);
}

fn write_circumstances(view: &AlertView<'_>, out: &mut Vec<u8>) {
    text(out, b",\"Cwd\":", view.Cwd);
    text(out, b",\"TTY\":", view.TTY);
    number(out, b",\"MaxAlertsPerSec\":", view.MaxAlertsPerSec.into());
    number(out, b",\"DroppingAlertsInterval\":", view.DroppingAlertsInterval.into());
    if let Some(execution) = view.ExecEvent.as_option() {
        out.extend_from_slice(b",\"ExecEvent\":");
        let start = out.len();
        text(out, b",\"ExecID\":", execution.ExecID);
        text(out, b",\"ExecutableName\":", execution.ExecutableName);
        close(start, out);
    }
    text(out, b",\"KubeArmorVersion\":", view.KubeArmorVersion);
    text(out, b",\"NodeID\":", view.NodeID);
    text(out, b",\"ProcessHash\":", view.ProcessHash);
    text(out, b",\"ParentHash\":", view.ParentHash);
    text(out, b",\"ResourceHash\":", view.ResourceHash);
    text(out, b",\"HashAlgo\":", view.HashAlgo);
    text(out, b",\"UserName\":", view.UserName);
}

fn text(out: &mut Vec<u8>, name: &'static [u8], value: &str) {
    if !value.is_empty() {
        out.extend_from_slice(name);
        write_text(value, out);
    }
}

fn number(out: &mut Vec<u8>, name: &'static [u8], value: i64) {
    if value != 0 {
        out.extend_from_slice(name);
        text::write_int(out, value);
    }
}
