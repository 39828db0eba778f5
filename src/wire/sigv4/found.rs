//! AWS credentials as AWS's own tools find them, fetched by our own HTTP client.
//!
//! The search is `aws-config`'s, made anew each time: one that is kept never again reads a profile,
//! nor looks up a name that once failed. It brings no client of its own here, so that there is one
//! TLS stack and one set of trusted authorities in the program.
//!
//! Owns the line between keys that are refused or nowhere, for which the lane parks, and a server
//! in trouble, for which it waits. No token and no key is shown.

use std::{
    env, io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use aws_config::{
    Region, default_provider::credentials::DefaultCredentialsChain, provider_config::ProviderConfig,
};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials as _, error::CredentialsError},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use reqwest::{Client, redirect};
use tokio::time::timeout;
use tracing::{instrument::WithSubscriber as _, subscriber::NoSubscriber};

use super::super::{WireError, http::with_causes, proxy};

/// Finding keys takes no longer, whoever is asked and however often.
const FINDING: Duration = Duration::from_secs(15);
/// Credentials come from near by, or from AWS's token service.
const CONNECTING: Duration = Duration::from_secs(3);
const ANSWERING: Duration = Duration::from_secs(10);
/// Credentials are some thousand bytes; a token service's XML is little more.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// As much of a refusal's text as is shown.
const MAX_SHOWN_CHARS: usize = 300;
/// What precedes every sentence from here.
const WHAT: &str = "looking for AWS credentials";
/// The variables that name a file with a token.
const TOKEN_FILES: [&str; 2] =
    ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];
/// Refusals by status that pass by themselves.
const PASSING: [&str; 3] = ["Throttl", "RequestLimitExceeded", "IDPCommunicationError"];

/// Looks for keys.
#[derive(Debug)]
pub(super) struct Finder {
    region: Region,
    client: Client,
}

impl Finder {
    /// # Errors
    /// The client that keys are fetched with cannot be made.
    pub(super) fn new(region: &str) -> Result<Self, String> {
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECTING)
            .timeout(ANSWERING);
        let client = proxy::apply(builder, |name| env::var(name).ok())?
            .build()
            .map_err(|error| format!("preparing TLS: {}", with_causes(&error)))?;
        Ok(Self { region: Region::new(region.to_owned()), client })
    }

    /// # Errors
    /// [`WireError::Unusable`] where there are no keys or they are refused us,
    /// [`WireError::NotSent`] where who has them cannot answer now.
    pub(super) async fn find(&self) -> Result<Credentials, WireError> {
        let heard = Heard::default();
        // AWS's crates log answers whole where they cannot use them, keys and all.
        let unlogged = self.search(heard.clone()).with_subscriber(NoSubscriber::default());
        let found = timeout(FINDING, unlogged).await;
        let last = heard.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match found {
            Ok(Ok(keys)) => Ok(keys),
            Ok(Err(error)) => Err(failed(&error, last.as_ref())),
            Err(_) => {
                let whom = last.map_or_else(|| "nobody".to_owned(), |last| last.whom);
                Err(WireError::NotSent(format!("{WHAT}: none within {FINDING:?}, last of {whom}")))
            }
        }
    }

    async fn search(&self, heard: Heard) -> Result<Credentials, CredentialsError> {
        let client = self.client.clone();
        let http = http_client_fn(move |settings, _| {
            let (client, heard) = (client.clone(), heard.clone());
            let patience = settings.read_timeout().unwrap_or(ANSWERING).min(ANSWERING);
            SharedHttpConnector::new(OurClient { client, patience, heard })
        });
        let conf = ProviderConfig::without_region()
            .with_region(Some(self.region.clone()))
            .with_http_client(http);
        let chain = DefaultCredentialsChain::builder().configure(conf).region(self.region.clone());
        chain.build().await.provide_credentials().await
    }
}

/// Whom a search asked last, and what it heard.
#[derive(Debug, Clone, Default)]
struct Heard(Arc<Mutex<Option<Last>>>);

#[derive(Debug)]
struct Last {
    /// Scheme, host and port.
    whom: String,
    /// A status other than success, with the words to it; none without an answer.
    refusal: Option<(u16, String)>,
}

impl Heard {
    fn asking(&self, url: &reqwest::Url) {
        self.note(Last { whom: url.origin().ascii_serialization(), refusal: None });
    }

    fn refused(&self, url: &reqwest::Url, status: u16, body: &[u8]) {
        let refusal = Some((status, words(&String::from_utf8_lossy(body))));
        self.note(Last { whom: url.origin().ascii_serialization(), refusal });
    }

    fn note(&self, last: Last) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
    }
}

/// What a failed search means: a refusal, a mistake of our side's, or their trouble.
fn failed(error: &CredentialsError, last: Option<&Last>) -> WireError {
    match (error, last) {
        (CredentialsError::CredentialsNotLoaded(_), last) => {
            let instance = match last {
                Some(Last { whom, refusal: Some((status, _)) }) => {
                    format!("; the instance's metadata ({whom}) has no role: HTTP {status}")
                }
                Some(Last { whom, refusal: None }) => {
                    format!("; the instance's metadata ({whom}) cannot be reached")
                }
                None => String::new(),
            };
            WireError::Unusable(format!(
                "{WHAT}: found none in the environment, in shared files, by web identity or of \
                 the container{instance}"
            ))
        }
        (_, Some(Last { whom, refusal: Some((status, words)) })) => {
            let why = format!("{WHAT}: {whom} answers HTTP {status}: {words}");
            match is_refusal(*status, words) {
                true => WireError::Unusable(why),
                false => WireError::NotSent(why),
            }
        }
        (CredentialsError::InvalidConfiguration(_), _) => {
            WireError::Unusable(format!("{WHAT}: {}", with_causes(error)))
        }
        (_, Some(Last { whom, refusal: None })) => {
            WireError::NotSent(format!("{WHAT}: asking {whom}: {}", with_causes(error)))
        }
        // Nobody was asked, so it is something of our own.
        (_, None) => {
            WireError::Unusable(format!("{WHAT}: {}{}", token_file(error), with_causes(error)))
        }
    }
}

/// Which file could not be read: the error itself does not say.
fn token_file(error: &CredentialsError) -> String {
    let is_of_file = std::error::Error::source(error).is_some_and(|cause| cause.is::<io::Error>());
    let named = TOKEN_FILES.iter().find_map(|name| Some((name, env::var(name).ok()?)));
    match named {
        Some((name, path)) if is_of_file => format!("reading {path}, the token file by {name}: "),
        _ => String::new(),
    }
}

/// Whether trying again cannot help.
fn is_refusal(status: u16, words: &str) -> bool {
    (400..500).contains(&status)
        && !matches!(status, 408 | 429)
        && !PASSING.iter().any(|code| words.contains(code))
}

/// A refusal on one line: code and message of AWS's XML, else the text as it is. What looks like a
/// token is left out.
fn words(text: &str) -> String {
    let of = |tag: &str| {
        let (_, rest) = text.split_once(&format!("<{tag}>"))?;
        Some(rest.split_once(&format!("</{tag}>"))?.0)
    };
    let text = match (of("Code"), of("Message")) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        _ => text.to_owned(),
    };
    let shown = |word| if str::contains(word, "eyJ") { "***" } else { word };
    let words: Vec<&str> = text.split_whitespace().map(shown).collect();
    words.join(" ").chars().take(MAX_SHOWN_CHARS).collect()
}

/// Our HTTP client, as AWS's crates want one.
#[derive(Debug, Clone)]
struct OurClient {
    client: Client,
    patience: Duration,
    heard: Heard,
}

impl HttpConnector for OurClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move { this.fetch(request).await })
    }
}

impl OurClient {
    async fn fetch(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request
            .try_into_http1x()
            .map_err(|error| ConnectorError::user(error.into()))?
            .map(|body| body.bytes().map(<[u8]>::to_vec).unwrap_or_default());
        let mut request = reqwest::Request::try_from(request)
            .map_err(|error| ConnectorError::user(error.into()))?;
        *request.timeout_mut() = Some(self.patience);
        let url = request.url().clone();
        self.heard.asking(&url);
        let mut answer = self.client.execute(request).await.map_err(broken)?;
        let status = StatusCode::try_from(answer.status().as_u16())
            .map_err(|error| ConnectorError::user(error.into()))?;
        let headers = std::mem::take(answer.headers_mut());
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(ConnectorError::user("credentials of more than 64 KiB".into()));
            }
            body.extend_from_slice(&chunk);
        }
        if !status.is_success() {
            self.heard.refused(&url, status.as_u16(), &body);
        }
        let mut response = HttpResponse::new(status, body.into());
        for (name, value) in headers.iter() {
            if let Ok(value) = value.to_str() {
                response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }
}

fn broken(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    match error.is_timeout() {
        true => ConnectorError::timeout(error.into()),
        false => ConnectorError::io(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(error: CredentialsError, refusal: Option<(u16, &str)>) -> WireError {
        let refusal = refusal.map(|(status, text)| (status, words(text)));
        failed(&error, Some(&Last { whom: "https://sts.example.org".to_owned(), refusal }))
    }

    #[test]
    fn a_refusal_is_told_from_trouble() {
        let sts = "<ErrorResponse>\n<Error><Type>Sender</Type><Code>AccessDenied</Code>\
                   <Message>Not authorized, eyJhbGciOi</Message></Error></ErrorResponse>";
        let error = || CredentialsError::provider_error("service error");
        match told(error(), Some((403, sts))) {
            WireError::Unusable(why) => assert_eq!(
                why,
                "looking for AWS credentials: https://sts.example.org answers HTTP 403: \
                 AccessDenied: Not authorized, ***"
            ),
            other => panic!("{other:?}"),
        }
        for (status, text) in [
            (400, "<Code>Throttling</Code><Message>Rate exceeded</Message>"),
            (400, "<Code>IDPCommunicationError</Code><Message>later</Message>"),
            (408, ""),
            (429, ""),
            (500, "{}"),
            (503, "<html>"),
        ] {
            let told = told(error(), Some((status, text)));
            assert!(matches!(told, WireError::NotSent(_)), "{status}: {told:?}");
        }
        assert!(matches!(told(error(), None), WireError::NotSent(_)));
        assert!(matches!(failed(&error(), None), WireError::Unusable(_)), "nobody was asked");
        let nowhere = failed(&CredentialsError::not_loaded("no providers"), None);
        assert!(matches!(&nowhere, WireError::Unusable(why) if why.contains("found none")));
    }
}
