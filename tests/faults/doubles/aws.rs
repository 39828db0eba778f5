//! AWS's token service, EKS's pod identity agent, an instance's metadata, and an OpenSearch domain,
//! in one server: each checks what the service checks. A signature is checked as AWS documents it
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>),
//! step by step and with no code of those that sign.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    io::Read as _,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{Method, Response, StatusCode, header, request::Parts};
use jiff::{Timestamp, tz::TimeZone};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::{net::TcpListener, task::JoinSet};

pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const ROLE: &str = "arn:aws:iam::123456789012:role/kubearmor-siem";
/// The tokens that a pod's files hold: for the token service, and for the agent.
pub(crate) const WEB_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.hunter2-web.c2lnbmF0dXJl";
pub(crate) const POD_TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.hunter2-pod.c2lnbmF0dXJl";
/// Keys of a user, which never end.
pub(crate) const LASTING: (&str, &str) = ("AKIDLASTING", "hunter2/secret+of+a+user");
/// A session's keys that were given out elsewhere.
pub(crate) const SESSION: (&str, &str, &str) =
    ("ASIASESSION", "hunter2/secret+of+a+session", "hunter2//token+of+a+session==");
const METADATA_TOKEN: &str = "hunter2-metadata-token==";
const METADATA_SECONDS: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// Requests that are older, or from further ahead, are refused.
const MAX_SKEW: Duration = Duration::from_secs(5 * 60);
const MAX_BODY_BYTES: usize = 10 << 20;

/// What it does otherwise than well.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble {
    /// What whoever gives keys answers instead, so often.
    pub(crate) keys: Vec<(u16, &'static str)>,
    /// Seconds that keys are good for; an hour where none is given.
    pub(crate) keys_seconds: Option<u64>,
    /// Keys that are taken no more.
    pub(crate) revoked: BTreeSet<String>,
}

#[derive(Debug)]
struct Known {
    secret: String,
    token: Option<String>,
    ends: Option<SystemTime>,
}

#[derive(Debug, Default)]
struct Seen {
    trouble: Trouble,
    service: &'static str,
    known: BTreeMap<String, Known>,
    given: usize,
    /// Documents by the key that signed for them.
    taken: Vec<(String, String)>,
    refusals: Vec<String>,
}

type Shared = Arc<Mutex<Seen>>;

/// The server; it ends when it is dropped.
pub(crate) struct Aws {
    pub(crate) url: String,
    seen: Shared,
    tasks: Mutex<JoinSet<()>>,
}

impl Aws {
    pub(crate) async fn start(service: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let lasting = |secret: &str, token: Option<&str>| Known {
            secret: secret.to_owned(),
            token: token.map(str::to_owned),
            ends: None,
        };
        let known = BTreeMap::from([
            (LASTING.0.to_owned(), lasting(LASTING.1, None)),
            (SESSION.0.to_owned(), lasting(SESSION.1, Some(SESSION.2))),
        ]);
        let seen = Arc::new(Mutex::new(Seen { service, known, ..Seen::default() }));
        let this = Self { url, seen, tasks: Mutex::default() };
        this.listen(listener);
        this
    }

    /// Serves at one more address.
    pub(crate) fn listen(&self, listener: TcpListener) {
        let app = Router::new().fallback(answer).with_state(self.seen.clone());
        let mut tasks = self.tasks.lock().expect("nothing panics while it is held");
        tasks.spawn(async move { axum::serve(listener, app).await.expect("it serves") });
    }

    pub(crate) fn trouble(&self, trouble: Trouble) {
        self.with(|seen| seen.trouble = trouble);
    }

    /// Ids of the documents taken, and by whose key.
    pub(crate) fn taken(&self) -> Vec<(String, String)> {
        self.with(|seen| seen.taken.clone())
    }

    /// How often keys were given out.
    pub(crate) fn given(&self) -> usize {
        self.with(|seen| seen.given)
    }

    /// What was wrong with calls, in order.
    pub(crate) fn refusals(&self) -> Vec<String> {
        self.with(|seen| seen.refusals.clone())
    }

    fn with<T>(&self, look: impl FnOnce(&mut Seen) -> T) -> T {
        look(&mut self.seen.lock().expect("nothing panics while it is held"))
    }
}

/// Status, content type and body.
type Answer = (u16, &'static str, String);

async fn answer(State(seen): State<Shared>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_BODY_BYTES).await.expect("a body of ours");
    let mut seen = seen.lock().expect("nothing panics while it is held");
    let (status, kind, body) = answered(&mut seen, &head, &body);
    if status >= 400 {
        seen.refusals.push(format!("{status} {} {}: {body}", head.method, head.uri));
    }
    let status = StatusCode::from_u16(status).expect("a status");
    let mut answer = Response::builder().status(status).header(header::CONTENT_TYPE, kind);
    // A session's lifetime is told back to who asks for one.
    if let Some(seconds) = head.headers.get(METADATA_SECONDS) {
        answer = answer.header(METADATA_SECONDS, seconds);
    }
    answer.body(Body::from(body)).expect("an answer")
}

fn answered(seen: &mut Seen, head: &Parts, body: &[u8]) -> Answer {
    let path = head.uri.path();
    let gives_keys = !path.ends_with("/_bulk");
    if gives_keys && !seen.trouble.keys.is_empty() {
        let (status, body) = seen.trouble.keys.remove(0);
        return (status, "text/plain", body.to_owned());
    }
    const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
    match (&head.method, path) {
        (&Method::POST, "/") => token_service(seen, head, body),
        (&Method::GET, "/v1/credentials") => pod_identity(seen, head),
        (&Method::PUT, "/latest/api/token") => metadata_token(head),
        (&Method::GET, path) if path.starts_with(ROLES) => {
            metadata(seen, head, path.trim_start_matches(ROLES))
        }
        (&Method::POST, path) if path.ends_with("/_bulk") => bulk(seen, head, body),
        _ => (404, "text/plain", "Not Found".to_owned()),
    }
}

fn text<'a>(head: &'a Parts, name: &str) -> &'a str {
    head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// New keys: id, secret, token and end.
fn new_keys(seen: &mut Seen) -> [String; 4] {
    seen.given += 1;
    let [id, secret, token] = ["ASIA", "hunter2/secret+", "hunter2//token=="]
        .map(|begin| format!("{begin}{:04}", seen.given));
    let ends = SystemTime::now() + Duration::from_secs(seen.trouble.keys_seconds.unwrap_or(3600));
    let known = Known { secret: secret.clone(), token: Some(token.clone()), ends: Some(ends) };
    seen.known.insert(id.clone(), known);
    let ends = Timestamp::try_from(ends).expect("a time of this age");
    [id, secret, token, ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()]
}

fn sts_error(status: u16, code: &str, message: &str) -> Answer {
    let body = format!(
        "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender\
         </Type><Code>{code}</Code><Message>{message}</Message></Error>\
         <RequestId>1</RequestId></ErrorResponse>"
    );
    (status, "text/xml", body)
}

/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html>
fn token_service(seen: &mut Seen, head: &Parts, body: &[u8]) -> Answer {
    let form: BTreeMap<String, String> = std::str::from_utf8(body)
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decoded(name), decoded(&value.replace('+', " "))))
        .collect();
    let of = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    // The call is not signed: its caller has no keys yet.
    if head.headers.contains_key(header::AUTHORIZATION) {
        return sts_error(400, "IncompleteSignature", "this call is not signed");
    }
    if (of("Action"), of("Version")) != ("AssumeRoleWithWebIdentity", "2011-06-15") {
        return sts_error(400, "InvalidAction", "Could not find operation");
    }
    let session = of("RoleSessionName");
    let is_name = |c: char| c.is_ascii_alphanumeric() || "_=,.@-".contains(c);
    if !(2..=64).contains(&session.len()) || !session.chars().all(is_name) {
        return sts_error(400, "ValidationError", "RoleSessionName");
    }
    if of("WebIdentityToken") != WEB_TOKEN {
        return sts_error(400, "InvalidIdentityToken", "Couldn't retrieve verification key");
    }
    if of("RoleArn") != ROLE {
        let message = "Not authorized to perform sts:AssumeRoleWithWebIdentity";
        return sts_error(403, "AccessDenied", message);
    }
    let [id, secret, token, ends] = new_keys(seen);
    let body = format!(
        "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
         <AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>{id}</AccessKeyId>\
         <SecretAccessKey>{secret}</SecretAccessKey><SessionToken>{token}</SessionToken>\
         <Expiration>{ends}</Expiration></Credentials><AssumedRoleUser>\
         <Arn>arn:aws:sts::123456789012:assumed-role/kubearmor-siem/{session}</Arn>\
         <AssumedRoleId>AROA1:{session}</AssumedRoleId></AssumedRoleUser>\
         </AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    );
    (200, "text/xml", body)
}

/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html>
fn pod_identity(seen: &mut Seen, head: &Parts) -> Answer {
    if text(head, "authorization") != POD_TOKEN {
        let body =
            format!("[5f1c]: (InvalidTokenException): {} is no token", text(head, "authorization"));
        return (400, "text/plain", body);
    }
    let [id, secret, token, ends] = new_keys(seen);
    let body = json!({
        "AccessKeyId": id, "SecretAccessKey": secret, "Token": token, "Expiration": ends,
        "AccountId": "123456789012",
    });
    (200, "application/json", body.to_string())
}

/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html>
fn metadata_token(head: &Parts) -> Answer {
    let seconds = text(head, METADATA_SECONDS).parse().unwrap_or(0);
    if !(1..=21_600).contains(&seconds) {
        return (400, "text/plain", "Bad Request".to_owned());
    }
    if head.headers.contains_key("x-forwarded-for") {
        return (403, "text/plain", "Forbidden".to_owned());
    }
    (200, "text/plain", METADATA_TOKEN.to_owned())
}

/// Only with a token: the first version of the service answers without.
fn metadata(seen: &mut Seen, head: &Parts, role: &str) -> Answer {
    if text(head, "x-aws-ec2-metadata-token") != METADATA_TOKEN {
        return (401, "text/plain", "Unauthorized".to_owned());
    }
    match role {
        "" => (200, "text/plain", "kubearmor-siem".to_owned()),
        "kubearmor-siem" => {
            let [id, secret, token, ends] = new_keys(seen);
            let body = json!({
                "Code": "Success", "LastUpdated": "2026-01-01T00:00:00Z", "Type": "AWS-HMAC",
                "AccessKeyId": id, "SecretAccessKey": secret, "Token": token, "Expiration": ends,
            });
            (200, "application/json", body.to_string())
        }
        _ => (404, "text/plain", "Not Found".to_owned()),
    }
}

fn bulk(seen: &mut Seen, head: &Parts, body: &[u8]) -> Answer {
    let key = match signed_by(seen, head, body) {
        Ok(key) => key,
        Err(message) => {
            return (403, "application/json", json!({ "message": message }).to_string());
        }
    };
    let mut lines = String::new();
    let read = match text(head, "content-encoding") {
        "gzip" => flate2::read::GzDecoder::new(body).read_to_string(&mut lines),
        _ => { body }.read_to_string(&mut lines),
    };
    if read.is_err() || !lines.ends_with('\n') {
        return (400, "application/json", json!({"error": "no bulk"}).to_string());
    }
    let actions = lines.lines().step_by(2).map(serde_json::from_str::<Value>);
    let ids: Option<Vec<String>> =
        actions.map(|action| Some(action.ok()?["create"]["_id"].as_str()?.to_owned())).collect();
    let Some(ids) = ids else {
        return (400, "application/json", json!({"error": "no action"}).to_string());
    };
    let items: Vec<Value> = ids.iter().map(|_| json!({"create": {"status": 201}})).collect();
    seen.taken.extend(ids.into_iter().map(|id| (id, key.clone())));
    (200, "application/json", json!({"errors": false, "items": items}).to_string())
}

/// The key that signed for a request, or what the service says of it.
fn signed_by(seen: &Seen, head: &Parts, body: &[u8]) -> Result<String, String> {
    let parts = text(head, "authorization")
        .strip_prefix("AWS4-HMAC-SHA256 ")
        .ok_or("Missing Authentication Token")?;
    let fields: BTreeMap<&str, &str> =
        parts.split(", ").filter_map(|part| part.split_once('=')).collect();
    let field = |name: &str| {
        fields.get(name).copied().ok_or_else(|| format!("Authorization header requires '{name}'"))
    };
    let (scope, names, signature) =
        (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let [id, day, region, service, "aws4_request"] = scope.split('/').collect::<Vec<_>>()[..]
    else {
        return Err("Credential must have at least 5 slash-delimited elements".to_owned());
    };
    if (region, service) != (REGION, seen.service) {
        return Err(format!("Credential should be scoped to a valid region, not '{region}'."));
    }
    let known = seen.known.get(id).filter(|_| !seen.trouble.revoked.contains(id));
    let known = known.ok_or("The security token included in the request is invalid.")?;
    if known.ends.is_some_and(|ends| ends <= SystemTime::now()) {
        return Err("The security token included in the request is expired".to_owned());
    }
    if known.token.as_deref().unwrap_or_default() != text(head, "x-amz-security-token") {
        return Err("The security token included in the request is invalid.".to_owned());
    }
    let moment = text(head, "x-amz-date");
    is_of_now(moment, day)?;
    let sum = hex(&Sha256::digest(body));
    if text(head, "x-amz-content-sha256") != sum {
        return Err("The provided x-amz-content-sha256 header does not match".to_owned());
    }
    all_signed(head, names)?;
    let canonical = canonical(head, names, &sum);
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let to_sign =
        format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let key = [day, region, service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{}", known.secret).into_bytes(), |key, part| mac(&key, part));
    match hex(&mac(&key, &to_sign)) == signature {
        true => Ok(id.to_owned()),
        false => Err("The request signature we calculated does not match".to_owned()),
    }
}

fn is_of_now(moment: &str, day: &str) -> Result<(), String> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", moment)
        .and_then(|time| time.to_zoned(TimeZone::UTC))
        .map_err(|_| "Date must be in ISO-8601 'basic format'")?;
    let time = SystemTime::from(time.timestamp());
    let now = SystemTime::now();
    if !(now - MAX_SKEW..now + MAX_SKEW).contains(&time) || !moment.starts_with(day) {
        return Err(format!("Signature expired: {moment}"));
    }
    Ok(())
}

/// The host, the content type and everything of AWS's must be signed.
fn all_signed(head: &Parts, names: &str) -> Result<(), String> {
    let names: Vec<&str> = names.split(';').collect();
    let due = head
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .filter(|name| matches!(*name, "host" | "content-type") || name.starts_with("x-amz-"));
    for name in due {
        if !names.contains(&name) {
            return Err(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization"));
        }
    }
    match names.is_sorted() {
        true => Ok(()),
        false => Err("SignedHeaders must be sorted".to_owned()),
    }
}

fn canonical(head: &Parts, names: &str, sum: &str) -> String {
    // The path as it was sent, encoded once more: only S3's is not.
    let path: Vec<String> = head.uri.path().split('/').map(encoded).collect();
    let query = head.uri.query().unwrap_or_default();
    let mut query: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| format!("{}={}", encoded(&decoded(name)), encoded(&decoded(value))))
        .collect();
    query.sort();
    let mut headers = String::new();
    for name in names.split(';') {
        let words: Vec<&str> = text(head, name).split_whitespace().collect();
        writeln!(headers, "{name}:{}", words.join(" ")).expect("a string takes every write");
    }
    let (path, query) = (path.join("/"), query.join("&"));
    format!("{}\n{path}\n{query}\n{headers}\n{names}\n{sum}", head.method)
}

/// Everything but `A-Z a-z 0-9 - . _ ~` by percent and capital digits.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(byte.into());
            }
            _ => write!(out, "%{byte:02X}").expect("a string takes every write"),
        }
        out
    })
}

fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (hex, rest) = part.split_at_checked(2).expect("two digits behind a percent sign");
        bytes.push(u8::from_str_radix(hex, 16).expect("two digits behind a percent sign"));
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).expect("UTF-8")
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").expect("a string takes every write");
        out
    })
}
