//! What an event means beyond its fields' letters.

use super::Event;

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
        if let Ok(moment) = self.view.UpdatedTime.parse::<jiff::Timestamp>() {
            return moment.as_microsecond();
        }
        match self.view.Timestamp {
            0 => i64::try_from(self.received_us()).unwrap_or(i64::MAX),
            seconds => seconds.saturating_mul(MICROS_PER_SECOND),
        }
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
