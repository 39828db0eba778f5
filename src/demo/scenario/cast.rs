//! Who takes part: the nodes of one cluster, and the pods that live on them.

use rand::{Rng, RngExt as _, seq::IndexedRandom as _};

use super::deed::Deed;

/// A machine, and what its agent is able to do.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) ip: &'static str,
    /// The Linux security module its agent enforces with.
    pub(super) lsm: &'static str,
    pub(super) version: &'static str,
    /// Agents older than v1.6.4 send no `EventData`.
    pub(super) event_data: bool,
    /// Whether it measures files (`enableIMA`).
    pub(super) hashes: bool,
}

/// A pod, with its one container.
#[derive(Debug)]
pub(super) struct Pod {
    node: usize,
    pub(super) namespace: &'static str,
    pub(super) owner_kind: &'static str,
    pub(super) owner: &'static str,
    pub(super) name: String,
    pub(super) labels: &'static str,
    pub(super) image: &'static str,
    pub(super) container_id: String,
}

/// Everybody.
#[derive(Debug)]
pub(super) struct Cast {
    nodes: Vec<Node>,
    pods: Vec<Pod>,
}

/// Where something happens: in a pod, or on a node itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) node: &'a Node,
    pub(super) pod: Option<&'a Pod>,
}

/// What stands in [`Deed::on`] for the node itself.
pub(super) const HOST: &str = "";

const NODES: [(&str, &str, &str, bool, bool); 3] = [
    ("10.224.0.4", "BPFLSM", "v1.7.4", true, true),
    ("10.224.0.5", "AppArmor", "v1.7.4", true, false),
    ("10.224.0.6", "SELinux", "v1.6.2", false, false),
];

struct Workload {
    namespace: &'static str,
    kind: &'static str,
    name: &'static str,
    labels: &'static str,
    image: &'static str,
}

const WORKLOADS: [Workload; 8] = [
    Workload {
        namespace: "shop",
        kind: "Deployment",
        name: "storefront",
        labels: "app=storefront,tier=web",
        image: "docker.io/library/wordpress:6.8-apache@sha256:6216f64ab88fc51d311e38c7f69ca3f9",
    },
    Workload {
        namespace: "shop",
        kind: "Deployment",
        name: "catalog",
        labels: "app=catalog,tier=backend",
        image: "registry.shop.example/catalog:2.14.1",
    },
    Workload {
        namespace: "shop",
        kind: "StatefulSet",
        name: "mysql",
        labels: "app=mysql,tier=data",
        image: "docker.io/library/mysql:8.4",
    },
    Workload {
        namespace: "payments",
        kind: "Deployment",
        name: "checkout",
        labels: "app=checkout,pci=yes",
        image: "registry.shop.example/checkout:5.0.3",
    },
    Workload {
        namespace: "payments",
        kind: "ReplicaSet",
        name: "ledger",
        labels: "app=ledger,pci=yes",
        image: "registry.shop.example/ledger:1.9.0",
    },
    Workload {
        namespace: "monitoring",
        kind: "DaemonSet",
        name: "node-exporter",
        labels: "app=node-exporter",
        image: "quay.io/prometheus/node-exporter:v1.9.1",
    },
    Workload {
        namespace: "batch",
        kind: "CronJob",
        name: "invoice-mailer",
        labels: "app=invoice-mailer,job=nightly",
        image: "registry.shop.example/invoice-mailer:0.7.2",
    },
    Workload {
        namespace: "batch",
        kind: "Job",
        name: "thumbnailer",
        labels: "app=thumbnailer",
        image: "registry.shop.example/thumbnailer:3.1.0",
    },
];

impl Cast {
    /// Names and ids that could be real ones; each workload has a pod on every node.
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        let pool = hex(rng, 8);
        let nodes = NODES.iter().enumerate().map(|(index, &(ip, lsm, version, data, hashes))| {
            let name = format!("aks-shop-{pool}-vmss{index:06}");
            Node { name, id: hex(rng, 32), ip, lsm, version, event_data: data, hashes }
        });
        let nodes: Vec<Node> = nodes.collect();
        let mut pods = Vec::new();
        for workload in &WORKLOADS {
            for node in 0..nodes.len() {
                pods.push(pod(workload, node, rng));
            }
        }
        Self { nodes, pods }
    }

    /// A place where this can happen: the workload it names, on a node whose agent can enforce it.
    pub(super) fn place(&self, deed: &Deed, rng: &mut impl Rng) -> Place<'_> {
        if deed.on == HOST {
            let able: Vec<&Node> = self.nodes.iter().filter(|node| deed.fits(node)).collect();
            let node = able.choose(rng).expect("each enforcer has a node");
            return Place { node, pod: None };
        }
        let able = |pod: &&Pod| pod.owner == deed.on && deed.fits(&self.nodes[pod.node]);
        let able: Vec<&Pod> = self.pods.iter().filter(able).collect();
        let pod = able.choose(rng).expect("each workload has a pod on every node");
        self.in_pod(pod)
    }

    /// Any pod.
    pub(super) fn anywhere(&self, rng: &mut impl Rng) -> Place<'_> {
        self.in_pod(self.pods.choose(rng).expect("the cast has pods"))
    }

    /// Any node.
    pub(super) fn node(&self, rng: &mut impl Rng) -> &Node {
        self.nodes.choose(rng).expect("the cast has nodes")
    }

    fn in_pod<'a>(&'a self, pod: &'a Pod) -> Place<'a> {
        Place { node: &self.nodes[pod.node], pod: Some(pod) }
    }
}

fn pod(workload: &Workload, node: usize, rng: &mut impl Rng) -> Pod {
    let name = match workload.kind {
        "StatefulSet" => format!("{}-{node}", workload.name),
        "Deployment" => format!("{}-{}-{}", workload.name, hex(rng, 10), hex(rng, 5)),
        _ => format!("{}-{}", workload.name, hex(rng, 5)),
    };
    Pod {
        node,
        namespace: workload.namespace,
        owner_kind: workload.kind,
        owner: workload.name,
        name,
        labels: workload.labels,
        image: workload.image,
        container_id: hex(rng, 64),
    }
}

/// So many hexadecimal digits.
pub(super) fn hex(rng: &mut impl Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from(b"0123456789abcdef"[rng.random_range(0..16)])).collect()
}
