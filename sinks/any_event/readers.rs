//! What destinations read in a request, by their documentation: each event once and in order, under
//! its own id where there is a place for one, and whole where its body goes as it was rendered.

use std::collections::BTreeSet;

use http::{Uri, header};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{Case, Read, Sent};
use crate::{
    card::against_doubles,
    contract::{
        Content, Format, HttpRequest, acts,
        testing::{members, once},
    },
    loki::tests as loki,
    otlp::tests as otlp,
    syslog::tests as syslog,
};

type Told = Result<(), String>;

const ELASTIC: &str = "url = \"https://elastic:9200\"\n";
const HEC: &str = "url = \"https://splunk:8088\"\ntoken = \"t\"\n";
const HUB: &str = "hub = \"h\"\nconnection_string = \"Endpoint=sb://n.servicebus.windows.net/;\
                   SharedAccessKeyName=send;SharedAccessKey=k\"\n";
const BROKER: &str = "brokers = [\"b:9093\"]\n";
const KEYED: &str = "partition_key = \"ka-{{ PodName }}-{{ Source }}\"\n";
const LOKI: &str = "url = \"https://loki:3100\"\ntoken = \"glc_token\"\ntenant = \"security\"\n";
const HOOK: &str = "url = \"https://hook\"\n";
const RECEIVER: &str = "address = \"siem:6514\"\n";

/// Each destination, the parts of the table it is built from, where that is not its example, and
/// who reads its requests.
pub(super) const READERS: &[(&str, &[&str], Read)] = &[
    ("slack", &[], chat),
    ("teams", &[], chat),
    ("discord", &[], chat),
    ("google_chat", &[], chat),
    ("mattermost", &[], chat),
    ("rocket_chat", &[], chat),
    ("pagerduty", &[], pagerduty),
    ("alertmanager", &[], alertmanager),
    ("mail", &[], mail),
    ("splunk_hec", &[], splunk),
    ("splunk_hec", &[HEC, "index = \"ka-{{ PodName }}\"\nhost = \"n-{{ Source }}\""], splunk),
    ("elasticsearch", &[], elasticsearch),
    (
        "elasticsearch",
        &[ELASTIC, "index = \"ka-{{ PodName }}{{ Source }}-{{ day }}\""],
        elasticsearch,
    ),
    ("azure_logs", &[], azure_logs),
    ("event_hubs", &[], by_amqp),
    ("event_hubs", &[HUB, KEYED], by_amqp),
    ("event_hubs", &[HUB, KEYED, "protocol = \"kafka\""], kafka),
    ("event_hubs", &[HUB, "protocol = \"https\""], by_https),
    ("event_hubs", &[HUB, KEYED, "protocol = \"https\"\nenvelope = true"], by_https_alone),
    ("kafka", &[], kafka),
    (
        "kafka",
        &[BROKER, "topic = \"ka-{{ PodName }}{{ Source }}\"\nkey = \"{{ Source }} {{ PodName }}\""],
        kafka,
    ),
    ("otlp", &[], otlp),
    ("otlp", &["url = \"https://collector:4318\"\nprotocol = \"http\""], otlp),
    ("sysdig", &[], sysdig),
    ("sysdig_events", &[], sysdig_events),
    ("webhook", &[], webhook),
    ("webhook", &[HOOK, "body = \"array\""], webhook_array),
    ("webhook", &[HOOK, "body = \"ndjson\""], webhook_lines),
    ("loki", &[LOKI], loki),
    ("loki", &[LOKI, "labels = [\"policy\", \"host\", \"operation\", \"type\"]"], loki),
    ("syslog", &[], |case| syslog(case, syslog::counted, 8_096)),
    ("syslog", &[RECEIVER, "max_message = 480\nbom = true"], |case| {
        syslog(case, syslog::counted, 480)
    }),
    ("syslog", &[RECEIVER, "framing = \"newline\""], |case| syslog(case, syslog::line, 8_096)),
    ("syslog", &[RECEIVER, "transport = \"udp\""], |case| syslog(case, syslog::datagram, 1_180)),
    ("file", &[], lines),
    ("stdout", &[], lines),
];

/// A request by HTTP: no event has a say in where it goes, or in what of the program's own is
/// beside it.
fn http<'c>(case: &Case<'c>) -> Result<&'c HttpRequest, String> {
    /// Each is made of the events' ids or, checked by their readers, of a key.
    const OF_THE_EVENTS: [&str; 5] =
        ["webhook-id", "x-ms-client-request-id", "event_id", "brokerproperties", "content-type"];
    let (Sent::Http(request), Sent::Http(plain)) = (case.sent, case.plain) else {
        return Err("another protocol".to_owned());
    };
    if (&request.url, &request.shown_url) != (&plain.url, &plain.shown_url) {
        return Err(format!("another address: {}", request.url));
    }
    if request.headers.len() != plain.headers.len() {
        return Err(format!("other headers: {:?}", request.headers));
    }
    for (name, value) in &request.headers {
        let of_the_events = OF_THE_EVENTS.contains(&name.as_str());
        let is_plain = value.as_bytes().iter().all(|byte| (b' '..=b'~').contains(byte));
        if !is_plain
            || value.len() > 1_024
            || !of_the_events && plain.headers.get(name) != Some(value)
        {
            return Err(format!("the header {name}: {value:?}"));
        }
    }
    is(header_of(request, header::CONTENT_TYPE.as_str()).is_some(), || {
        "no content type".to_owned()
    })?;
    Ok(request)
}

fn header_of<'r>(request: &'r HttpRequest, name: &str) -> Option<&'r str> {
    request.headers.get(name)?.to_str().ok()
}

fn is(right: bool, else_why: impl FnOnce() -> String) -> Told {
    if right { Ok(()) } else { Err(else_why()) }
}

fn same(what: &str, found: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) -> Told {
    let (found, expected) = (found.as_ref(), expected.as_ref());
    is(found == expected, || {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        format!("{what}: {:?} where {:?} was expected", text(found), text(expected))
    })
}

fn json<'j, T: Deserialize<'j>>(bytes: &'j [u8]) -> Result<T, String> {
    serde_json::from_slice(bytes)
        .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(bytes)))
}

/// Whether JSON says what was rendered: the value itself, where that is JSON, else its text.
fn tells(found: &RawValue, format: Format, body: &[u8]) -> Told {
    if format.is_json() {
        return same("a body", found.get(), body);
    }
    let value: Value = json(found.get().as_bytes())?;
    let expected = match serde_json::from_slice(body) {
        Ok(value) if format == Format::Template => value,
        _ => Value::String(String::from_utf8_lossy(body).into_owned()),
    };
    is(value == expected, || format!("{value} where {expected} was expected"))
}

/// Whether each found thing is of the event in its place.
fn each<T>(case: &Case<'_>, found: Vec<T>, read: impl Fn(T, String, &[u8]) -> Told) -> Told {
    is(found.len() == case.events.len(), || {
        format!("{} of {} events", found.len(), case.events.len())
    })?;
    let events = case.ids().zip(case.bodies());
    { found.into_iter().zip(events) }.try_for_each(|(found, (id, body))| read(found, id, body))
}

/// As [`each`], for those who show people an event: under its own id, whatever a digest tells of it.
fn each_shown<T>(case: &Case<'_>, found: Vec<T>, read: impl Fn(T, String) -> Told) -> Told {
    let shown: Vec<_> =
        case.events.iter().map(|rendered| rendered.event.shown_id().to_string()).collect();
    each(case, found.into_iter().zip(shown).collect(), |(found, shown), _, _| read(found, shown))
}

/// Lines that all end.
fn whole_lines(bytes: &[u8]) -> Result<Vec<&str>, String> {
    let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
    let text = text.strip_suffix('\n').ok_or("no end of the last line")?;
    Ok(text.split('\n').collect())
}

fn chat(case: &Case<'_>) -> Told {
    against_doubles::read(case.facts.name, http(case)?)
}

/// A text of a JSON object; empty where there is none.
fn text<'v>(object: &'v Value, path: &str) -> &'v str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// A text that is there, on one line that nothing in it bends, and no longer than it may be.
fn is_line(what: &str, text: &str, max_chars: usize) -> Told {
    let is_line = (1..=max_chars).contains(&text.chars().count()) && !text.chars().any(acts);
    is(is_line, || format!("{what}: {text:?}"))
}

fn is_moment(text: &str) -> Told {
    let is_moment = text.len() == 27 && text.parse::<jiff::Timestamp>().is_ok();
    is(is_moment, || format!("the moment {text:?}"))
}

/// The Events API v2: an alert to trigger or to resolve.
fn pagerduty(case: &Case<'_>) -> Told {
    let Sent::Http(request) = case.sent else { return Err("another protocol".to_owned()) };
    each_shown(case, vec![once(&request.body)?], |event, shown| {
        is_line("routing_key", text(&event, "/routing_key"), 32)?;
        match text(&event, "/event_action") {
            "resolve" => {
                is_line("dedup_key", text(&event, "/dedup_key"), 255)?;
                let members = event.as_object().map(serde_json::Map::len);
                return is(members == Some(3), || format!("more than a resolution: {event}"));
            }
            "trigger" => {
                http(case)?;
                is_line("dedup_key", text(&event, "/dedup_key"), 255)?;
                let severity = text(&event, "/payload/severity");
                let known = ["critical", "error", "warning", "info"].contains(&severity);
                is(known, || format!("the severity {severity}"))?;
            }
            // A change, which has an address of its own.
            action => {
                same("event_action", action, "")?;
                let is_change = request.url.ends_with("/v2/change/enqueue");
                is(is_change, || format!("a change for {}", request.url))?;
            }
        }
        is_line("summary", text(&event, "/payload/summary"), 1_024)?;
        is_line("source", text(&event, "/payload/source"), 255)?;
        is_moment(text(&event, "/payload/timestamp"))?;
        same("event_id", text(&event, "/payload/custom_details/event_id"), shown)
    })
}

/// API v2: labels and annotations of text. What is over is told for each severity it may have had.
fn alertmanager(case: &Case<'_>) -> Told {
    const LARGEST_ALERT_BYTES: usize = 64 * 1024;
    let Value::Array(alerts) = once(&http(case)?.body)? else {
        return Err("no array".to_owned());
    };
    for alert in &alerts {
        is(alert.to_string().len() < LARGEST_ALERT_BYTES, || format!("large: {alert}"))?;
        for (kind, max_chars) in [("labels", 200), ("annotations", 512)] {
            let pairs = alert[kind].as_object().filter(|pairs| !pairs.is_empty());
            for (name, value) in pairs.ok_or_else(|| format!("no {kind}: {alert}"))? {
                let known = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
                is(name.bytes().all(known), || format!("the name {name}"))?;
                is_line(name, value.as_str().unwrap_or_default(), max_chars)?;
            }
        }
        is_moment(text(alert, "/startsAt"))?;
    }
    let found = alerts.iter().map(|alert| text(alert, "/annotations/event_id").to_owned());
    let shown = case.events.iter().map(|rendered| rendered.event.shown_id().to_string());
    let (mut found, mut shown): (Vec<_>, Vec<_>) = (found.collect(), shown.collect());
    found.dedup();
    shown.dedup();
    is(found == shown, || format!("{found:?} where {shown:?} was expected"))
}

/// `audit.k8s.io/v1`, an event a request.
fn sysdig(case: &Case<'_>) -> Told {
    each(case, vec![once(&http(case)?.body)?], |audit, _, _| {
        same("kind", text(&audit, "/kind"), "Event")?;
        is_moment(text(&audit, "/stageTimestamp"))?;
        let uri = text(&audit, "/requestURI");
        is(uri.starts_with('/') && uri.parse::<Uri>().is_ok(), || format!("the address {uri}"))?;
        is_line("verb", text(&audit, "/verb"), 253)?;
        let annotations = audit["annotations"].as_object().ok_or("no annotations")?;
        let is_text = annotations.values().all(Value::is_string);
        is(is_text, || format!("an annotation that is no text: {audit}"))
    })
}

/// A custom event, whose scope no name can leave.
fn sysdig_events(case: &Case<'_>) -> Told {
    each_shown(case, vec![once(&http(case)?.body)?], |event, shown| {
        is_line("name", text(&event, "/event/name"), 200)?;
        let quotes = text(&event, "/event/scope").matches('\'').count();
        is(quotes.is_multiple_of(2) && quotes <= 8, || format!("the scope: {event}"))?;
        same("event_id", text(&event, "/event/tags/event_id"), shown)
    })
}

/// RFC 5322 and MIME: lines of ASCII, headers of ours alone, and three boundaries, the last an end.
fn mail(case: &Case<'_>) -> Told {
    const HEADERS: [&str; 14] = [
        "Date",
        "From",
        "To",
        "Subject",
        "Message-ID",
        "In-Reply-To",
        "References",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "List-Id",
        "X-Sidearm-Event",
        "Importance",
        "MIME-Version",
        "Content-Type",
    ];
    let (Sent::Mail(request), Sent::Mail(plain)) = (case.sent, case.plain) else {
        return Err("another protocol".to_owned());
    };
    is(request.to == plain.to && request.from == plain.from, || "another envelope".to_owned())?;
    let message = std::str::from_utf8(&request.message).map_err(|error| error.to_string())?;
    for line in message.split("\r\n") {
        let is_line = line.len() <= 998 && line.is_ascii() && !line.contains(['\r', '\n', '\0']);
        is(is_line && !line.starts_with('.'), || format!("the line {line:?}"))?;
    }
    let (head, _) = message.split_once("\r\n\r\n").ok_or("no body")?;
    let head = head.replace("\r\n ", " ");
    let mut seen = BTreeSet::new();
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(": ").ok_or("no header")?;
        is(HEADERS.contains(&name) && seen.insert(name), || format!("the header {name}"))?;
        is(!value.is_empty(), || format!("the header {name} without a value"))?;
    }
    let shown = case.events[0].event.shown_id();
    each(case, vec![message], |message, id, _| {
        let boundary = format!("--=_{id}");
        let is_whole = message.matches(&boundary).count() == 3
            && message.ends_with(&format!("{boundary}--\r\n"))
            && head.contains(&format!("X-Sidearm-Event: {shown}"));
        is(is_whole, || format!("the message {message}"))
    })
}

/// Objects one behind the other, of members that Splunk knows.
fn splunk(case: &Case<'_>) -> Told {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Object<'j> {
        #[serde(borrow)]
        time: &'j RawValue,
        host: Option<String>,
        source: String,
        sourcetype: String,
        index: Option<String>,
        #[serde(borrow)]
        event: &'j RawValue,
        fields: Fields,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Fields {
        event_id: String,
    }
    let body = &http(case)?.body;
    each(case, whole_lines(body)?, |line, id, body| {
        let Object { time, host, source, sourcetype, index, event, fields } =
            json(line.as_bytes())?;
        same("fields.event_id", fields.event_id, id)?;
        // Splunk refuses an exponent.
        let is_time = time.get().bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        is(is_time, || format!("the time {time}"))?;
        let is_text = !source.is_empty() && !sourcetype.is_empty() && host.as_deref() != Some("");
        is(is_text, || format!("an empty text: {line}"))?;
        if let Some(index) = index {
            let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c);
            let is_index = index.chars().all(known) && index.starts_with('k');
            is(is_index, || format!("the index {index}"))?;
        }
        is(!is_blank(event), || "a blank event".to_owned())?;
        // It stands for a template's blank text.
        if event.get() == "{}" { Ok(()) } else { tells(event, case.format, body) }
    })
}

fn is_blank(value: &RawValue) -> bool {
    let text = json::<Option<String>>(value.get().as_bytes());
    text.is_ok_and(|text| text.unwrap_or_default().trim().is_empty())
}

/// `_bulk`: an action, then a document, each on a line of its own.
fn elasticsearch(case: &Case<'_>) -> Told {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Action {
        create: Create,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Create {
        #[serde(rename = "_index")]
        index: Option<String>,
        #[serde(rename = "_id")]
        id: String,
    }
    let body = &http(case)?.body;
    let lines = whole_lines(body)?;
    is(lines.len().is_multiple_of(2), || "an action without a document".to_owned())?;
    each(case, lines.chunks(2).collect(), |lines, id, body| {
        let Action { create } = json(lines[0].as_bytes())?;
        // A digest's is longer: what it tells stands behind.
        is(create.id.starts_with(&id) && create.id.len() <= 512, || create.id)?;
        if let Some(index) = create.index {
            let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
            let is_index = index.chars().all(known) && index.len() <= 255;
            is(is_index && index.starts_with("ka-"), || format!("the index {index}"))?;
        }
        let document = members(lines[1].as_bytes())?;
        let time: String =
            json(document.get("@timestamp").ok_or("no @timestamp")?.get().as_bytes())?;
        let is_time = time.parse::<jiff::Timestamp>().is_ok() && !time.starts_with('-');
        is(is_time, || format!("the time {time}"))?;
        match case.format {
            // All its members, behind the time.
            format if format.is_json() => {
                let theirs = members(body)?;
                let is_whole = theirs.iter().all(|(name, value)| {
                    document.get(name).is_some_and(|found| found.get() == value.get())
                });
                is(is_whole, || lines[1].to_owned())
            }
            Format::Template => Ok(()),
            format => tells(document.get("message").ok_or("no message")?, format, body),
        }
    })
}

/// An array of rows, whose columns are no one else's.
fn azure_logs(case: &Case<'_>) -> Told {
    const RESERVED: [&str; 6] = ["Type", "TenantId", "Title", "id", "UniqueId", "_ResourceId"];
    let rows: Vec<&RawValue> = json(&http(case)?.body)?;
    each(case, rows, |row, id, body| {
        is(!row.get().contains('\n'), || row.to_string())?;
        let row = members(row.get().as_bytes())?;
        let text = |name: &str| {
            row.get(name).and_then(|value| json::<String>(value.get().as_bytes()).ok())
        };
        same("EventId", text("EventId").unwrap_or_default(), id)?;
        let time = text("TimeGenerated").unwrap_or_default();
        is(time.parse::<jiff::Timestamp>().is_ok(), || format!("the time {time}"))?;
        if matches!(case.format, Format::Json | Format::Native) {
            let taken = RESERVED.iter().find(|name| row.contains_key(**name));
            is(taken.is_none(), || format!("the column {taken:?}"))?;
        }
        match case.format {
            Format::Json => {}
            Format::Cef | Format::Leef | Format::Text => {
                return tells(row.get("Message").ok_or("no Message")?, case.format, body);
            }
            _ => return Ok(()),
        }
        let theirs = members(body)?;
        is(row.len() == theirs.len() + 2, || format!("{} columns", row.len()))?;
        let is_whole = theirs.iter().all(|(name, value)| {
            let name = if name == "Type" { "EventType" } else { name };
            row.get(name).is_some_and(|found| found.get() == value.get())
        });
        is(is_whole, || "a column is lost".to_owned())
    })
}

/// A key of [`KEYED`]: behind its literal beginning, within the hub's limit, and safe in a header.
fn key_is_ours(key: &str) -> Told {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && !b"\"\\".contains(&byte);
    let is_ours = key.starts_with("ka-") && key.len() <= 128 && key.bytes().all(is_plain);
    is(is_ours, || format!("the key {key:?}"))
}

fn by_amqp(case: &Case<'_>) -> Told {
    let Sent::Amqp(request) = case.sent else { return Err("another protocol".to_owned()) };
    each(case, request.messages.iter().collect(), |message, id, body| {
        if !message.partition_key.is_empty() {
            key_is_ours(&message.partition_key)?;
        }
        same("message-id", &message.id, id)?;
        same("a body", &message.body, body)
    })
}

fn by_https(case: &Case<'_>) -> Told {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "PascalCase")]
    struct Message {
        body: String,
        user_properties: Properties,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Properties {
        event_id: String,
    }
    let messages: Vec<Message> = json(&http(case)?.body)?;
    each(case, messages, |message, id, body| {
        same("event_id", message.user_properties.event_id, id)?;
        same("a body", message.body, body)
    })
}

fn by_https_alone(case: &Case<'_>) -> Told {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields, rename_all = "PascalCase")]
    struct Broker {
        partition_key: String,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Envelope<'j> {
        #[serde(borrow)]
        records: Vec<&'j RawValue>,
    }
    let request = http(case)?;
    let Broker { partition_key } =
        json(header_of(request, "brokerproperties").unwrap_or_default().as_bytes())?;
    key_is_ours(&partition_key)?;
    let Envelope { records } = json(&request.body)?;
    each(case, records, |record, id, body| {
        same("event_id", header_of(request, "event_id").unwrap_or_default(), id)?;
        tells(record, case.format, body)
    })
}

fn kafka(case: &Case<'_>) -> Told {
    let (Sent::Kafka(request), Sent::Kafka(plain)) = (case.sent, case.plain) else {
        return Err("another protocol".to_owned());
    };
    let plain = plain.records().next().expect("a record").topic;
    let is_content = |body: &[u8]| match case.format {
        Format::Template => json::<Value>(body).is_ok(),
        format => format.is_json(),
    };
    each(case, request.records().collect(), |record, id, body| {
        let known = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        let topic = record.topic;
        let is_topic = topic == plain || topic.starts_with("ka-") && plain.starts_with("ka-");
        let is_name = topic.chars().all(known) && (1..=249).contains(&topic.len());
        is(is_topic && is_name, || format!("the topic {topic:?}"))?;
        let key = String::from_utf8_lossy(record.key.unwrap_or_default());
        is(!key.contains(char::is_control), || format!("the key {key:?}"))?;
        is((record.content == Content::Json) == is_content(body), || "another content".to_owned())?;
        same("event_id", record.id.to_string(), id)?;
        same("a payload", record.payload, body)
    })
}

fn otlp(case: &Case<'_>) -> Told {
    let message = match case.sent {
        Sent::Grpc(request) => &request.message,
        _ => &http(case)?.body,
    };
    let mut expected: Vec<_> = case.ids().collect();
    let mut found = otlp::ids(message)?;
    // Events of one sender stand together.
    expected.sort();
    found.sort();
    is(found == expected, || format!("{found:?} where {expected:?} was expected"))
}

fn webhook(case: &Case<'_>) -> Told {
    let request = http(case)?;
    each(case, vec![request], |request, id, body| {
        same(
            "webhook-id",
            header_of(request, "webhook-id").unwrap_or_default(),
            format!("msg_{id}"),
        )?;
        let is_json = json::<&RawValue>(body).is_ok();
        let kind = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
        same("content-type", header_of(request, "content-type").unwrap_or_default(), kind)?;
        same("a body", &request.body, body)
    })
}

fn webhook_array(case: &Case<'_>) -> Told {
    let values: Vec<&RawValue> = json(&http(case)?.body)?;
    each(case, values, |value, _, body| tells(value, case.format, body))
}

fn webhook_lines(case: &Case<'_>) -> Told {
    each(case, whole_lines(&http(case)?.body)?, |line, _, body| {
        tells(json(line.as_bytes())?, case.format, body)
    })
}

fn loki(case: &Case<'_>) -> Told {
    let expected: BTreeSet<_> = case.ids().collect();
    let found = loki::ids(http(case)?)?;
    is(found == expected, || format!("{found:?} where {expected:?} was expected"))
}

fn syslog(case: &Case<'_>, unframed: syslog::Unframed, max_bytes: usize) -> Told {
    let Sent::Socket(request) = case.sent else { return Err("another protocol".to_owned()) };
    let mut start = 0;
    let frames =
        request.ends.iter().map(|end| &request.bytes[std::mem::replace(&mut start, *end)..*end]);
    each(case, frames.collect(), |frame, id, _| {
        let message = unframed(frame)?;
        is(message.len() <= max_bytes, || format!("{} bytes", message.len()))?;
        same("event_id", syslog::event_id(message)?, id)
    })?;
    is(start == request.bytes.len(), || "bytes behind the last message".to_owned())
}

/// A line an event; of templates as many as they write.
fn lines(case: &Case<'_>) -> Told {
    let Sent::Append(request) = case.sent else { return Err("another protocol".to_owned()) };
    if matches!(case.format, Format::Text | Format::Template) {
        let texts = case.bodies().map(|body| {
            let text = std::str::from_utf8(body).expect("rendered as text");
            format!("{}\n", text.trim_end_matches(['\n', '\r']))
        });
        return same("the lines", &request.bytes, texts.collect::<String>());
    }
    each(case, whole_lines(&request.bytes)?, |line, _, body| same("a line", line, body))
}
