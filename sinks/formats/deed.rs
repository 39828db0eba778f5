//! What an event tells of, by what it did rather than by who saw it: what every schema sorts by.

use crate::contract::{Event, Stream};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// A program was to be run.
    Process,
    /// A file was to be touched.
    File(FileDeed),
    /// A connection, or a socket of one.
    Network(NetworkDeed),
    /// A name was asked for.
    Dns,
    /// A system call, as a policy of system calls or a trace of them saw it.
    Syscall,
    /// A capability was asked for.
    Capability,
    /// A device was plugged in.
    Device,
    /// A packet met a firewall's rule.
    Firewall,
    /// An agent now drops alerts of a container.
    Throttle,
    /// An agent speaks of itself.
    Message,
    /// Sidearm may have missed events.
    Gap,
    /// An operation of a newer KubeArmor.
    Other,
}

/// What was done to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileDeed {
    Open,
    Create,
    Update,
    Delete,
    Rename,
    /// Its mode or owner.
    SetSecurity,
    Mount,
    Unmount,
}

/// What was done with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NetworkDeed {
    Connect,
    Accept,
    Listen,
    /// A socket was made, bound or written to.
    Socket,
}

impl Deed {
    pub(super) fn of(event: &Event<'_>, call: Call<'_>) -> Self {
        match event.operation() {
            _ if event.is_gap() => Self::Gap,
            _ if event.stream() == Stream::Message => Self::Message,
            "Process" => Self::Process,
            "File" => Self::File(call.file().unwrap_or(FileDeed::Open)),
            "Network" if !event.dns_name().is_empty() => Self::Dns,
            "Network" => Self::Network(call.network()),
            "Syscall" => Self::Syscall,
            "Capabilities" => Self::Capability,
            "Device" => Self::Device,
            "NetworkFirewall" => Self::Firewall,
            "AlertThreshold" => Self::Throttle,
            _ => Self::Other,
        }
    }
}

/// Whether `Resource` is a file's path.
pub(super) fn has_file(event: &Event<'_>) -> bool {
    let is_plain = event.stream() != Stream::Message && !event.is_gap();
    match event.operation() {
        "File" => is_plain,
        "Syscall" => is_plain && event.resource().starts_with('/'),
        _ => false,
    }
}

/// The call in the kernel that was seen, by whatever saw it; without `SYS_`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Call<'e> {
    pub(super) name: &'e str,
    flags: &'e str,
}

impl<'e> Call<'e> {
    /// By the details of an event, as [`Event::event_data`] has them.
    pub(super) fn of(details: &[(&'e str, &'e str)]) -> Self {
        let seen = ["Syscall", "Kprobe", "Kfunc", "Lsm"].into_iter();
        let name = seen.map(|key| detail(details, key)).find(|name| !name.is_empty());
        let name = name.unwrap_or_default();
        let name = name.strip_prefix("SYS_").unwrap_or(name);
        Self { name, flags: detail(details, "Flags") }
    }

    /// What it does to a file; nothing for calls that are of something else.
    pub(super) fn file(self) -> Option<FileDeed> {
        let name = self.name;
        let is = |part: &str| name.contains(part);
        Some(match () {
            () if is("OPEN") && self.flags.contains("O_CREAT") => FileDeed::Create,
            () if is("OPEN") || is("PERMISSION") => FileDeed::Open,
            () if is("UNLINK") || is("RMDIR") => FileDeed::Delete,
            () if is("RENAME") => FileDeed::Rename,
            () if is("CHMOD") || is("CHOWN") => FileDeed::SetSecurity,
            () if is("TRUNCATE") || is("WRITE") => FileDeed::Update,
            () if is("MKNOD") || is("MKDIR") || is("LINK") || is("CREAT") => FileDeed::Create,
            () if is("UMOUNT") => FileDeed::Unmount,
            () if is("MOUNT") => FileDeed::Mount,
            () => return None,
        })
    }

    fn network(self) -> NetworkDeed {
        let ends = |end: &str| {
            let name = self.name.trim_end_matches('4');
            let from = name.len().saturating_sub(end.len());
            name.as_bytes()[from..].eq_ignore_ascii_case(end.as_bytes())
        };
        match () {
            () if ends("connect") => NetworkDeed::Connect,
            () if ends("accept") => NetworkDeed::Accept,
            () if ends("listen") => NetworkDeed::Listen,
            () => NetworkDeed::Socket,
        }
    }
}

/// A detail of [`Event::event_data`]; empty where there is none.
pub(super) fn detail<'e>(details: &[(&'e str, &'e str)], key: &str) -> &'e str {
    details.iter().find(|(found, _)| *found == key).map_or("", |(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formats::testing::with_every_sample;

    #[test]
    fn every_sample_is_told_for_what_it_is() {
        let mut told = Vec::new();
        with_every_sample(|name, event| {
            told.push(format!("{name}: {:?}", Deed::of(event, Call::of(&event.event_data()))));
        });
        let expected = [
            "alert-capabilities-block: Capability",
            "alert-default-posture: File(Open)",
            "alert-device-block: Device",
            "alert-dns-block: Dns",
            "alert-file-audit: File(Open)",
            "alert-file-block: File(Delete)",
            "alert-host-default-posture: Syscall",
            "alert-host-policy-block: File(Open)",
            "alert-nasty-text: Process",
            "alert-network-audit: Network(Connect)",
            "alert-network-block: Network(Socket)",
            "alert-network-firewall: Firewall",
            "alert-old-agent: Syscall",
            "alert-preset-fileless: Process",
            "alert-process-audit-block: Process",
            "alert-process-block: Process",
            "alert-sparse: Process",
            "alert-syscall-audit: Syscall",
            "alert-throttle-notice: Throttle",
            "alert-throttle-notice-rewritten: Throttle",
            "log-dns: Dns",
            "log-dns-commas: Dns",
            "log-file-failed: File(Open)",
            "log-host: Network(Connect)",
            "log-network-accept: Network(Accept)",
            "log-network-connect: Network(Connect)",
            "log-process: Process",
            "log-syscall: Syscall",
            "message: Message",
            "gap: Gap",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn calls_are_of_files_or_not() {
        for (name, flags, deed) in [
            ("OPENAT", "O_RDONLY", Some(FileDeed::Open)),
            ("OPENAT", "O_WRONLY|O_CREAT", Some(FileDeed::Create)),
            ("FILE_PERMISSION", "", Some(FileDeed::Open)),
            ("FILE_UNLINK", "", Some(FileDeed::Delete)),
            ("FILE_SYMLINK", "", Some(FileDeed::Create)),
            ("FCHOWNAT", "", Some(FileDeed::SetSecurity)),
            ("UMOUNT2", "", Some(FileDeed::Unmount)),
            ("MOUNT", "", Some(FileDeed::Mount)),
            ("FILE_TRUNCATE", "", Some(FileDeed::Update)),
            ("PTRACE", "", None),
            ("", "", None),
        ] {
            assert_eq!(Call { name, flags }.file(), deed, "{name}");
        }
        for (name, deed) in [
            ("ACCEPT4", NetworkDeed::Accept),
            ("tcp_connect", NetworkDeed::Connect),
            ("SOCKET_CONNECT", NetworkDeed::Connect),
            ("LISTEN", NetworkDeed::Listen),
            ("é", NetworkDeed::Socket),
        ] {
            assert_eq!(Call { name, flags: "" }.network(), deed, "{name}");
        }
    }
}
