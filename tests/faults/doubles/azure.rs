//! Microsoft Entra's token server, a node's own, the Logs Ingestion API, and Event Hubs by HTTPS, in
//! one server: each checks what the service checks and answers as it does.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{net::TcpListener, task::JoinSet};

/// Of one call of the Logs Ingestion API, before compression and after it.
const MAX_CALL_BYTES: usize = 1024 * 1024;
/// Of one publication to an event hub.
const MAX_PUBLICATION_BYTES: usize = 1024 * 1024;
pub(crate) const RULE: &str = "dcr-0123456789abcdef";
pub(crate) const SECRET: &str = "hunter2-of-an-application";
/// What a cluster's token file holds, and one that has ended.
pub(crate) const ASSERTION: &str = "eyJhbGciOiJSUzI1NiJ9.hunter2-of-a-pod.c2lnbmF0dXJl";
pub(crate) const ENDED_ASSERTION: &str = "eyJhbGciOiJSUzI1NiJ9.hunter2-that-ended.c2lnbmF0dXJl";
/// What App Service gives its applications to show.
pub(crate) const IDENTITY_HEADER: &str = "hunter2-of-an-app";
pub(crate) const KEY: &str = "hunter2-of-a-hub";

/// What it does otherwise than well.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble {
    /// What the token server answers instead of a token.
    pub(crate) token: Option<(u16, &'static str)>,
    /// Seconds a token is good for.
    pub(crate) token_seconds: Option<u64>,
    /// What the next calls answer, `Retry-After` in seconds.
    pub(crate) calls: Vec<(u16, Option<u64>)>,
    /// A call with the event of this `ExecID` in it is refused whole.
    pub(crate) poison: Option<u64>,
}

#[derive(Debug, Default)]
struct Seen {
    trouble: Trouble,
    tokens: usize,
    /// Rows by stream, messages by hub: each one's id.
    taken: BTreeMap<String, Vec<String>>,
    refusals: BTreeSet<String>,
}

/// The server; it ends when it is dropped.
pub(crate) struct Azure {
    pub(crate) address: SocketAddr,
    seen: Shared,
    _task: JoinSet<()>,
}

type Shared = Arc<Mutex<Seen>>;

impl Azure {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Shared::default();
        let app = Router::new()
            .route("/{tenant}/oauth2/v2.0/token", post(token))
            .route("/metadata/identity/oauth2/token", get(node_token))
            .route("/msi/token", get(app_token))
            .route("/dataCollectionRules/{rule}/streams/{stream}", post(logs))
            .route("/{hub}/messages", post(messages))
            .with_state(seen.clone())
            .layer(axum::extract::DefaultBodyLimit::max(8 * MAX_CALL_BYTES));
        let mut task = JoinSet::new();
        task.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
        Self { address, seen, _task: task }
    }

    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.with(|seen| seen.trouble = trouble);
    }

    /// Ids that a stream or a hub took, in order.
    pub(crate) fn taken(&self, by: &str) -> Vec<String> {
        self.with(|seen| seen.taken.get(by).cloned().unwrap_or_default())
    }

    /// Tokens given out.
    pub(crate) fn tokens(&self) -> usize {
        self.with(|seen| seen.tokens)
    }

    /// What was wrong with calls.
    pub(crate) fn refusals(&self) -> BTreeSet<String> {
        self.with(|seen| seen.refusals.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().expect("nothing panics while it is held"))
    }
}

type Parameters = Query<BTreeMap<String, String>>;

fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later than 1970").as_secs()
}

/// A refusal with its words, as the services write them.
fn refused(status: u16, code: &str) -> Response {
    let body = json!({"error": {"code": code, "message": format!("{code}, says the double")}});
    let status = StatusCode::from_u16(status).expect("a status");
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn token(State(seen): State<Shared>, Path(tenant): Path<String>, body: String) -> Response {
    let mut seen = seen.lock().expect("nothing panics while it is held");
    if let Some((status, body)) = seen.trouble.token {
        let status = StatusCode::from_u16(status).expect("a status");
        return (status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
    }
    let form: BTreeMap<String, String> =
        body.split('&').filter_map(|pair| pair.split_once('=')).map(decoded).collect();
    let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    let is_known = (tenant.as_str(), of("client_id")) == ("tenant-1", "client-1")
        && of("grant_type") == "client_credentials"
        && of("scope").ends_with("/.default");
    let refusal = match (of("client_secret"), of("client_assertion")) {
        _ if !is_known => Some("AADSTS700016: Application was not found in the directory."),
        (SECRET, "") => None,
        (_, "") => Some("AADSTS7000215: Invalid client secret provided."),
        ("", _) if of("client_assertion_type") != JWT_BEARER => {
            Some("AADSTS900144: The request body must contain client_assertion_type.")
        }
        ("", ASSERTION) => None,
        ("", ENDED_ASSERTION) => {
            Some("AADSTS700024: Client assertion is not within its valid time range.")
        }
        _ => Some("AADSTS700211: No matching federated identity record found."),
    };
    if let Some(description) = refusal {
        let body = json!({"error": "invalid_client", "error_description": description});
        return (StatusCode::UNAUTHORIZED, body.to_string()).into_response();
    }
    seen.tokens += 1;
    let token = format!("token-{}", seen.tokens);
    let seconds = seen.trouble.token_seconds.unwrap_or(3600);
    let body = json!({"token_type": "Bearer", "expires_in": seconds, "access_token": token});
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

/// <https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow>
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An application's own, at App Service and its kin: by a header instead of a place on the link
/// (<https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference>).
async fn app_token(
    State(seen): State<Shared>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    if headers.get("x-identity-header").is_none_or(|value| value != IDENTITY_HEADER) {
        return refused(401, "Unauthorized");
    }
    let is_right = parameters.get("api-version").is_some_and(|version| version == "2019-08-01")
        && parameters.get("resource").is_some_and(|resource| !resource.ends_with(".default"));
    match is_right {
        true => managed(&seen, &parameters),
        false => refused(400, "invalid_request"),
    }
}

async fn node_token(
    State(seen): State<Shared>,
    Query(parameters): Parameters,
    headers: HeaderMap,
) -> Response {
    let is_right = headers.get("metadata").is_some_and(|value| value == "true")
        && parameters.contains_key("api-version")
        && parameters.get("resource").is_some_and(|resource| !resource.ends_with(".default"))
        && parameters.get("client_id").is_some_and(|id| id == "client-1");
    if !is_right {
        return refused(400, "invalid_request");
    }
    managed(&seen, &parameters)
}

/// A managed identity's token.
fn managed(seen: &Shared, parameters: &BTreeMap<String, String>) -> Response {
    let mut seen = seen.lock().expect("nothing panics while it is held");
    seen.tokens += 1;
    let token = format!("token-{}", seen.tokens);
    let ends = (now_seconds() + 3600).to_string();
    let resource = &parameters["resource"];
    let body = json!({
        "access_token": token, "expires_on": ends, "token_type": "Bearer", "resource": resource
    });
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

async fn logs(
    State(seen): State<Shared>,
    Path((rule, stream)): Path<(String, String)>,
    Query(parameters): Parameters,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut seen = seen.lock().expect("nothing panics while it is held");
    if let Some(answer) = scripted(&mut seen) {
        return answer;
    }
    match rows(&seen, &rule, &stream, &parameters, &headers, &body) {
        Ok(ids) => {
            seen.taken.entry(stream).or_default().extend(ids);
            StatusCode::NO_CONTENT.into_response()
        }
        Err((status, code)) => {
            seen.refusals.insert(code.to_owned());
            refused(status, code)
        }
    }
}

fn scripted(seen: &mut Seen) -> Option<Response> {
    if seen.trouble.calls.is_empty() {
        return None;
    }
    let (status, retry_after) = seen.trouble.calls.remove(0);
    let mut answer = refused(status, "AsTheScriptHasIt");
    if let Some(seconds) = retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    }
    Some(answer)
}

type Refusal = (u16, &'static str);

/// The ids of a call's rows; a call is taken whole or not at all.
fn rows(
    seen: &Seen,
    rule: &str,
    stream: &str,
    parameters: &BTreeMap<String, String>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Vec<String>, Refusal> {
    let has = |name: header::HeaderName, value: &str| {
        headers.get(name).is_some_and(|found| found.as_bytes().starts_with(value.as_bytes()))
    };
    if !has(header::AUTHORIZATION, "Bearer token-") {
        return Err((401, "InvalidToken"));
    }
    if parameters.get("api-version").map(String::as_str) != Some("2023-01-01") {
        return Err((400, "InvalidApiVersion"));
    }
    if rule != RULE {
        return Err((404, "NotFound"));
    }
    if !["Custom-KubeArmorAlerts", "Custom-KubeArmorLogs"].contains(&stream) {
        return Err((400, "InvalidStream"));
    }
    if !has(header::CONTENT_TYPE, "application/json") {
        return Err((415, "UnsupportedMediaType"));
    }
    let mut whole = Vec::new();
    if has(header::CONTENT_ENCODING, "gzip") {
        let read = flate2::read::GzDecoder::new(body).read_to_end(&mut whole);
        read.map_err(|_| (400, "InvalidContentEncoding"))?;
    } else {
        whole.extend_from_slice(body);
    }
    if body.len().max(whole.len()) > MAX_CALL_BYTES {
        return Err((413, "ContentLengthLimitExceeded"));
    }
    if let Some(poison) = seen.trouble.poison
        && String::from_utf8_lossy(&whole).contains(&format!("\"ExecID\":\"{poison}\""))
    {
        return Err((400, "InvalidRecord"));
    }
    let rows: Vec<serde_json::Map<String, Value>> =
        serde_json::from_slice(&whole).map_err(|_| (400, "InvalidPayload"))?;
    rows.iter().map(row_id).collect()
}

/// A row's id, where its columns have the types of the table.
fn row_id(row: &serde_json::Map<String, Value>) -> Result<String, Refusal> {
    let time = row.get("TimeGenerated").and_then(Value::as_str).unwrap_or_default();
    time.parse::<jiff::Timestamp>().map_err(|_| (400, "InvalidTimeGenerated"))?;
    for (name, value) in row {
        let is_name = name.len() <= 45
            && name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_reserved = ["Type", "TenantId", "Title", "id", "UniqueId"].contains(&name.as_str());
        let is_typed = match name.as_str() {
            "Timestamp"
            | "PID"
            | "PPID"
            | "UID"
            | "HostPID"
            | "HostPPID"
            | "Lost"
            | "MaxAlertsPerSec"
            | "DroppingAlertsInterval" => value.is_i64(),
            "Owner" | "EventData" | "ExecEvent" => value.is_object(),
            "ATags" => value.is_array(),
            _ => value.is_string(),
        };
        if !is_name || is_reserved || !is_typed {
            return Err((400, "InvalidColumn"));
        }
    }
    let id = row.get("EventId").and_then(Value::as_str).ok_or((400, "NoEventId"))?;
    Ok(id.to_owned())
}

async fn messages(
    State(seen): State<Shared>,
    Path(hub): Path<String>,
    Query(parameters): Parameters,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut seen = seen.lock().expect("nothing panics while it is held");
    if let Some(answer) = scripted(&mut seen) {
        return answer;
    }
    match published(&seen, &hub, &parameters, &headers, &body) {
        Ok(ids) => {
            seen.taken.entry(hub).or_default().extend(ids);
            StatusCode::CREATED.into_response()
        }
        Err((status, code)) => {
            seen.refusals.insert(code.to_owned());
            refused(status, code)
        }
    }
}

/// The ids of a publication's messages.
fn published(
    seen: &Seen,
    hub: &str,
    parameters: &BTreeMap<String, String>,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Vec<String>, Refusal> {
    let text = |name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let proof = text("authorization");
    if !proof.starts_with("Bearer token-") && !is_signed(&proof, hub) {
        return Err((401, "SubCode=40103: Invalid authorization token signature"));
    }
    if hub != "kubearmor" {
        return Err((404, "SubCode=40400: Endpoint not found"));
    }
    if parameters.get("api-version").map(String::as_str) != Some("2014-01") {
        return Err((400, "SubCode=40000: api-version"));
    }
    if body.len() > MAX_PUBLICATION_BYTES {
        return Err((413, "SubCode=50413: The received message is too large"));
    }
    if let Some(poison) = seen.trouble.poison
        && String::from_utf8_lossy(body).contains(&format!("\\\"ExecID\\\":\\\"{poison}\\\""))
    {
        return Err((400, "SubCode=40000: Bad Request"));
    }
    if text("content-type") != "application/vnd.microsoft.servicebus.json" {
        let properties: Value = serde_json::from_str(&text("brokerproperties"))
            .map_err(|_| (400, "SubCode=40000: BrokerProperties"))?;
        let key = properties["PartitionKey"].as_str().unwrap_or_default();
        if key.is_empty() || key.len() > 128 || body.is_empty() {
            return Err((400, "SubCode=40000: PartitionKey"));
        }
        return Ok(vec![text("event_id")]);
    }
    // A batch has no place for these; the service passes over them, to nobody's knowledge.
    if headers.contains_key("brokerproperties") {
        return Err((400, "properties in a batch's headers"));
    }
    let messages: Vec<Value> =
        serde_json::from_slice(body).map_err(|_| (400, "SubCode=40000: Bad Request"))?;
    let id = |message: &Value| {
        message["Body"].as_str().ok_or((400, "SubCode=40000: no Body"))?;
        let id = message["UserProperties"]["event_id"].as_str();
        Ok(id.ok_or((400, "SubCode=40000: UserProperties"))?.to_owned())
    };
    messages.iter().map(id).collect()
}

/// Whether a signature is of our key, for this hub, and still good.
pub(super) fn is_signed(proof: &str, hub: &str) -> bool {
    let Some(fields) = proof.strip_prefix("SharedAccessSignature ") else { return false };
    let fields: BTreeMap<&str, &str> =
        fields.split('&').filter_map(|field| field.split_once('=')).collect();
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).expect("any key");
    mac.update(format!("{}\n{}", field("sr"), field("se")).as_bytes());
    let expected = BASE64.encode(mac.finalize().into_bytes());
    let (_, resource) = decoded(("", field("sr")));
    let (_, signature) = decoded(("", field("sig")));
    signature == expected
        && field("skn") == "send"
        && resource.ends_with(&format!("/{hub}"))
        && field("se").parse::<u64>().is_ok_and(|end| end > now_seconds())
}

/// A pair of a form, with its percent signs resolved.
fn decoded((name, value): (&str, &str)) -> (String, String) {
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = std::str::from_utf8(after.get(..2).unwrap_or_default()).unwrap_or_default();
        match (first, u8::from_str_radix(hex, 16)) {
            (b'%', Ok(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (first, _) => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    (name.to_owned(), String::from_utf8_lossy(&bytes).into_owned())
}
