//! An event as KubeArmor's own JSON, byte for byte as its relay prints it.
//!
//! The relay prints its Go structures with `encoding/json`: members in the order of their
//! declaration, empty ones left out (but for `PPID` and `UID`), maps by key, and `<`, `>`, `&`
//! escaped. Gap records and what a digest tells, which KubeArmor does not know, follow the same
//! rules. Written straight
//! from the view: this is the most travelled way of an event.

mod text;

use sidearm_proto::feeder::AlertView;

use super::{
    Digest, Event, Stream,
    event::{Gap, Own, rfc3339},
};
pub use text::write_text;
pub(crate) use text::{write_escaped, write_int};

/// Appends the event as one object, without a line end.
pub fn write(event: &Event<'_>, out: &mut Vec<u8>) {
    let start = out.len();
    match &event.own {
        Own::Gap(gap) => write_gap(event, gap, out),
        Own::Message { host_ip, level } => write_message(&event.view, host_ip, level, out),
        Own::Nothing => write_activity(&event.view, event.stream(), out),
    }
    if let Some(digest) = event.digest() {
        write_digest(digest, out);
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
    text(out, b",\"UpdatedTime\":\"", &gap.to);
    text(out, b",\"ClusterName\":\"", event.view.ClusterName);
    text(out, b",\"Type\":\"", event.view.Type);
    text(out, b",\"Stream\":\"", event.stream().name());
    text(out, b",\"From\":\"", &gap.from);
    text(out, b",\"To\":\"", &gap.to);
    text(out, b",\"Reason\":\"", gap.reason);
    number(out, b",\"Lost\":", i64::try_from(gap.lost).unwrap_or(i64::MAX));
}

fn write_digest(digest: &Digest, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"Digest\":");
    let start = out.len();
    text(out, b",\"Telling\":\"", digest.telling.name());
    number(out, b",\"Events\":", i64::try_from(digest.events).unwrap_or(i64::MAX));
    number(out, b",\"Incidents\":", i64::try_from(digest.incidents).unwrap_or(i64::MAX));
    text(out, b",\"First\":\"", &rfc3339(digest.first_us));
    text(out, b",\"Last\":\"", &rfc3339(digest.last_us));
    for (name, counts) in [("Pods", &digest.pods), ("Processes", &digest.processes)] {
        if !counts.is_empty() {
            out.push(b',');
            write_text(name, out);
            out.push(b':');
            write_counts(counts, out);
        }
    }
    close(start, out);
}

/// The most frequent first, which members of an object could not say.
fn write_counts(counts: &[(String, u64)], out: &mut Vec<u8>) {
    let start = out.len();
    for (name, count) in counts {
        out.extend_from_slice(b",{\"Name\":");
        write_text(name, out);
        number(out, b",\"Events\":", i64::try_from(*count).unwrap_or(i64::MAX));
        out.push(b'}');
    }
    out[start] = b'[';
    out.push(b']');
}

fn write_message(view: &AlertView<'_>, host_ip: &str, level: &str, out: &mut Vec<u8>) {
    number(out, b",\"Timestamp\":", view.Timestamp);
    text(out, b",\"UpdatedTime\":\"", view.UpdatedTime);
    text(out, b",\"ClusterName\":\"", view.ClusterName);
    text(out, b",\"HostName\":\"", view.HostName);
    text(out, b",\"HostIP\":\"", host_ip);
    text(out, b",\"Type\":\"", view.Type);
    text(out, b",\"Level\":\"", level);
    text(out, b",\"Message\":\"", view.Message);
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
    text(out, b",\"UpdatedTime\":\"", view.UpdatedTime);
    text(out, b",\"ClusterName\":\"", view.ClusterName);
    text(out, b",\"HostName\":\"", view.HostName);
    text(out, b",\"NamespaceName\":\"", view.NamespaceName);
    if let Some(owner) = view.Owner.as_option() {
        out.extend_from_slice(b",\"Owner\":");
        let start = out.len();
        text(out, b",\"Ref\":\"", owner.Ref);
        text(out, b",\"Name\":\"", owner.Name);
        text(out, b",\"Namespace\":\"", owner.Namespace);
        close(start, out);
    }
    text(out, b",\"PodName\":\"", view.PodName);
    text(out, b",\"Labels\":\"", view.Labels);
    text(out, b",\"ContainerID\":\"", view.ContainerID);
    text(out, b",\"ContainerName\":\"", view.ContainerName);
    text(out, b",\"ContainerImage\":\"", view.ContainerImage);
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
    text(out, b",\"ParentProcessName\":\"", view.ParentProcessName);
    text(out, b",\"ProcessName\":\"", view.ProcessName);
}

fn write_policy(view: &AlertView<'_>, out: &mut Vec<u8>) {
    text(out, b",\"PolicyName\":\"", view.PolicyName);
    text(out, b",\"Severity\":\"", view.Severity);
    text(out, b",\"Tags\":\"", view.Tags);
    if let Some((first, others)) = view.ATags.split_first() {
        out.extend_from_slice(b",\"ATags\":[");
        write_text(first, out);
        for tag in others {
            out.push(b',');
            write_text(tag, out);
        }
        out.push(b']');
    }
    text(out, b",\"Message\":\"", view.Message);
}

fn write_deed(view: &AlertView<'_>, out: &mut Vec<u8>) {
    text(out, b",\"Type\":\"", view.Type);
    text(out, b",\"Source\":\"", view.Source);
    text(out, b",\"Operation\":\"", view.Operation);
    text(out, b",\"Resource\":\"", view.Resource);
    text(out, b",\"Data\":\"", view.Data);
    if !view.EventData.is_empty() {
        write_event_data(view, out);
    }
    text(out, b",\"Enforcer\":\"", view.Enforcer);
    text(out, b",\"Action\":\"", view.Action);
    text(out, b",\"Result\":\"", view.Result);
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
    text(out, b",\"Cwd\":\"", view.Cwd);
    text(out, b",\"TTY\":\"", view.TTY);
    number(out, b",\"MaxAlertsPerSec\":", view.MaxAlertsPerSec.into());
    number(out, b",\"DroppingAlertsInterval\":", view.DroppingAlertsInterval.into());
    if let Some(execution) = view.ExecEvent.as_option() {
        out.extend_from_slice(b",\"ExecEvent\":");
        let start = out.len();
        text(out, b",\"ExecID\":\"", execution.ExecID);
        text(out, b",\"ExecutableName\":\"", execution.ExecutableName);
        close(start, out);
    }
    text(out, b",\"KubeArmorVersion\":\"", view.KubeArmorVersion);
    text(out, b",\"NodeID\":\"", view.NodeID);
    text(out, b",\"ProcessHash\":\"", view.ProcessHash);
    text(out, b",\"ParentHash\":\"", view.ParentHash);
    text(out, b",\"ResourceHash\":\"", view.ResourceHash);
    text(out, b",\"HashAlgo\":\"", view.HashAlgo);
    text(out, b",\"UserName\":\"", view.UserName);
}

/// `name` ends with the value's opening quote. By its length, for then it is copied without a call.
fn text<const LENGTH: usize>(out: &mut Vec<u8>, name: &[u8; LENGTH], value: &str) {
    if !value.is_empty() {
        out.extend_from_slice(name);
        text::write_escaped(value, out);
        out.push(b'"');
    }
}

fn number<const LENGTH: usize>(out: &mut Vec<u8>, name: &[u8; LENGTH], value: i64) {
    if value != 0 {
        out.extend_from_slice(name);
        text::write_int(out, value);
    }
}

#[cfg(test)]
mod tests {
    use buffa::Message as _;
    use proptest::prelude::*;
    use sidearm_proto::{feeder, sidearm};

    use super::*;
    use crate::contract::{Arrival, Kind, from_json};

    fn written(kind: Kind, stream: Stream, message: &[u8], cluster: &str) -> String {
        let arrival = Arrival { stream, sequence: 1, received_us: 1 };
        let mut out = Vec::new();
        let overrides = crate::contract::Overrides::of_cluster(cluster);
        write(&Event::decode(kind, arrival, message, &overrides).expect("an event"), &mut out);
        String::from_utf8(out).expect("JSON is UTF-8")
    }

    #[test]
    fn a_gap_record_is_written_by_the_same_rules() {
        let mut gap = sidearm::Gap {
            FromMicros: 1_772_352_000_000_000,
            ToMicros: 1_772_352_001_500_000,
            Reason: "the relay ended the stream".to_owned(),
            Lost: 0,
        };
        let from_to = r#""From":"2026-03-01T08:00:00.000000Z","To":"2026-03-01T08:00:01.500000Z""#;
        let time = r#"{"Timestamp":1772352001,"UpdatedTime":"2026-03-01T08:00:01.500000Z""#;
        assert_eq!(
            written(Kind::Gap, Stream::Log, &gap.encode_to_vec(), "harbour-eu"),
            format!(
                r#"{time},"ClusterName":"harbour-eu","Type":"SidearmGap","Stream":"log",{from_to},"Reason":"the relay ended the stream"}}"#
            )
        );
        gap.Lost = 12;
        assert_eq!(
            written(Kind::Gap, Stream::Alert, &gap.encode_to_vec(), ""),
            format!(
                r#"{time},"Type":"SidearmGap","Stream":"alert",{from_to},"Reason":"the relay ended the stream","Lost":12}}"#
            )
        );
    }

    #[test]
    fn what_a_digest_tells_stands_at_the_end() {
        let digest = Digest {
            telling: crate::contract::Telling::Repeats,
            events: 998,
            incidents: 1,
            first_us: 1_772_352_001_500_000,
            last_us: 1_772_352_061_500_000,
            pods: vec![("web".to_owned(), 997), ("<b>".to_owned(), 1)],
            processes: Vec::new(),
        };
        let arrival = Arrival { stream: Stream::Message, sequence: 1, received_us: 1 };
        let overrides = crate::contract::Overrides::none();
        let event = Event::decode(Kind::Event, arrival, b"", overrides).expect("an event");
        let mut out = Vec::new();
        write(&event.telling(&digest), &mut out);
        assert_eq!(
            String::from_utf8(out).expect("JSON is UTF-8"),
            concat!(
                r#"{"Digest":{"Telling":"repeats","Events":998,"Incidents":1,"#,
                r#""First":"2026-03-01T08:00:01.500000Z","Last":"2026-03-01T08:01:01.500000Z","#,
                r#""Pods":[{"Name":"web","Events":997},{"Name":"\u003cb\u003e","Events":1}]}}"#,
            )
        );
    }

    #[test]
    fn what_is_empty_is_left_out_but_for_two_numbers() {
        assert_eq!(written(Kind::Event, Stream::Alert, b"", ""), r#"{"PPID":0,"UID":0}"#);
        assert_eq!(written(Kind::Event, Stream::Log, b"", ""), r#"{"PPID":0,"UID":0}"#);
        assert_eq!(written(Kind::Event, Stream::Message, b"", ""), "{}");
        let alert = feeder::Alert {
            Owner: feeder::Podowner::default().into(),
            ExecEvent: feeder::ExecEvent::default().into(),
            ..Default::default()
        };
        assert_eq!(
            written(Kind::Event, Stream::Alert, &alert.encode_to_vec(), ""),
            r#"{"Owner":{},"PPID":0,"UID":0,"ExecEvent":{}}"#
        );
    }

    #[test]
    fn the_configured_cluster_is_the_one_written() {
        let log = feeder::Log { ClusterName: "default".to_owned(), ..Default::default() };
        assert_eq!(
            written(Kind::Event, Stream::Log, &log.encode_to_vec(), "harbour-eu"),
            r#"{"ClusterName":"harbour-eu","PPID":0,"UID":0}"#
        );
    }

    proptest! {
        #[test]
        fn any_event_reads_back_as_it_was(
            texts in prop::collection::vec("(?s).{1,40}", 6),
            data in prop::collection::hash_map("(?s).{0,9}", "(?s).{0,9}", 0..6),
            numbers: (i64, i32, i32),
        ) {
            let alert = feeder::Alert {
                Type: "MatchedPolicy".to_owned(),
                Timestamp: numbers.0,
                PPID: numbers.1,
                MaxAlertsPerSec: numbers.2,
                HostName: texts[0].clone(),
                Source: texts[1].clone(),
                UserName: texts[2].clone(),
                ATags: texts[3..].to_vec(),
                EventData: data.into_iter().collect(),
                Owner: feeder::Podowner { Name: texts[4].clone(), ..Default::default() }.into(),
                ..Default::default()
            };
            let line = written(Kind::Event, Stream::Alert, &alert.encode_to_vec(), "");
            let value: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            prop_assert_eq!(&value["Source"], &serde_json::json!(alert.Source));
            prop_assert_eq!(&value["ATags"], &serde_json::json!(alert.ATags));
            prop_assert_eq!(&value["PPID"], &serde_json::json!(alert.PPID));
            prop_assert!(!line.contains('\n'));

            let (stream, message) = from_json::read(&line).expect("our own JSON");
            prop_assert_eq!(feeder::Alert::decode_from_slice(&message).expect("an alert"), alert);
            prop_assert_eq!(written(Kind::Event, stream, &message, ""), line);
        }
    }
}
