//! Microsoft Sentinel and Azure Monitor, by the Logs Ingestion API: a batch is a JSON array of rows.
//!
//! Each stream of events has a stream of the data collection rule, which leads to a table. A call
//! is taken whole or not at all, so a refused one is halved until the bad row is found. What the
//! rule's own transformation drops afterwards, nobody is told. Rows are in `azure_logs/row.rs`,
//! the tables and the rule in `deploy/siem/sentinel`.

mod row;
mod settings;

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;
use twox_hash::XxHash3_128;

use crate::contract::{
    Batch, Body, COMPRESSION, Cloud, Destination, Encoding, Entra, Entry, Event, Facts, Format,
    Http, HttpConnection, HttpReply, HttpRequest, Identity, Limits, Proof, Protocol as _, Setting,
    SettingError, Sink, TIMEOUT, Timeout, Tls, Verdict, identity, read,
};
use settings::{Endpoint, Rule, Scope, Streams};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The version of the API that is spoken.
const API_VERSION: &str = "2023-01-01";

/// The table `azure_logs` of a sink.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AzureLogs {
    url: Endpoint,
    dcr: Rule,
    #[serde(default)]
    stream: Streams,
    #[serde(default)]
    identity: Identity,
    scope: Option<Scope>,
    #[serde(default = "Encoding::fastest_gzip", deserialize_with = "Encoding::gzip_only")]
    compression: Encoding,
    #[serde(default)]
    timeout: Timeout,
    #[serde(default)]
    tls: Tls,
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    let sink: AzureLogs = read(table)?;
    Ok(Destination::Http(Box::new(sink)))
}

fn facts() -> Facts {
    Facts {
        name: "azure_logs",
        summary: "Microsoft Sentinel and Azure Monitor, by the Logs Ingestion API",
        format: Format::Json,
        // A row of its fields, which is what `json` writes.
        native: true,
        limits: Limits {
            events: 2_000,
            // Of the whole body, before compression and after it.
            bytes: 1_000_000,
            wait: Duration::ZERO,
            in_flight: 4,
            source: "https://learn.microsoft.com/azure/azure-monitor/fundamentals/service-limits#logs-ingestion-api",
        },
        // 12,000 a minute for each data collection rule.
        rate_per_second: Some(200.0),
        digest: None,
        settings: SETTINGS,
        tls: true,
        example: "url = \"https://kubearmor-x1y2.westeurope-1.ingest.monitor.azure.com\"\n\
                  dcr = \"dcr-0123456789abcdef0123456789abcdef\"\n\
                  identity.tenant = \"72f988bf-86f1-41af-91ab-2d7cd011db47\"\n\
                  identity.client_id = \"8d6f1c2e-4b5a-4c7d-9e0f-1a2b3c4d5e6f\"\n\
                  identity.client_secret = \"${env:AZURE_CLIENT_SECRET}\"\n",
        sample_secrets: &[("AZURE_CLIENT_SECRET", "q7X~s3cret-of-an-application")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting {
        key: "url",
        help: "where logs are taken: the rule's own logsIngestion address, or that of a data \
               collection endpoint",
    },
    Setting { key: "dcr", help: "the immutable id of the data collection rule: \"dcr-…\"" },
    Setting {
        key: "stream",
        help: "the rule's stream: one for all, or { alert = …, log = …, message = … }. Default: \
               \"Custom-KubeArmorAlerts\" for alerts, \"Custom-KubeArmorLogs\" for the rest",
    },
    identity::KIND,
    identity::TENANT,
    identity::CLIENT_ID,
    identity::CLIENT_SECRET,
    identity::AUTHORITY,
    Setting {
        key: "scope",
        help: "what the token is for. Default: \"https://monitor.azure.com/.default\", or that of \
               the cloud which url is in",
    },
    COMPRESSION,
    TIMEOUT,
];

impl Sink<Http> for AzureLogs {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        row::write(event, body, record);
        record.push(b',');
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        let url = format!(
            "{}/dataCollectionRules/{}/streams/{}?api-version={API_VERSION}",
            self.url.base,
            self.dcr.0,
            self.stream.of(batch.stream()),
        );
        let mut headers = HeaderMap::with_capacity(2);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert("x-ms-client-request-id", request_id(batch));
        HttpRequest {
            method: Method::POST,
            shown_url: url.clone(),
            url,
            headers,
            body: array(&batch.bytes()),
            encoding: self.compression,
            message_id: String::new(),
        }
    }

    fn limits(&self, limits: Limits) -> Limits {
        // Two brackets are added and a comma is taken away.
        Limits { bytes: limits.bytes.saturating_sub(1), ..limits }
    }

    fn verdict(&self, _: &Batch, reply: &HttpReply) -> Verdict<Http> {
        match Http::verdict(reply) {
            Verdict::Never(why) if !blames_rows(reply) => Verdict::Blocked(why),
            verdict => verdict,
        }
    }

    fn connection(&self) -> HttpConnection {
        let cloud = Cloud::of_host(&self.url.host);
        let scope = self.scope.as_ref().map_or_else(|| scope(cloud), |scope| &scope.0);
        let entra = Entra { scope: scope.to_owned(), identity: self.identity.clone(), cloud };
        HttpConnection {
            tls: self.tls.clone(),
            timeout: self.timeout.0,
            proof: Some(Proof::Entra(entra)),
            ..HttpConnection::default()
        }
    }
}

/// Whether a refusal is of the rows that were sent: halving finds the one at fault. What is said
/// of the rule, its stream or the version, and what is no answer of the API at all, no row can help.
fn blames_rows(reply: &HttpReply) -> bool {
    const OF_THE_RULE: [&str; 5] = [
        "InvalidStream",
        "InvalidApiVersion",
        "InvalidDcr",
        "InvalidContentEncoding",
        "InvalidTransform",
    ];
    #[derive(Deserialize)]
    struct Refusal {
        error: Fault,
    }
    #[derive(Deserialize)]
    struct Fault {
        code: String,
    }
    reply.status == 400
        && serde_json::from_slice::<Refusal>(&reply.body)
            .is_ok_and(|it| !OF_THE_RULE.iter().any(|code| it.error.code.starts_with(code)))
}

/// What a token for the API is for
/// (<https://learn.microsoft.com/azure/azure-monitor/logs/logs-ingestion-api-overview>).
fn scope(cloud: Cloud) -> &'static str {
    match cloud {
        Cloud::Public => "https://monitor.azure.com/.default",
        Cloud::Government => "https://monitor.azure.us/.default",
        Cloud::China => "https://monitor.azure.cn/.default",
    }
}

fn array(records: &[u8]) -> Bytes {
    let rows = records.strip_suffix(b",").unwrap_or(records);
    [b"[", rows, b"]"].concat().into()
}

/// Names a call in Azure's own records; the same for each attempt at the same rows.
fn request_id(batch: &Batch) -> HeaderValue {
    let mut hash = XxHash3_128::new();
    batch.records().for_each(|record| hash.write(&record.id.0.to_be_bytes()));
    let mut bytes = hash.finish_128().to_be_bytes();
    // RFC 9562: version 8, made by a rule of our own.
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = format!("{:032x}", u128::from_be_bytes(bytes));
    let groups = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    HeaderValue::try_from(groups.join("-")).expect("a GUID is hexadecimal digits and hyphens")
}

#[cfg(test)]
mod tests;
