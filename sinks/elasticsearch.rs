//! Elasticsearch and OpenSearch, by `_bulk`: each event is created under its own id.
//!
//! A record is an action line and a document line. The id is the event's, so an event that comes
//! twice is refused as a copy (409), and that is taken for what it is: accepted. Which verdict an
//! answer gives each record stands in `elasticsearch/answer.rs`. Event text may complete the name
//! of an index, and never decides it.

mod address;
mod answer;
mod document;
mod identity;
mod index;
mod setup;

use std::{collections::BTreeMap, io::Write as _, time::Duration};

use http::{HeaderMap, HeaderValue, Method, header};
use serde::Deserialize;

use crate::contract::{
    Batch, Body, COMPRESSION, Destination, Encoding, Entry, Event, Facts, Format, HEADERS, Http,
    HttpConnection, HttpReply, HttpRequest, Limits, Secret, Setting, SettingError, Setup, Sink,
    Stream, Timeout, Tls, Verdict, headers, read,
};
use address::Cluster;
use identity::{Aws, Identity};
use index::{Index, IndexName};

/// The catalogue's line.
pub(crate) const ENTRY: Entry = Entry { facts, build };

/// The table `elasticsearch` of a sink, as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    url: Cluster,
    index: Option<IndexName>,
    data_stream: Option<bool>,
    #[serde(default)]
    flavour: Flavour,
    username: Option<String>,
    password: Option<Secret>,
    api_key: Option<Secret>,
    token: Option<Secret>,
    aws: Option<Aws>,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default = "Encoding::fastest_gzip", deserialize_with = "Encoding::gzip_only")]
    compression: Encoding,
    #[serde(default)]
    timeout: Timeout<60>,
    #[serde(default)]
    tls: Tls,
}

/// What is spoken to. `auto` uses what both understand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Flavour {
    #[default]
    Auto,
    Elasticsearch,
    Opensearch,
}

/// The sink: its table, checked.
#[derive(Debug)]
pub(crate) struct Elasticsearch {
    cluster: Cluster,
    index: Index,
    flavour: Flavour,
    identity: Identity,
    /// Those of the configuration, and the proof of identity where that is a header.
    headers: HeaderMap,
    compression: Encoding,
    timeout: Timeout<60>,
    tls: Tls,
}

fn build(table: toml::de::ValueDeserializer<'_>) -> Result<Destination, SettingError> {
    Ok(Destination::Http(Box::new(Elasticsearch::of(read(table)?)?)))
}

/// What is asked of the answer: a bulk answer is otherwise larger than what was sent.
const ANSWER: &str = "errors,items.*.status,items.*.error.type,items.*.error.reason,\
                      items.*.error.caused_by.reason,items.*.failure_store";
/// An answer that blames each of [`EVENTS`] records, each with a long reason.
const REPLY_BYTES: usize = 4 * 1024 * 1024;
const EVENTS: usize = 1_000;

fn facts() -> Facts {
    Facts {
        name: "elasticsearch",
        summary: "Elasticsearch, OpenSearch and their AWS services: each event once, by its id",
        format: Format::Ecs,
        native: false,
        limits: Limits {
            events: EVENTS,
            // The smallest AWS instances refuse 10 MiB, all others 100 MB.
            bytes: 5_000_000,
            wait: Duration::ZERO,
            in_flight: 4,
            source: "https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk",
        },
        rate_per_second: None,
        digest: None,
        settings: SETTINGS,
        tls: true,
        example: "url = \"https://elastic:9200\"\napi_key = \"${env:ELASTIC_API_KEY}\"\n",
        sample_secrets: &[("ELASTIC_API_KEY", "c2FtcGxlLWlkOnNhbXBsZS1hcGkta2V5")],
    }
}

const SETTINGS: &[Setting] = &[
    Setting { key: "url", help: "the cluster, as \"https://elastic:9200\"; the path is ours" },
    Setting {
        key: "index",
        help: "the index; literal text, then fields: \"kubearmor-{{ day }}\" is an index a day, by \
               the event's own. Default: the data streams logs-kubearmor.alerts-default, \
               logs-kubearmor.logs-default and logs-kubearmor.messages-default",
    },
    Setting {
        key: "data_stream",
        help: "whether `index` names data streams. Default: false; true without an `index`",
    },
    Setting {
        key: "flavour",
        help: "\"elasticsearch\" (8.13 or later) also insists on data streams being such, \
               \"opensearch\" is what `sidearm setup` then installs for, \"auto\" asks for nothing \
               that one of them lacks. Default: \"auto\"",
    },
    Setting { key: "username", help: "the user's name (Basic), beside `password`" },
    Setting { key: "password", help: "the user's password" },
    Setting { key: "api_key", help: "an API key of Elasticsearch, encoded or as \"id:key\"" },
    Setting { key: "token", help: "a bearer token" },
    Setting {
        key: "aws.region",
        help: "signs each request (SigV4) for this region; `aws = {}` takes it from the address",
    },
    Setting {
        key: "aws.service",
        help: "\"es\" (OpenSearch Service) or \"aoss\" (Serverless). Default: by the address",
    },
    Setting {
        key: "aws.access_key_id",
        help: "Default: found as AWS's own tools do: environment, web identity (IRSA), pod \
               identity, container, instance",
    },
    Setting { key: "aws.secret_access_key", help: "beside the access key's id" },
    Setting { key: "aws.session_token", help: "beside both, where the key is a temporary one" },
    HEADERS,
    COMPRESSION,
    Setting { key: "timeout", help: "how long one attempt may take. Default: \"60s\"" },
];

impl Elasticsearch {
    fn of(table: Table) -> Result<Self, SettingError> {
        let index = Index::of(table.index, table.data_stream)?;
        if table.aws.is_some() && table.flavour == Flavour::Elasticsearch {
            let expected = "expected \"opensearch\" or \"auto\": AWS's own service is OpenSearch";
            return Err(SettingError::at("flavour", expected));
        }
        let mut headers = headers(&table.headers)?;
        let identity = identity::Given {
            username: table.username,
            password: table.password,
            api_key: table.api_key,
            token: table.token,
            aws: table.aws,
        };
        let identity = identity.check(&table.url)?;
        if let Some(value) = identity.header() {
            headers.insert(header::AUTHORIZATION, value);
        }
        headers.entry(header::CONTENT_TYPE).or_insert(HeaderValue::from_static(NDJSON));
        headers.entry(header::ACCEPT).or_insert(HeaderValue::from_static("application/json"));
        Ok(Self {
            cluster: table.url,
            index,
            flavour: table.flavour,
            identity,
            headers,
            compression: table.compression,
            timeout: table.timeout,
            tls: table.tls,
        })
    }

    /// The data stream or index of all of a batch, where that does not depend on its events.
    fn bulk_url(&self, batch: &Batch) -> String {
        let base = self.cluster.base();
        let insists = match self.flavour == Flavour::Elasticsearch && self.index.is_data_stream() {
            true => "&require_data_stream=true",
            false => "",
        };
        match self.index.of_stream(batch.stream()) {
            Some(index) => format!("{base}/{index}/_bulk?filter_path={ANSWER}{insists}"),
            None => format!("{base}/_bulk?filter_path={ANSWER}{insists}"),
        }
    }
}

const NDJSON: &str = "application/x-ndjson";

impl Sink<Http> for Elasticsearch {
    fn record(&self, event: &Event<'_>, body: Body<'_>, record: &mut Vec<u8>) {
        record.extend_from_slice(b"{\"create\":{");
        if let Some(index) = self.index.of_event(event) {
            // Of the characters an index may have, none needs an escape.
            write!(record, "\"_index\":\"{index}\",").expect("a vector takes every write");
        }
        write!(record, "\"_id\":\"{}", event.id()).expect("a vector takes every write");
        // A message about many events is none of them: it must not be taken for a copy.
        if let Some(digest) = event.digest() {
            write!(record, "-{}-{}", digest.telling.name(), digest.last_us)
                .expect("a vector takes every write");
        }
        record.extend_from_slice(b"\"}}\n");
        document::write(event, body, record);
        record.push(b'\n');
    }

    fn request(&self, batch: &Batch) -> HttpRequest {
        let url = self.bulk_url(batch);
        HttpRequest {
            method: Method::POST,
            shown_url: url.clone(),
            url,
            headers: self.headers.clone(),
            body: batch.bytes(),
            encoding: self.compression,
            message_id: String::new(),
        }
    }

    fn verdict(&self, batch: &Batch, reply: &HttpReply) -> Verdict<Http> {
        answer::verdict(self.index.is_ours(), batch, reply)
    }

    fn setup(&self, format: Format, streams: &[Stream]) -> Option<Box<dyn Setup<Http>>> {
        Some(Box::new(setup::Installation::new(self, format, streams)))
    }

    fn connection(&self) -> HttpConnection {
        HttpConnection {
            tls: self.tls.clone(),
            timeout: self.timeout.0,
            proof: self.identity.proof(),
            reply_bytes: REPLY_BYTES,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::testing::{batch, record, sink};

    const EVENT: &str = r#"{"UpdatedTime":"2026-09-20T23:59:59.999999Z","NamespaceName":"shop/../Main\"","Type":"MatchedPolicy","UID":0,"PPID":0}"#;

    fn elastic(more: &str) -> Result<Elasticsearch, SettingError> {
        let table = sink(&format!("url = \"https://elastic:9200/\"\n{more}"))?;
        Elasticsearch::of(table)
    }

    fn lines(more: &str) -> [serde_json::Value; 2] {
        let record = record(&elastic(more).expect("a table"), EVENT);
        let lines: Vec<&str> = record.split_terminator('\n').collect();
        assert!(record.ends_with('\n') && lines.len() == 2, "{record}");
        [lines[0], lines[1]].map(|line| serde_json::from_str(line).expect("an object"))
    }

    #[test]
    fn an_event_is_created_under_its_own_id() {
        let [action, document] = lines("");
        assert_eq!(action["create"]["_id"].as_str().map(str::len), Some(32));
        assert_eq!(action["create"].as_object().map(serde_json::Map::len), Some(1));
        assert_eq!(document["@timestamp"], "2026-09-20T23:59:59.999999Z");
        assert_eq!(document["NamespaceName"], "shop/../Main\"");
    }

    #[test]
    fn event_text_stays_behind_the_literal_beginning() {
        let [action, _] = lines("index = \"ka-{{ NamespaceName }}-{{ day }}\"");
        assert_eq!(action["create"]["_index"], "ka-shop_..__ain_-2026-09-20");
        let [action, _] = lines("index = \"kubearmor-alerts\"");
        assert_eq!(action["create"]["_index"], serde_json::Value::Null);
    }

    #[test]
    fn one_index_for_all_stands_in_the_address() {
        let url = |more: &str| {
            let url = elastic(more).expect("a table").request(&batch(1, 1)).url;
            let (path, query) = url.split_once('?').expect("a query");
            (path.to_owned(), query.contains("&require_data_stream=true"))
        };
        let pair = |path: &str, insists| (format!("https://elastic:9200/{path}"), insists);
        assert_eq!(url(""), pair("logs-kubearmor.alerts-default/_bulk", false));
        let elasticsearch = "flavour = \"elasticsearch\"";
        assert_eq!(url(elasticsearch), pair("logs-kubearmor.alerts-default/_bulk", true));
        let named = format!("{elasticsearch}\nindex = \"ka\"");
        assert_eq!(url(&named), pair("ka/_bulk", false));
        assert_eq!(url(&format!("{named}\ndata_stream = true")), pair("ka/_bulk", true));
        assert_eq!(url("index = \"ka-{{ day }}\""), pair("_bulk", false));
    }

    #[test]
    fn every_stream_has_its_data_stream() {
        let index = Index::Streams;
        let names = Stream::ALL.map(|stream| index.of_stream(stream).map(str::to_owned));
        let expected = ["alerts", "messages", "logs"];
        assert_eq!(names, expected.map(|name| Some(format!("logs-kubearmor.{name}-default"))));
    }

    #[test]
    fn mistakes_are_told_with_their_key() {
        for (more, path) in [
            ("index = \"{{ NamespaceName }}\"", "index"),
            ("index = \"KubeArmor\"", "index"),
            ("index = \"_all\"", "index"),
            ("index = \"a,b\"", "index"),
            ("index = \"<ka-{now/d}>\"", "index"),
            ("index = \"ka-{{ day }}/x\"", "index"),
            ("index = \"ka-{{ dya }}\"", "index"),
            ("data_stream = false", "data_stream"),
            ("flavour = \"solr\"", "flavour"),
            ("timeout = \"0s\"", "timeout"),
            ("headers = { \"a b\" = \"x\" }", "headers.a b"),
        ] {
            assert_eq!(elastic(more).expect_err(more).path, path, "{more}");
        }
    }

    #[test]
    fn a_name_is_no_longer_than_an_index_s() {
        let long = "x".repeat(300);
        assert_eq!(elastic(&format!("index = \"{long}\"")).expect_err("long").path, "index");
        let fields = "{{ NamespaceName }}".repeat(3);
        let table = elastic(&format!("index = \"ka-{fields}\"")).expect("a table");
        let event = format!("{{\"NamespaceName\":\"{long}\",\"Type\":\"MatchedPolicy\"}}");
        let record = record(&table, &event);
        let action = record.lines().next().expect("an action");
        let action: serde_json::Value = serde_json::from_str(action).expect("an object");
        assert_eq!(action["create"]["_index"].as_str().map(str::len), Some(255));
    }

    #[test]
    fn headers_of_the_table_come_beside_ours() {
        let sink = elastic("token = \"t\"\nheaders = { x-tenant = \"hunter2\" }").expect("a table");
        let request = sink.request(&batch(1, 1));
        assert_eq!(request.headers[header::CONTENT_TYPE], NDJSON);
        assert!(request.headers["x-tenant"].is_sensitive());
        assert!(request.headers[header::AUTHORIZATION].is_sensitive());
        assert_eq!(request.encoding, Encoding::FASTEST_GZIP);
        assert!(sink.connection().reply_bytes > 1024 * 1024);
    }
}
