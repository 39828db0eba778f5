//! The Sysdig agent's `k8s_audit` endpoint: one Kubernetes audit event a request, any 2xx is yes.
//!
//! By <https://github.com/sysdiglabs/aks-audit-log> (one event a POST, no credentials), by
//! `audit.k8s.io/v1` of <https://kubernetes.io/docs/reference/config-api/apiserver-audit.v1/> for
//! what an event is, and by the web server of <https://github.com/falcosecurity/falco> 0.31, which
//! is of the same house, for the answers.

use std::net::IpAddr;

use http::{Method, Request, Response, header};
use serde_json::Value;

/// What it answers to an event, with status 200.
const OK: &str = "<html><body>Ok</body></html>";

/// One agent.
#[derive(Default)]
pub(crate) struct Agent {
    /// An event that holds this text is refused.
    pub(crate) poison: Option<String>,
    /// The annotation `kubearmor.io/event_id` of every event taken, in order.
    pub(crate) taken: Vec<String>,
}

impl Agent {
    /// What the agent says to a request.
    pub(crate) fn answer(&mut self, request: &Request<Vec<u8>>) -> Response<String> {
        if request.uri().path() != "/k8s_audit" {
            return response(404, "Not found");
        }
        if request.method() != Method::POST {
            return response(405, "Method not allowed");
        }
        if request.headers().get(header::CONTENT_TYPE).is_none_or(|it| it != "application/json") {
            return response(400, "Wrong Content Type");
        }
        let Ok(event) = serde_json::from_slice::<Value>(request.body()) else {
            return response(400, "Malformed JSON");
        };
        let text = String::from_utf8_lossy(request.body());
        let is_poison = self.poison.as_ref().is_some_and(|poison| text.contains(poison));
        if is_poison || !is_audit_event(&event) {
            return response(400, "Data not recognized as a k8s audit event");
        }
        let id = event["annotations"]["kubearmor.io/event_id"].as_str().unwrap_or_default();
        self.taken.push(id.to_owned());
        response(200, OK)
    }
}

fn response(status: u16, body: &str) -> Response<String> {
    Response::builder().status(status).body(body.to_owned()).expect("a response")
}

fn is_audit_event(event: &Value) -> bool {
    let one_of = |name: &str, known: &[&str]| {
        event[name].as_str().is_some_and(|value| known.contains(&value))
    };
    let filled = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let absent_or = |value: &Value, holds: bool| value.is_null() || holds;
    let stages = ["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"];
    let (object, status) = (&event["objectRef"], &event["responseStatus"]);
    event["kind"] == "Event"
        && event["apiVersion"] == "audit.k8s.io/v1"
        && one_of("level", &["None", "Metadata", "Request", "RequestResponse"])
        && one_of("stage", &stages)
        && event["auditID"].as_str().is_some_and(is_uuid)
        && event["requestURI"].as_str().is_some_and(|uri| uri.parse::<http::Uri>().is_ok())
        && filled(&event["verb"])
        && filled(&event["user"]["username"])
        && absent_or(&event["user"]["uid"], event["user"]["uid"].is_string())
        && is_time(&event["requestReceivedTimestamp"])
        && is_time(&event["stageTimestamp"])
        && absent_or(&event["userAgent"], event["userAgent"].is_string())
        && absent_or(object, object.as_object().is_some_and(|it| it.values().all(Value::is_string)))
        && absent_or(status, status["code"].is_u64() && filled(&status["status"]))
        && is_list_of_addresses(&event["sourceIPs"])
        && is_texts(&event["annotations"])
}

/// RFC 9562.
fn is_uuid(text: &str) -> bool {
    let groups: Vec<usize> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.chars().all(|c| c == '-' || c.is_ascii_hexdigit())
}

/// `metav1.MicroTime`.
fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok())
}

fn is_list_of_addresses(value: &Value) -> bool {
    let is_address = |it: &Value| it.as_str().is_some_and(|it| it.parse::<IpAddr>().is_ok());
    value.is_null() || value.as_array().is_some_and(|list| list.iter().all(is_address))
}

fn is_texts(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(|all| all.values().all(Value::is_string))
}
