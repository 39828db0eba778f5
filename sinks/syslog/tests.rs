//! Messages as a strict reader of RFC 5424 sees them.

use super::*;
use crate::{
    contract::testing::{OwnedEvent, sink, table},
    formats,
};

fn syslog(more: &str) -> Syslog {
    sink(&format!("address = \"siem:6514\"\n{more}")).expect("a table")
}

fn record(sink: &Syslog, owned: &OwnedEvent, format: Format) -> Vec<u8> {
    let event = owned.event();
    let (mut body, mut record) = (Vec::new(), Vec::new());
    formats::writer(format).expect("a written format")(&event, &mut body);
    sink.record(&event, Body::new(format, &body), &mut record);
    record
}

/// A message, read.
#[derive(Debug)]
struct Message {
    priority: u8,
    time: String,
    hostname: String,
    app: String,
    id: String,
    params: Vec<(String, String)>,
    body: String,
}

/// Reads a message by the grammar of RFC 5424, section 6.
fn parse(message: &str) -> Result<Message, String> {
    let rest = message.strip_prefix('<').ok_or("no PRI")?;
    let (priority, rest) = rest.split_once(">1 ").ok_or("no version 1")?;
    let priority = priority.parse().map_err(|_| "PRI")?;
    let (time, rest) = rest.split_once(' ').ok_or("no TIMESTAMP")?;
    let is_time = time == "-"
        || (time.len() == 27 && time.ends_with('Z') && time.parse::<jiff::Timestamp>().is_ok());
    if priority > 191 || !is_time {
        return Err(format!("{priority} {time}"));
    }
    let mut fields = Vec::new();
    let mut rest = rest;
    for max in [255, 48, 128, 32] {
        let (field, behind) = rest.split_once(' ').ok_or("too few fields")?;
        if field.is_empty() || field.len() > max || !field.chars().all(|c| c.is_ascii_graphic()) {
            return Err(format!("the field {field}"));
        }
        fields.push(field.to_owned());
        rest = behind;
    }
    let (params, rest) = structured(rest)?;
    let body = rest.strip_prefix(' ').ok_or("no space before MSG")?;
    let [hostname, app, _, id] = fields.try_into().expect("four fields were read");
    Ok(Message {
        priority,
        time: time.to_owned(),
        hostname,
        app,
        id,
        params,
        body: body.to_owned(),
    })
}

/// Names with their values, and what stands behind an element.
type Structured<'m> = (Vec<(String, String)>, &'m str);

fn structured(text: &str) -> Result<Structured<'_>, String> {
    if let Some(rest) = text.strip_prefix('-') {
        return Ok((Vec::new(), rest));
    }
    let rest = text.strip_prefix("[kubearmor@").ok_or("no element")?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or("no end of the name")?;
    let (mut params, mut rest) = (Vec::new(), &rest[end..]);
    loop {
        if let Some(behind) = rest.strip_prefix(']') {
            return Ok((params, behind));
        }
        let (name, value) =
            rest.strip_prefix(' ').and_then(|it| it.split_once("=\"")).ok_or("no name")?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || name.len() > 32 || !name.chars().all(is_name) {
            return Err(format!("the name {name}"));
        }
        let (mut plain, mut chars) = (String::new(), value.char_indices());
        let end = loop {
            match chars.next().ok_or("no end of a value")? {
                (at, '"') => break at,
                (_, ']') => return Err("a bracket in a value".to_owned()),
                (_, '\\') => match chars.next() {
                    Some((_, c @ ('"' | '\\' | ']'))) => plain.push(c),
                    other => return Err(format!("{other:?} escaped")),
                },
                (_, c) => plain.push(c),
            }
        };
        params.push((name.to_owned(), plain));
        rest = &value[end + 1..];
    }
}

/// Takes a message out of its frame.
pub(crate) type Unframed = fn(&[u8]) -> Result<&str, String>;

/// A datagram, which is the message itself.
pub(crate) fn datagram(frame: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(frame).map_err(|error| error.to_string())
}

/// A line, in which nothing ends it.
pub(crate) fn line(frame: &[u8]) -> Result<&str, String> {
    let line = datagram(frame)?.strip_suffix('\n').ok_or("no end of the line")?;
    if line.contains(['\n', '\0']) { Err("not one line".to_owned()) } else { Ok(line) }
}

/// The id that a message's element names.
pub(crate) fn event_id(message: &str) -> Result<String, String> {
    let Message { params, .. } = parse(message).map_err(|why| format!("{why}: {message}"))?;
    let id = params.into_iter().find(|(name, _)| name == "event_id");
    id.map(|(_, id)| id).ok_or_else(|| format!("no event_id: {message}"))
}

/// The one message of an octet-counted frame.
pub(crate) fn counted(frame: &[u8]) -> Result<&str, String> {
    let (length, message) = datagram(frame)?.split_once(' ').ok_or("no length")?;
    if length.starts_with('0') || length.parse() != Ok(message.len()) {
        return Err(format!("{length} for {} bytes", message.len()));
    }
    Ok(message)
}

#[test]
fn a_block_is_one_counted_message_with_cef_in_it() {
    let owned = OwnedEvent::sample("alert-process-block");
    let frame = record(&syslog(""), &owned, Format::Cef);
    let message = parse(counted(&frame).expect("a frame")).expect("a message");
    // local0, error: severity 8 is high.
    assert_eq!(message.priority, 16 * 8 + 3);
    assert_eq!(message.time, "2026-03-02T09:14:10.523092Z");
    assert_eq!((&*message.hostname, &*message.app), ("pool-blue-7f4c", "kubearmor"));
    assert_eq!(message.id, "alert");
    let param = |name: &str| {
        let found = message.params.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    };
    assert_eq!(param("event_id"), owned.event().id().to_string());
    assert_eq!((param("policy"), param("severity")), ("shop-no-package-managers", "8"));
    assert!(message.body.starts_with("CEF:0|KubeArmor|KubeArmor|v1.7.4|"), "{}", message.body);
}

#[test]
fn native_is_a_line_for_people() {
    let body = |name: &str| {
        let frame = record(&syslog(""), &OwnedEvent::sample(name), Format::Native);
        parse(counted(&frame).expect("a frame")).expect("a message").body
    };
    assert_eq!(
        body("alert-process-block"),
        "Block Process /usr/bin/apt install -y netcat by /usr/bin/apt from /usr/bin/bash in \
         shop/checkout-6c9d7f5b88-k2xqv/checkout policy shop-no-package-managers result Permission \
         denied - A package manager was started in a running container"
    );
    assert!(body("message").starts_with("WARN - Unable to load"), "{}", body("message"));
}

#[test]
fn settings_shape_the_message() {
    let table = "framing = \"newline\"\nfacility = \"authpriv\"\napp_name = \"ka\"\nhostname = \
                 \"k8s-{{ NamespaceName }}\"\nstructured_data = false\nbom = true\nmax_message = 480";
    let frame = record(&syslog(table), &OwnedEvent::sample("log-dns"), Format::Json);
    let line = std::str::from_utf8(&frame).expect("UTF-8").strip_suffix('\n').expect("a line");
    assert!(line.len() <= 480 && !line.contains('\n'));
    let message = parse(line).expect("a message");
    assert_eq!((message.priority, &*message.app), (10 * 8 + 6, "ka"));
    assert_eq!((&*message.hostname, message.params.len()), ("k8s-shop", 0));
    // No shorter object does, so people at least are told.
    assert!(message.body.starts_with("\u{feff}") && message.body.contains(" in shop/"));
    let block = OwnedEvent::sample("alert-process-block");
    let whole = record(&syslog("framing = \"newline\""), &block, Format::Json).len() - 1;
    let tight = syslog(&format!("framing = \"newline\"\nmax_message = {}", whole - 1));
    let frame = record(&tight, &block, Format::Json);
    let message = parse(std::str::from_utf8(&frame).expect("UTF-8").trim_end()).expect("a message");
    let object: serde_json::Value = serde_json::from_str(&message.body).expect("an object");
    assert_eq!(object["truncated"], true);
}

#[test]
fn an_enterprise_may_put_its_own_number() {
    let sink = syslog("enterprise_id = 4711");
    let frame = record(&sink, &OwnedEvent::sample("message"), Format::Cef);
    assert!(String::from_utf8_lossy(&frame).contains(" [kubearmor@4711 event_id=\""));
}

#[test]
fn datagrams_have_ends_and_no_frames() {
    let sink = syslog("transport = \"udp\"");
    let mut batch = crate::contract::BatchBuilder::new(crate::contract::Stream::Alert);
    for number in 0..3 {
        let owned = OwnedEvent::sample("alert-process-block");
        let bytes = record(&sink, &owned, Format::Cef);
        assert!(bytes.len() <= DATAGRAM_MESSAGE_BYTES);
        parse(std::str::from_utf8(&bytes).expect("UTF-8")).expect("a message");
        batch.push(owned.event().id(), number, 0, |out| out.extend_from_slice(&bytes));
    }
    let request = sink.request(&batch.finish().expect("three records"));
    let ends = &request.ends;
    assert_eq!((ends.len(), ends[2], ends[1] * 3), (3, request.bytes.len(), ends[2] * 2));
    assert_eq!(sink.connection().port, 6514);
}

#[test]
fn mistakes_are_told_with_their_key() {
    for (more, path) in [
        ("transport = \"quic\"", "transport"),
        ("framing = \"lines\"", "framing"),
        ("transport = \"udp\"\nframing = \"newline\"", "framing"),
        ("facility = \"local8\"", "facility"),
        ("app_name = \"a b\"", "app_name"),
        ("hostname = \"{{ HostName }}\"", "hostname"),
        ("max_message = 100", "max_message"),
        ("transport = \"udp\"\nmax_message = \"64 KiB\"", "max_message"),
        ("transport = \"tcp\"\ntls.insecure = true", "tls"),
        ("transport = \"tcp\"\ntls.server_name = \"x\"", "tls"),
        ("timeout = \"0s\"", "timeout"),
    ] {
        let lines = format!("address = \"siem:6514\"\n{more}");
        let Err(error) = build(table(&lines)) else { panic!("{more}") };
        assert_eq!(error.path, path, "{more}: {}", error.message);
    }
    let Err(error) = build(table("address = \"tls://siem\"")) else { panic!("no address") };
    assert_eq!(error.path, "address");
}
