//! One sink under test: built from its example, asked for records and requests.

use std::fmt::Write as _;

use sidearm::render::Renderer;
use sidearm_sinks::{
    CATALOGUE,
    contract::{Batch, BatchBuilder, Body, Destination, Entry, Facts, HttpRequest, Limits, Shown},
};
use toml::de::{DeTable, DeValue};

use crate::samples::Sample;

/// A sink, and what must not be seen of it.
pub(crate) struct Subject {
    pub(crate) facts: Facts,
    pub(crate) secrets: Vec<String>,
    destination: Destination,
    renderer: Renderer,
}

impl Subject {
    /// The sink as its own example has it.
    pub(crate) fn of_example(entry: &Entry) -> Self {
        let facts = (entry.facts)();
        let secrets = facts.sample_secrets;
        let lines = secrets.iter().fold(facts.example.to_owned(), |lines, (name, secret)| {
            lines.replace(&format!("${{env:{name}}}"), secret)
        });
        let secrets = secrets.iter().map(|(_, secret)| (*secret).to_owned()).collect();
        Self::new(entry, &lines, secrets)
    }

    /// The sink of this name as its own example has it.
    pub(crate) fn of_name(name: &str) -> Self {
        Self::of_example(entry(name))
    }

    fn new(entry: &Entry, lines: &str, secrets: Vec<String>) -> Self {
        let facts = (entry.facts)();
        let table = DeTable::parse(lines).expect(facts.name);
        let span = table.span();
        let table = toml::Spanned::new(span, DeValue::Table(table.into_inner()));
        let destination = (entry.build)(table.into()).map_err(|error| error.message);
        let renderer = Renderer::new(facts.format, None, false).expect(facts.name);
        Self { secrets, destination: destination.expect(facts.name), renderer, facts }
    }

    /// What one request of it may hold.
    pub(crate) fn limits(&self) -> Limits {
        let limits = self.facts.limits.clone();
        self.destination.any().limits(limits)
    }

    /// What it makes of one event.
    pub(crate) fn record(&self, sample: &Sample) -> Vec<u8> {
        let event = sample.event();
        let (mut body, mut record) = (Vec::new(), Vec::new());
        self.renderer.render(&event, &mut body).expect(sample.name);
        let body = Body::new(self.facts.format, &body);
        self.destination.any().record(&event, body, &mut record);
        record
    }

    /// The size of one request's body for all of them.
    pub(crate) fn body_bytes(&self, samples: &[&Sample]) -> usize {
        self.destination.any().body_bytes(&self.batch(samples))
    }

    /// The request as people may see it.
    pub(crate) fn shown(&self, samples: &[&Sample]) -> String {
        let batch = self.batch(samples);
        match &self.destination {
            Destination::Http(sink) => {
                let request = sink.request(&batch);
                let body = sink.readable(&batch).unwrap_or_else(|| request.body.clone());
                http(&HttpRequest { body, ..request })
            }
            other => {
                let Shown { method, address, headers, body } = other.any().shown(&batch);
                let headers: String =
                    headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
                format!("{method} {address}\n{headers}\n{}", String::from_utf8_lossy(&body))
            }
        }
    }

    /// Everything of it that the program could print by mistake.
    pub(crate) fn debugged(&self, samples: &[&Sample]) -> String {
        self.destination.any().debugged(&self.batch(samples))
    }

    fn batch(&self, samples: &[&Sample]) -> Batch {
        let mut batch = BatchBuilder::new(samples[0].stream);
        let mut last: Option<(&Sample, Vec<u8>)> = None;
        for sample in samples {
            let record = match last.take() {
                Some((same, record)) if std::ptr::eq(same, *sample) => record,
                _ => self.record(sample),
            };
            let event = sample.event();
            batch.push(event.id(), event.sequence(), event.received_us(), |out| {
                out.extend_from_slice(&record);
            });
            last = Some((sample, record));
        }
        batch.finish().expect("at least one sample")
    }
}

/// Tables beside the examples, of settings that change what a request is.
pub(crate) fn variants() -> impl Iterator<Item = Subject> {
    let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let webhook = format!(
        "url = \"https://user:hunter2@hook/hunter2?key=hunter2\"\nsecret = \"{key}\"\n\
         headers = {{ authorization = \"Bearer hunter2\" }}"
    );
    let event_hubs = "connection_string = \"Endpoint=sb://ns.servicebus.windows.net/;\
                      SharedAccessKeyName=send;SharedAccessKey=hunter2\"\nhub = \"h\"";
    let azure_logs = "url = \"https://x.ingest.monitor.azure.com\"\ndcr = \"dcr-1\"\n\
                      identity = { tenant = \"t\", client_id = \"c\", client_secret = \"hunter2\" }";
    let secrets = vec!["hunter2".to_owned(), key.to_owned()];
    let elastic = [
        "index = \"kubearmor-{{ stream }}-{{ day }}\"\nusername = \"elastic\"\npassword = \"hunter2\"",
        "token = \"hunter2\"\nheaders = { x-tenant = \"hunter2\" }",
        "aws = { region = \"eu-central-1\", access_key_id = \"hunter2\", secret_access_key = \
         \"hunter2\", session_token = \"hunter2\" }",
    ];
    let elastic =
        elastic.map(|lines| ("elasticsearch", format!("url = \"https://elastic:9200\"\n{lines}")));
    let tables = [
        ("webhook", format!("{webhook}\nbody = \"array\"")),
        ("webhook", format!("{webhook}\nbody = \"ndjson\"")),
        ("azure_logs", azure_logs.to_owned()),
        ("event_hubs", format!("{event_hubs}\nprotocol = \"https\"")),
        (
            "event_hubs",
            format!(
                "{event_hubs}\nprotocol = \"https\"\nenvelope = true\n\
                 partition_key = \"ka-{{{{ PodName }}}}\""
            ),
        ),
    ];
    let tables = tables.into_iter().chain(elastic);
    tables.map(move |(name, lines)| Subject::new(entry(name), &lines, secrets.clone()))
}

fn entry(name: &str) -> &'static Entry {
    CATALOGUE.iter().find(|entry| (entry.facts)().name == name).expect(name)
}

fn http(request: &HttpRequest) -> String {
    let mut shown = format!("{} {}\n", request.method, request.shown_url);
    for (name, value) in &request.headers {
        let value = if value.is_sensitive() { "***" } else { value.to_str().expect("text") };
        writeln!(shown, "{name}: {value}").expect("a string takes every write");
    }
    write!(shown, "encoding: {:?}\n\n{}", request.encoding, String::from_utf8_lossy(&request.body))
        .expect("a string takes every write");
    shown
}
