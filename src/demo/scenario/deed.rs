//! Something a process did, and what KubeArmor had to say of it: one row of the story's tables.

use rand::{Rng, RngExt as _};

use super::{
    cast::{Node, Place, hex},
    line::Line,
};

/// One row. `{hex}`, `{n}` and `{ip}` in its texts are drawn anew each time it is told.
#[derive(Debug, Clone)]
pub(super) struct Deed {
    /// The workload it happens in, or [`HOST`](super::cast::HOST).
    pub(super) on: &'static str,
    pub(super) operation: &'static str,
    pub(super) parent: &'static str,
    pub(super) process: &'static str,
    pub(super) source: &'static str,
    pub(super) resource: &'static str,
    pub(super) data: &'static str,
    pub(super) result: &'static str,
    /// The name of the program, as `ExecEvent` has it.
    pub(super) program: &'static str,
    pub(super) tty: &'static str,
    pub(super) uid: i32,
    /// What a policy said; none makes it a log.
    pub(super) finding: Option<Finding>,
    /// The `Data` of the log that tells of the same deed: a node that enforces with BPF reports
    /// what it blocked twice, and some system calls are reported twice everywhere.
    pub(super) twin: Option<&'static str>,
    /// How often in a round.
    pub(super) times: usize,
}

/// What a policy said.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) kind: &'static str,
    pub(super) policy: &'static str,
    pub(super) severity: &'static str,
    pub(super) tags: &'static str,
    pub(super) message: &'static str,
    pub(super) action: &'static str,
    pub(super) enforcer: &'static str,
}

/// A log of nothing, for a row to start from.
pub(super) const LOG: Deed = Deed {
    on: super::cast::HOST,
    operation: "",
    parent: "",
    process: "",
    source: "",
    resource: "",
    data: "",
    result: "Passed",
    program: "",
    tty: "",
    uid: 0,
    finding: None,
    twin: None,
    times: 1,
};

impl Deed {
    /// Whether this node's agent can enforce it.
    pub(super) fn fits(&self, node: &Node) -> bool {
        match self.finding.as_ref().map(|finding| finding.enforcer) {
            Some(lsm @ ("BPFLSM" | "AppArmor" | "SELinux")) => node.lsm == lsm,
            // Presets are programs of the BPF enforcer.
            Some(preset) if preset.starts_with("PRESET-") => node.lsm == "BPFLSM",
            _ => true,
        }
    }

    /// The event, and its twin where it has one.
    pub(super) fn lines(&self, place: &Place<'_>, rng: &mut impl Rng) -> Vec<Line> {
        let told = self.drawn(rng);
        let twin = self.twin.map(|data| {
            // A deed reported twice as a log is the same but for the operation.
            let operation = if self.finding.is_some() { told.operation } else { "Syscall" };
            Drawn { data: data.to_owned(), finding: None, operation, ..told.clone() }
        });
        [Some(told), twin].into_iter().flatten().map(|told| Line::new(&told, place)).collect()
    }

    fn drawn(&self, rng: &mut impl Rng) -> Drawn {
        let parent_id = rng.random_range(1_000..400_000);
        let (token, number) = (hex(rng, 24), rng.random_range(1_000..60_000).to_string());
        let mut fill = |text| fill(text, &token, &number, rng);
        Drawn {
            operation: self.operation,
            parent: self.parent,
            process: fill(self.process),
            source: fill(self.source),
            resource: fill(self.resource),
            data: fill(self.data),
            result: self.result,
            program: self.program,
            tty: self.tty,
            uid: self.uid,
            finding: self.finding.clone(),
            host_ppid: parent_id,
            host_pid: parent_id + rng.random_range(1..900),
            ppid: rng.random_range(0..120),
            pid: rng.random_range(120..9_000),
            hash: hex(rng, 64),
        }
    }
}

/// A row with its chances drawn.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    pub(super) operation: &'static str,
    pub(super) parent: &'static str,
    pub(super) process: String,
    pub(super) source: String,
    pub(super) resource: String,
    pub(super) data: String,
    pub(super) result: &'static str,
    pub(super) program: &'static str,
    pub(super) tty: &'static str,
    pub(super) uid: i32,
    pub(super) finding: Option<Finding>,
    pub(super) host_ppid: i32,
    pub(super) host_pid: i32,
    pub(super) ppid: i32,
    pub(super) pid: i32,
    pub(super) hash: String,
}

impl Drawn {
    /// `EventData` as agents make it: `Data`, and for the network `Resource`, split at blanks into
    /// `Key=value` with a large first letter. Sorted, so that the same story has the same bytes.
    pub(super) fn event_data(&self) -> Vec<(String, String)> {
        let resource = if self.operation == "Network" { self.resource.as_str() } else { "" };
        let words = self.data.split_whitespace().chain(resource.split_whitespace());
        let pairs = words.filter_map(|word| word.split_once('='));
        let named = pairs.map(|(key, value)| {
            let (first, rest) = key.split_at(key.chars().next().map_or(0, char::len_utf8));
            (first.to_uppercase() + rest, value.to_owned())
        });
        // Of a key that stands twice the latter holds.
        named.collect::<std::collections::BTreeMap<_, _>>().into_iter().collect()
    }
}

/// What stands in a text for `{hex}` and `{n}`: the same throughout a deed. Each `{ip}` is another.
fn fill(text: &str, hex: &str, number: &str, rng: &mut impl Rng) -> String {
    let mut filled = text.replace("{hex}", hex).replace("{n}", number);
    while let Some(at) = filled.find("{ip}") {
        let ip = format!("10.244.{}.{}", rng.random_range(0..3), rng.random_range(2..250));
        filled.replace_range(at..at + 4, &ip);
    }
    filled
}
