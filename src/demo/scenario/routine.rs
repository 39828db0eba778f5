//! Ordinary life: what the pods and nodes of the cluster do all day, as logs, and now and then a
//! word of an agent about itself.

use rand::{Rng, RngExt as _, seq::IndexedRandom as _};

use super::{
    cast::{Cast, HOST, Place},
    deed::{Deed, LOG},
    line::Line,
};

/// What stands in [`Deed::on`] where any pod will do.
const ANY_POD: &str = "*";
/// One in so many ordinary events is a word of an agent.
const MESSAGE_ONE_IN: u32 = 200;

const IN_POD: Deed = Deed {
    on: ANY_POD,
    operation: "File",
    parent: "/usr/bin/containerd-shim-runc-v2",
    process: "/app/server",
    source: "/app/server --config /etc/app/config.yaml",
    program: "server",
    uid: 1001,
    ..LOG
};

const ON_NODE: Deed = Deed { on: HOST, parent: "/usr/lib/systemd/systemd", uid: 0, ..IN_POD };

/// Each as likely as the next; what happens often stands often.
const DEEDS: &[Deed] = &[
    Deed {
        resource: "/etc/app/config.yaml",
        data: "syscall=SYS_OPENAT fd=-100 flags=O_RDONLY|O_CLOEXEC",
        ..IN_POD
    },
    Deed {
        resource: "/var/cache/app/{hex}",
        data: "syscall=SYS_OPENAT fd=-100 flags=O_WRONLY|O_CREAT|O_TRUNC",
        ..IN_POD
    },
    Deed {
        resource: "/etc/app/override.yaml",
        data: "syscall=SYS_OPENAT fd=-100 flags=O_RDONLY",
        result: "No such file or directory",
        ..IN_POD
    },
    Deed {
        resource: "/var/cache/app/{hex}",
        data: "syscall=SYS_UNLINKAT flags=",
        twin: Some("syscall=SYS_UNLINKAT flags="),
        ..IN_POD
    },
    Deed {
        resource: "/var/lib/app/spool",
        data: "syscall=SYS_CHOWN userid=1001 group=1001 mode=0",
        result: "Operation not permitted",
        ..IN_POD
    },
    Deed {
        operation: "Process",
        parent: "/app/server",
        process: "/usr/bin/convert",
        source: "/app/server",
        resource: "/usr/bin/convert -resize 200x200 /tmp/{hex}.png /tmp/{n}.webp",
        data: "syscall=SYS_EXECVE",
        program: "server",
        ..IN_POD
    },
    Deed {
        operation: "Process",
        process: "/bin/sh",
        source: "/usr/bin/containerd-shim-runc-v2",
        resource: "/bin/sh -c wget -qO- http://localhost:8080/healthz <&- >/dev/null",
        data: "syscall=SYS_EXECVE",
        program: "containerd-shim",
        ..IN_POD
    },
    Deed {
        operation: "Process",
        resource: "/proc/self/exe --worker",
        data: "syscall=SYS_EXECVEAT fd=-100 flag=0",
        ..IN_POD
    },
    Deed {
        operation: "Network",
        resource: "domain=AF_INET type=SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC protocol=TCP",
        data: "syscall=SYS_SOCKET",
        ..IN_POD
    },
    Deed {
        operation: "Network",
        resource: "sa_family=AF_INET sin_port=5432 sin_addr={ip}",
        data: "syscall=SYS_CONNECT fd=10",
        result: "Operation now in progress",
        ..IN_POD
    },
    Deed {
        operation: "Network",
        resource: "sa_family=AF_UNIX sun_path=/run/app.sock",
        data: "syscall=SYS_BIND fd=7",
        ..IN_POD
    },
    Deed { operation: "Network", resource: "", data: "syscall=SYS_LISTEN fd=7", ..IN_POD },
    Deed {
        operation: "Network",
        resource: "sin_addr={ip} sa_family=AF_INET sin_port={n}",
        data: "syscall=SYS_ACCEPT fd=7",
        ..IN_POD
    },
    Deed {
        operation: "Network",
        resource: "remoteip={ip} port=8443 protocol=TCP remotehost=svc/payments/checkout",
        data: "kprobe=tcp_connect domain=AF_INET",
        ..IN_POD
    },
    Deed {
        operation: "Network",
        resource: "remoteip={ip} port={n} protocol=TCP remotehost=pod/shop/catalog-5d9c7b6f4d-x2x7q",
        data: "kprobe=tcp_accept domain=AF_INET",
        ..IN_POD
    },
    Deed {
        operation: "Network",
        resource: "sa_family=AF_INET sin_port=53",
        data: "kfunc=UDP_SENDSKB domain=checkout.payments.svc.cluster.local daddr=10.0.0.10 qtype=A",
        ..IN_POD
    },
    // Agents before the blanks put commas there, and split them wrongly themselves.
    Deed {
        operation: "Network",
        resource: "sa_family=AF_INET sin_port=53",
        data: "kfunc=UDP_SENDMSG,domain=mail.shop.example,daddr=10.0.0.10,qtype=AAAA",
        ..IN_POD
    },
    Deed { operation: "Syscall", data: "syscall=SYS_SETUID userid=1001", ..IN_POD },
    Deed {
        on: "mysql",
        process: "/usr/sbin/mysqld",
        source: "/usr/sbin/mysqld --datadir=/var/lib/mysql",
        resource: "/var/lib/mysql/shop/orders.ibd",
        data: "syscall=SYS_OPENAT fd=-100 flags=O_RDWR|O_CLOEXEC",
        program: "mysqld",
        uid: 999,
        ..IN_POD
    },
    Deed {
        on: "node-exporter",
        process: "/bin/node_exporter",
        source: "/bin/node_exporter --path.rootfs=/host",
        resource: "/host/proc/{n}/stat",
        data: "syscall=SYS_OPENAT fd=-100 flags=O_RDONLY|O_CLOEXEC",
        program: "node_exporter",
        uid: 65534,
        ..IN_POD
    },
    Deed {
        on: "invoice-mailer",
        operation: "Process",
        parent: "/bin/sh",
        process: "/usr/sbin/sendmail",
        source: "/bin/sh /app/send.sh",
        resource: "/usr/sbin/sendmail -t -i",
        data: "syscall=SYS_EXECVE",
        program: "sh",
        ..IN_POD
    },
    Deed {
        operation: "Process",
        process: "/usr/bin/kubelet",
        source: "/usr/lib/systemd/systemd",
        resource: "/usr/bin/kubelet --config=/etc/kubernetes/kubelet.yaml",
        data: "syscall=SYS_EXECVE",
        program: "systemd",
        ..ON_NODE
    },
    Deed {
        operation: "Syscall",
        process: "/usr/bin/mount",
        source: "/usr/bin/mount",
        data: "syscall=SYS_MOUNT source=tmpfs target=/var/lib/kubelet/pods/{hex} filesystem=tmpfs mountflag=0 data=",
        program: "mount",
        ..ON_NODE
    },
    Deed {
        operation: "Syscall",
        process: "/usr/bin/umount",
        source: "/usr/bin/umount",
        data: "syscall=SYS_UMOUNT target=/var/lib/kubelet/pods/{hex} flag=0",
        program: "umount",
        ..ON_NODE
    },
    Deed {
        operation: "File",
        process: "/usr/bin/ls",
        parent: "/usr/bin/bash",
        source: "/usr/bin/ls /var/log/pods",
        resource: "/var/log/pods",
        data: "syscall=SYS_OPENAT fd=-100 flags=O_RDONLY|O_DIRECTORY",
        program: "ls",
        tty: "pts1",
        uid: 1000,
        ..ON_NODE
    },
];

/// Agents that send messages at all (`debug=true`) begin with these.
const GREETINGS: [(&str, &str); 2] =
    [("INFO", "Initialized KubeArmor Logger"), ("INFO", "Started to monitor system events")];

const MESSAGES: [(&str, &str); 4] = [
    ("DEBUG", "Detected a container (added/storefront)"),
    ("INFO", "Detected a Security Policy (added/shop/shop-block-crypto-miners)"),
    ("WARN", "Error while getting the parent process of a short-lived process"),
    ("ERROR", "Failed to update a security policy, retrying"),
];

/// What the agents say as the story begins.
pub(super) fn greetings(cast: &Cast, rng: &mut impl Rng) -> Vec<Line> {
    GREETINGS.map(|(level, text)| Line::message(cast.node(rng), level, text)).into()
}

/// Something ordinary; a deed that is reported twice brings its twin along.
pub(super) fn lines(cast: &Cast, rng: &mut impl Rng) -> Vec<Line> {
    if rng.random_ratio(1, MESSAGE_ONE_IN) {
        let (level, text) = MESSAGES.choose(rng).expect("agents have words");
        return vec![Line::message(cast.node(rng), level, text)];
    }
    let deed = DEEDS.choose(rng).expect("there is an ordinary life");
    deed.lines(&place(deed, cast, rng), rng)
}

fn place<'a>(deed: &Deed, cast: &'a Cast, rng: &mut impl Rng) -> Place<'a> {
    if deed.on == ANY_POD { cast.anywhere(rng) } else { cast.place(deed, rng) }
}
