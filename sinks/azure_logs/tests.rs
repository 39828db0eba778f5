use buffa::Message as _;

use serde_json::{Value, json};
use sidearm_proto::feeder;

use super::*;
use crate::contract::{
    Arrival, Kind, Overrides, Stream, Verdict,
    testing::{batch, record, reply, sink, table},
};

const LINES: &str = "url = \"https://x.eastus-1.ingest.monitor.azure.com/\"\ndcr = \"dcr-0a1b\"\n";
const EVENT: &str = r#"{"Timestamp":1789899072,"UpdatedTime":"2026-09-20T10:11:12.000678Z","HostName":"n,\"Type\":1","Type":"MatchedPolicy","UID":0,"PPID":0,"EventData":{"A":"1","Type":"2"}}"#;

fn logs(more: &str) -> Result<AzureLogs, SettingError> {
    sink(&format!("{LINES}{more}"))
}

fn arrival(stream: Stream) -> Arrival {
    Arrival { stream, sequence: 1, received_us: 1_000_000 }
}

/// The row of a body in another format than KubeArmor's.
fn row(format: Format, body: &str) -> Value {
    let arrival = arrival(Stream::Log);
    let event = Event::decode(Kind::Event, arrival, &[], Overrides::none()).expect("an event");
    let mut record = Vec::new();
    let body = Body::new(format, body.as_bytes());
    logs("").expect("a table").record(&event, body, &mut record);
    serde_json::from_slice(record.strip_suffix(b",").expect("a comma")).expect("an object")
}

#[test]
fn a_row_is_the_event_with_a_time_an_id_and_no_reserved_column() {
    let record = record(&logs("").expect("a table"), EVENT);
    assert!(
        record.starts_with("{\"TimeGenerated\":\"2026-09-20T10:11:12.000678Z\",\"EventId\":\""),
        "{record}"
    );
    let row: Value = serde_json::from_str(record.trim_end_matches(',')).expect("an object");
    assert_eq!(row["EventId"].as_str().map(str::len), Some(32));
    assert_eq!(row["EventType"], "MatchedPolicy");
    assert_eq!(row["Type"], Value::Null);
    assert_eq!(row["HostName"], "n,\"Type\":1");
    assert_eq!(row["EventData"], json!({"A": "1", "Type": "2"}));
}

#[test]
fn a_nested_type_stays_where_the_event_has_none() {
    let data = [("A", "1"), ("Type", "2")].map(|(key, value)| (key.to_owned(), value.to_owned()));
    let alert = feeder::Alert { EventData: data.into_iter().collect(), ..Default::default() };
    let (message, arrival) = (alert.encode_to_vec(), arrival(Stream::Alert));
    let event = Event::decode(Kind::Event, arrival, &message, Overrides::none()).expect("an alert");
    let mut record = Vec::new();
    let body = Body::new(Format::Native, b"");
    logs("").expect("a table").record(&event, body, &mut record);
    let row: Value = serde_json::from_slice(&record[..record.len() - 1]).expect("an object");
    assert_eq!(row["EventData"], json!({"A": "1", "Type": "2"}));
}

#[test]
fn a_template_s_object_becomes_columns_and_its_text_a_message() {
    let own = row(Format::Template, "{\"a\": 1, \"TimeGenerated\": \"2026-01-01T00:00:00Z\"}");
    assert_eq!(own["TimeGenerated"], "2026-01-01T00:00:00Z");
    assert_eq!(own["a"], 1);
    assert_eq!(own["EventId"].as_str().map(str::len), Some(32));
    assert_eq!(row(Format::Template, "{}").as_object().map(serde_json::Map::len), Some(2));
    assert_eq!(row(Format::Text, "a \"b\"")["Message"], "a \"b\"");
    assert_eq!(row(Format::Template, "[1]")["Message"], "[1]");
    assert_eq!(row(Format::Native, "")["UID"], 0);
}

#[test]
fn a_call_is_an_array_to_the_stream_of_its_events() {
    let logs = logs("stream.alert = \"Custom-A_CL\"").expect("a table");
    let request = logs.request(&batch(2, 3));
    assert_eq!(
        request.url,
        "https://x.eastus-1.ingest.monitor.azure.com/dataCollectionRules/dcr-0a1b/streams/\
         Custom-A_CL?api-version=2023-01-01"
    );
    assert_eq!(request.body, "[      ]");
    assert_eq!(request.encoding, Encoding::FASTEST_GZIP);
    let id = request.headers["x-ms-client-request-id"].to_str().expect("text");
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert_eq!(request.headers, logs.request(&batch(2, 9)).headers, "made of ids alone");
    assert_eq!(logs.stream.of(Stream::Log), "Custom-KubeArmorLogs");
    assert_eq!(logs.stream.of(Stream::Message), "Custom-KubeArmorLogs");
}

#[test]
fn a_token_is_for_the_cloud_of_the_address() {
    let scope = |lines: &str| {
        let connection = sink::<AzureLogs>(lines).expect("a table").connection();
        match connection.proof {
            Some(Proof::Entra(entra)) => (entra.scope, entra.cloud),
            other => panic!("{other:?}"),
        }
    };
    let of = |host: &str| scope(&format!("url = \"https://{host}\"\ndcr = \"dcr-1\""));
    assert_eq!(
        of("x.eastus-1.ingest.monitor.azure.com"),
        ("https://monitor.azure.com/.default".to_owned(), Cloud::Public)
    );
    assert_eq!(of("x.ingest.monitor.azure.us").0, "https://monitor.azure.us/.default");
    assert_eq!(of("x.ingest.monitor.azure.cn").0, "https://monitor.azure.cn/.default");
    let own = scope(&format!("{LINES}scope = \"https://own/.default\""));
    assert_eq!(own.0, "https://own/.default");
}

#[test]
fn mistakes_are_told_with_their_key() {
    for (more, path) in [
        ("stream = \"KubeArmor\"", "stream"),
        ("stream.alerts = \"Custom-A\"", "stream"),
        ("stream.log = \"Custom-\"", "stream"),
        ("scope = \"monitor\"", "scope"),
        ("identity.client_secret = \"hunter2\"", "identity"),
        ("compression = \"gzip:0\"", "compression"),
    ] {
        let error = logs(more).expect_err(more);
        assert!(error.path.starts_with(path), "{more}: {error:?}");
        assert!(!error.message.contains("hunter2"), "{error:?}");
    }
    for (lines, path) in [
        ("url = \"https://h/path\"\ndcr = \"dcr-1\"", "url"),
        ("url = \"https://u:hunter2@h\"\ndcr = \"dcr-1\"", "url"),
        ("url = \"https://h\"\ndcr = \"/subscriptions/s\"", "dcr"),
    ] {
        let error = sink::<AzureLogs>(lines).expect_err(lines);
        assert_eq!(error.path, path);
        assert!(!error.message.contains("hunter2"), "{error:?}");
    }
    let error = build(table(&format!("{LINES}timeout = \"0s\""))).err().expect("no time");
    assert_eq!(error.path, "timeout");
}

#[test]
fn answers_mean_what_their_status_says() {
    for (status, expected) in [
        (204, "accepted"),
        (200, "accepted"),
        (415, "blocked"),
        (401, "blocked"),
        (403, "blocked"),
        (404, "blocked"),
        (413, "smaller"),
        (429, "later"),
        (500, "later"),
        (503, "later"),
    ] {
        let verdict: Verdict<Http> =
            logs("").expect("a table").verdict(&batch(2, 1), &reply(status, ""));
        assert_eq!(verdict.name(), expected, "{status}");
    }
    for (body, expected) in [
        (r#"{"error":{"code":"InvalidRecord","message":"row 3"}}"#, "never"),
        (r#"{"error":{"code":"InvalidPayload","message":"not an array"}}"#, "never"),
        (r#"{"error":{"code":"InvalidStream","message":"no such stream"}}"#, "blocked"),
        (r#"{"error":{"code":"InvalidTransformOutput","message":"a column"}}"#, "blocked"),
        ("<html>400 The plain HTTP request was sent to HTTPS port</html>", "blocked"),
        ("", "blocked"),
    ] {
        let verdict: Verdict<Http> =
            logs("").expect("a table").verdict(&batch(2, 1), &reply(400, body));
        assert_eq!(verdict.name(), expected, "{body}");
    }
}
