//! An alert as prost would generate it: what the yardstick decodes.

use std::collections::HashMap;

/// Asks for a stream.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RequestMessage {
    #[prost(string, tag = "1")]
    pub(crate) filter: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Podowner {
    #[prost(string, tag = "1")]
    pub(crate) reference: String,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(string, tag = "3")]
    pub(crate) namespace: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ExecEvent {
    #[prost(string, tag = "1")]
    pub(crate) exec_id: String,
    #[prost(string, tag = "2")]
    pub(crate) executable_name: String,
}

/// Every field of `feeder.Alert`.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Alert {
    #[prost(int64, tag = "1")]
    pub(crate) timestamp: i64,
    #[prost(string, tag = "2")]
    pub(crate) updated_time: String,
    #[prost(string, tag = "3")]
    pub(crate) cluster_name: String,
    #[prost(string, tag = "4")]
    pub(crate) host_name: String,
    #[prost(string, tag = "5")]
    pub(crate) namespace_name: String,
    #[prost(string, tag = "6")]
    pub(crate) pod_name: String,
    #[prost(string, tag = "7")]
    pub(crate) container_id: String,
    #[prost(string, tag = "8")]
    pub(crate) container_name: String,
    #[prost(int32, tag = "9")]
    pub(crate) host_pid: i32,
    #[prost(int32, tag = "10")]
    pub(crate) ppid: i32,
    #[prost(int32, tag = "11")]
    pub(crate) pid: i32,
    #[prost(int32, tag = "12")]
    pub(crate) uid: i32,
    #[prost(string, tag = "13")]
    pub(crate) policy_name: String,
    #[prost(string, tag = "14")]
    pub(crate) severity: String,
    #[prost(string, tag = "15")]
    pub(crate) tags: String,
    #[prost(string, tag = "16")]
    pub(crate) message: String,
    #[prost(string, tag = "17")]
    pub(crate) kind: String,
    #[prost(string, tag = "18")]
    pub(crate) source: String,
    #[prost(string, tag = "19")]
    pub(crate) operation: String,
    #[prost(string, tag = "20")]
    pub(crate) resource: String,
    #[prost(string, tag = "21")]
    pub(crate) data: String,
    #[prost(string, tag = "22")]
    pub(crate) action: String,
    #[prost(string, tag = "23")]
    pub(crate) result: String,
    #[prost(string, tag = "24")]
    pub(crate) container_image: String,
    #[prost(string, tag = "25")]
    pub(crate) parent_process_name: String,
    #[prost(string, tag = "26")]
    pub(crate) process_name: String,
    #[prost(int32, tag = "27")]
    pub(crate) host_ppid: i32,
    #[prost(string, tag = "28")]
    pub(crate) enforcer: String,
    #[prost(string, tag = "29")]
    pub(crate) labels: String,
    #[prost(string, repeated, tag = "30")]
    pub(crate) a_tags: Vec<String>,
    #[prost(message, optional, tag = "31")]
    pub(crate) owner: Option<Podowner>,
    #[prost(string, tag = "32")]
    pub(crate) cwd: String,
    #[prost(string, tag = "33")]
    pub(crate) tty: String,
    #[prost(int32, tag = "34")]
    pub(crate) max_alerts_per_sec: i32,
    #[prost(int32, tag = "35")]
    pub(crate) dropping_alerts_interval: i32,
    #[prost(message, optional, tag = "36")]
    pub(crate) exec_event: Option<ExecEvent>,
    #[prost(string, tag = "37")]
    pub(crate) kubearmor_version: String,
    #[prost(string, tag = "38")]
    pub(crate) node_id: String,
    #[prost(string, tag = "39")]
    pub(crate) process_hash: String,
    #[prost(string, tag = "40")]
    pub(crate) parent_hash: String,
    #[prost(string, tag = "41")]
    pub(crate) resource_hash: String,
    #[prost(string, tag = "42")]
    pub(crate) hash_algo: String,
    #[prost(map = "string, string", tag = "43")]
    pub(crate) event_data: HashMap<String, String>,
    #[prost(string, tag = "44")]
    pub(crate) user_name: String,
}
