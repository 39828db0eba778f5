//! The sinks under measurement: each destination that takes batches as its own example has it, and
//! each format on one destination.

use std::path::Path;

/// Where the stand-ins listen.
pub(crate) struct Stands<'a> {
    /// Takes any POST and answers as the vendor of its path.
    pub(crate) http: &'a str,
    /// Takes any call of OTLP.
    pub(crate) grpc: &'a str,
    /// Takes any bytes.
    pub(crate) tcp: &'a str,
}

/// Splunk's, with a filter: what the other runs measure.
pub(crate) fn hec(index: usize, address: &str) -> String {
    format!(
        r#"
[sinks.hec{index}]
when = 'Severity != "none" && NamespaceName != "kube-system"'
splunk_hec.url = "http://{address}"
splunk_hec.token = "11111111-2222-3333-4444-555555555555"
"#
    )
}

/// A row's name and the table of its sink.
pub(crate) fn rows(folder: &Path, at: &Stands<'_>) -> Vec<(String, String)> {
    let Stands { http, grpc, tcp } = at;
    let file = toml::Value::from(folder.join("events.ndjson").display().to_string());
    let destinations = [
        ("splunk_hec", format!("url = \"http://{http}\"\ntoken = \"1111-2222\"\nack = false")),
        ("elasticsearch", format!("url = \"http://{http}\"\napi_key = \"id:key\"")),
        ("otlp", format!("url = \"http://{grpc}\"")),
        ("otlp", format!("url = \"http://{http}\"\nprotocol = \"http\"")),
        ("loki", format!("url = \"http://{http}\"")),
        ("syslog", format!("address = \"{tcp}\"\ntransport = \"tcp\"")),
        (
            "azure_logs",
            format!(
                "url = \"http://{http}\"\ndcr = \"dcr-0123456789abcdef0123456789abcdef\"\n\
                 identity.authority = \"http://{http}\"\nidentity.tenant = \"t\"\n\
                 identity.client_id = \"c\"\nidentity.client_secret = \"s\""
            ),
        ),
        (
            "event_hubs",
            format!(
                "protocol = \"https\"\nendpoint = \"http://{http}\"\nhub = \"kubearmor\"\n\
                 connection_string = \"Endpoint=sb://ns.servicebus.windows.net/;\
                 SharedAccessKeyName=send;SharedAccessKey=c2FtcGxl\""
            ),
        ),
        ("webhook", format!("url = \"http://{http}\"\nbody = \"ndjson\"\ncompression = \"gzip\"")),
        ("file", format!("path = {file}")),
    ];
    let formats = ["json", "text", "ecs", "ocsf", "ocsf_finding", "asim", "otlp", "cef", "leef"];
    let row = |name: &str, kind: &str, before: &str, lines: &str| {
        (name.to_owned(), format!("[sinks.row]\n{before}\n[sinks.row.{kind}]\n{lines}\n"))
    };
    let mut rows: Vec<_> = destinations
        .iter()
        .map(|(kind, lines)| {
            let http = lines.contains("protocol = \"http\"");
            row(&format!("{kind}{}", if http { " (http)" } else { "" }), kind, "", lines)
        })
        .collect();
    rows.extend(formats.map(|format| {
        let lines = format!("url = \"http://{http}\"\nbody = \"ndjson\"\ncompression = \"gzip\"");
        row(&format!("webhook, {format}"), "webhook", &format!("format = \"{format}\""), &lines)
    }));
    rows
}
