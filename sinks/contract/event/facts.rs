//! What an event means beyond its fields' letters.

use super::{Event, moment::read_moment, view};

/// The workload a pod belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// `Deployment`, `StatefulSet`, `Pod`, ...
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
}

impl Event<'_> {
    /// When it happened, in microseconds since 1970: `UpdatedTime`, else `Timestamp`, else when it
    /// was received.
    pub fn time_us(&self) -> i64 {
        const MICROS_PER_SECOND: i64 = 1_000_000;
        if let Some(gap) = self.gap() {
            return gap.to_us;
        }
        if let Some(moment) = read_moment(self.view.UpdatedTime) {
            return moment;
        }
        if let Ok(moment) = self.view.UpdatedTime.parse::<jiff::Timestamp>() {
            return moment.as_microsecond();
        }
        match self.view.Timestamp {
            0 => i64::try_from(self.received_us()).unwrap_or(i64::MAX),
            seconds => seconds.saturating_mul(MICROS_PER_SECOND),
        }
    }

    /// When it happened, as RFC 3339 in UTC with microseconds; never before 1970.
    pub fn time(&self) -> String {
        view::rfc3339(self.time_us().max(0))
    }

    /// The day it happened on, in UTC, as `2026-09-20`; the same on every retry and restart.
    pub fn day(&self) -> String {
        let moment = jiff::Timestamp::from_microsecond(self.time_us().max(0));
        let moment = moment.unwrap_or(jiff::Timestamp::MAX);
        moment.strftime("%Y-%m-%d").to_string()
    }

    /// `Severity` as a number from 1 to 10, 10 the gravest. Nothing where the policy gives none,
    /// as with `DefaultPosture`.
    pub fn severity(&self) -> Option<u8> {
        let severity = self.view.Severity.trim().parse().ok()?;
        (1..=10).contains(&severity).then_some(severity)
    }

    /// Whether KubeArmor stopped it. `Audit (Block)` is what a policy *would* have stopped.
    pub fn blocked(&self) -> bool {
        self.view.Action == "Block"
    }

    /// Whether it says that the agent now drops alerts of a container, uncounted, for some time.
    pub fn is_throttle_notice(&self) -> bool {
        self.view.Operation == "AlertThreshold"
    }

    /// Whether `Resource` is the command line of a new process and `Source` its parent's. Presets
    /// look at a process that runs already.
    pub fn starts_program(&self) -> bool {
        self.view.Operation == "Process" && !self.view.Enforcer.starts_with("PRESET")
    }

    /// The command line of the process that it is about.
    pub fn command(&self) -> &str {
        if self.starts_program() { self.view.Resource } else { self.view.Source }
    }

    /// The command line of that process' parent; empty where it is not told.
    pub fn parent_command(&self) -> &str {
        if self.starts_program() { self.view.Source } else { "" }
    }

    /// The policy's tags: `ATags`, or `Tags` cut at commas where an agent sends that alone.
    pub fn tags(&self) -> Vec<&str> {
        if self.view.ATags.is_empty() {
            let tags = self.view.Tags.split(',').map(str::trim);
            return tags.filter(|tag| !tag.is_empty()).collect();
        }
        self.view.ATags.iter().copied().filter(|tag| !tag.is_empty()).collect()
    }

    /// The MITRE ATT&CK techniques its tags name (`T1036`, `T1552.001`), each once.
    pub fn mitre(&self) -> Vec<&str> {
        let mut techniques = Vec::new();
        for technique in self.tags().into_iter().filter_map(technique) {
            if !techniques.contains(&technique) {
                techniques.push(technique);
            }
        }
        techniques
    }

    /// The pod's labels, in the agent's (random) order.
    pub fn labels(&self) -> Vec<(&str, &str)> {
        let pairs = self.view.Labels.split(',').map(str::trim).filter(|pair| !pair.is_empty());
        pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).collect()
    }

    /// What the pod belongs to, if the agent knew.
    pub fn owner(&self) -> Option<Owner<'_>> {
        let owner = self.view.Owner.as_option()?;
        let owner = Owner { kind: owner.Ref, name: owner.Name, namespace: owner.Namespace };
        (!owner.name.is_empty()).then_some(owner)
    }

    /// The name of what it happened in, the steadiest that is known: owner, pod, container, host.
    pub fn workload(&self) -> &str {
        let owner = self.owner().map_or("", |owner| owner.name);
        let names = [owner, self.view.PodName, self.view.ContainerName, self.view.HostName];
        names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    }

    /// The system call (`SYS_EXECVE`); empty where the event was seen elsewhere in the kernel.
    pub fn syscall(&self) -> &str {
        self.datum("Syscall").unwrap_or_default()
    }
}

/// The technique a tag names: `MITRE_T1036_masquerading` names `T1036`.
fn technique(tag: &str) -> Option<&str> {
    const MARK: &str = "MITRE_T";
    let id = &tag[tag.find(MARK)? + MARK.len() - 1..];
    let digits = |from: usize, count: usize| {
        id.get(from..from + count).is_some_and(|part| part.bytes().all(|b| b.is_ascii_digit()))
    };
    match (digits(1, 4), id.get(5..6) == Some(".") && digits(6, 3)) {
        (true, true) => Some(&id[..9]),
        (true, false) => Some(&id[..5]),
        (false, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::samples::with_sample;

    #[test]
    fn only_a_block_is_a_block() {
        assert!(with_sample("alert-process-block", |event| event.blocked()));
        assert!(!with_sample("alert-process-audit-block", |event| event.blocked()));
        assert!(!with_sample("log-syscall", |event| event.blocked()));
    }

    #[test]
    fn severity_is_a_number_or_nothing() {
        assert_eq!(with_sample("alert-dns-block", |event| event.severity()), Some(10));
        assert_eq!(with_sample("alert-default-posture", |event| event.severity()), None);
        for (text, number) in
            [("0", None), ("11", None), ("-1", None), ("high", None), (" 7 ", Some(7))]
        {
            let alert =
                sidearm_proto::feeder::Alert { Severity: text.to_owned(), ..Default::default() };
            assert_eq!(seen(&alert, |event| event.severity()), number, "{text}");
        }
    }

    #[test]
    fn tags_come_from_either_field_and_name_techniques() {
        with_sample("alert-old-agent", |event| {
            assert_eq!(event.tags(), ["MITRE", "MITRE_T1611_escape_to_host"]);
            assert_eq!(event.mitre(), ["T1611"]);
        });
        with_sample("alert-process-audit-block", |event| {
            assert_eq!(event.mitre(), ["T1059.004", "T1190"]);
        });
        for (tag, found) in [
            ("MITRE_T1036", Some("T1036")),
            ("x_MITRE_T1036.00_y", Some("T1036")),
            ("MITRE_T103", None),
            ("MITRE_Tä036", None),
            ("T1036", None),
        ] {
            assert_eq!(technique(tag), found, "{tag}");
        }
    }

    #[test]
    fn a_workload_is_named_by_the_steadiest_name_known() {
        assert_eq!(with_sample("log-dns", |event| event.workload().to_owned()), "checkout");
        assert_eq!(
            with_sample("alert-old-agent", |event| event.workload().to_owned()),
            "batch-import"
        );
        assert_eq!(with_sample("log-host", |event| event.workload().to_owned()), "pool-blue-7f4c");
        let expected = Owner { kind: "StatefulSet", name: "cart", namespace: "shop" };
        with_sample("log-syscall", |event| assert_eq!(event.owner(), Some(expected)));
    }

    #[test]
    fn labels_are_pairs() {
        with_sample("log-dns", |event| {
            assert_eq!(event.labels(), [("app", "checkout"), ("tier", "backend")]);
        });
    }

    #[test]
    fn the_time_is_the_finest_known() {
        assert_eq!(
            with_sample("alert-process-block", |event| event.time_us()),
            1_772_442_850_523_092
        );
        let mut alert =
            sidearm_proto::feeder::Alert { Timestamp: 1_772_442_850, ..Default::default() };
        alert.UpdatedTime = "yesterday".to_owned();
        assert_eq!(seen(&alert, |event| event.time_us()), 1_772_442_850_000_000);
        alert.Timestamp = 0;
        assert_eq!(seen(&alert, |event| event.time_us()), 77);
    }

    fn seen<T>(alert: &sidearm_proto::feeder::Alert, test: impl FnOnce(&Event<'_>) -> T) -> T {
        use crate::contract::{Arrival, Kind, Overrides, Stream};
        let bytes = buffa::Message::encode_to_vec(alert);
        let arrival = Arrival { stream: Stream::Alert, sequence: 1, received_us: 77 };
        test(&Event::decode(Kind::Event, arrival, &bytes, Overrides::none()).expect("an alert"))
    }
}
