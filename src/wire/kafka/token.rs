//! A token of OAuth 2, by client credentials or of Microsoft Entra, fetched when the producer wants
//! a new one.
//!
//! The producer's own thread asks and waits; the request itself runs on the engine's runtime.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::client::OAuthToken;
use reqwest::{Client, StatusCode, redirect};
use serde::Deserialize;
use sidearm_sinks::contract::{Sasl, Secret, SecretUrl, Tls};
use tokio::runtime::Handle;

use crate::wire::{WireError, entra, proxy, tls};

/// How long one token may take; the producer's reports wait as long.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a token lives where the server does not say.
const DEFAULT_LIFE_S: u64 = 300;
/// No token is as long; what is behind it is not read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Why there is no token.
#[derive(Debug)]
pub(super) enum NoToken {
    /// The server refuses who we are.
    Refused(String),
    /// It could not be asked, or was in trouble: a later try may do.
    Trouble(String),
}

/// The way to tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    source: Source,
    runtime: Handle,
}

#[derive(Debug)]
enum Source {
    Server(Server),
    Entra(entra::Tokens),
}

/// A server that gives tokens for client credentials.
#[derive(Debug)]
struct Server {
    url: SecretUrl,
    client_id: String,
    client_secret: Secret,
    scope: Option<String>,
    tls: Tls,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    /// Nothing where the proof is no token.
    pub(super) fn new(sasl: &Sasl) -> Option<Self> {
        let source = match sasl {
            Sasl::Password { .. } => return None,
            Sasl::Bearer { token_url, client_id, client_secret, scope, tls } => {
                Source::Server(Server {
                    url: token_url.clone(),
                    client_id: client_id.clone(),
                    client_secret: client_secret.clone(),
                    scope: scope.clone(),
                    tls: tls.clone(),
                })
            }
            Sasl::Entra(entra) => Source::Entra(entra::Tokens::new(entra, WITHIN)),
        };
        Some(Self { source, runtime: Handle::try_current().ok()? })
    }

    /// Fetches one; blocks. Never called on a thread of the runtime.
    pub(super) fn fetch(&self) -> Result<OAuthToken, NoToken> {
        match &self.source {
            Source::Server(server) => self.runtime.block_on(server.token()),
            Source::Entra(tokens) => self.runtime.block_on(of_entra(tokens)),
        }
    }
}

async fn of_entra(tokens: &entra::Tokens) -> Result<OAuthToken, NoToken> {
    let token = tokens.token().await.map_err(|error| match error {
        WireError::Unusable(why) => NoToken::Refused(why),
        error => NoToken::Trouble(error.to_string()),
    })?;
    Ok(OAuthToken {
        token: token.token.secret().to_owned(),
        // The token says who we are; the producer only wants something here.
        principal_name: "sidearm".to_owned(),
        lifetime_ms: token.expires_on.unix_timestamp().saturating_mul(1_000),
    })
}

impl Server {
    async fn token(&self) -> Result<OAuthToken, NoToken> {
        let told = |why| format!("fetching a token from {}: {why}", self.url);
        let answer = self.ask().await.map_err(|no_token| match no_token {
            NoToken::Refused(why) => NoToken::Refused(told(why)),
            NoToken::Trouble(why) => NoToken::Trouble(told(why)),
        })?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let life = Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_LIFE_S));
        Ok(OAuthToken {
            token: answer.access_token,
            principal_name: self.client_id.clone(),
            lifetime_ms: i64::try_from((now + life).as_millis()).unwrap_or(i64::MAX),
        })
    }

    fn client(&self) -> Result<Client, String> {
        let builder = Client::builder().redirect(redirect::Policy::none()).timeout(WITHIN);
        let builder = proxy::apply(builder, |name| std::env::var(name).ok())?;
        tls::apply(&self.tls, builder)?.build().map_err(in_words)
    }

    async fn ask(&self) -> Result<Answer, NoToken> {
        let client = self.client().map_err(NoToken::Refused)?;
        let trouble = |error| NoToken::Trouble(in_words(error));
        let mut form = vec![("grant_type", "client_credentials")];
        if let Some(scope) = &self.scope {
            form.push(("scope", scope));
        }
        let mut answer = client
            .post(self.url.reveal())
            .basic_auth(&self.client_id, Some(self.client_secret.reveal()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(&form))
            .send()
            .await
            .map_err(trouble)?;
        let told = |status| format!("the server answered {status}");
        match answer.status() {
            status if status.is_success() => {}
            status @ (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS) => {
                return Err(NoToken::Trouble(told(status)));
            }
            status if status.is_server_error() => return Err(NoToken::Trouble(told(status))),
            status => return Err(NoToken::Refused(told(status))),
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(trouble)?
            && body.len() < MAX_ANSWER_BYTES
        {
            body.extend_from_slice(&chunk);
        }
        let expected = |_| NoToken::Refused("expected JSON with an access_token".to_owned());
        serde_json::from_slice(&body).map_err(expected)
    }
}

/// An error without the address, which may hold a secret.
fn in_words(error: reqwest::Error) -> String {
    let error = error.without_url();
    match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// A form as its media type has it.
fn encoded(form: &[(&str, &str)]) -> String {
    let pairs = form.iter().map(|(name, value)| {
        let value: String = value
            .bytes()
            .map(|byte| match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                    char::from(byte).to_string()
                }
                byte => format!("%{byte:02X}"),
            })
            .collect();
        format!("{name}={value}")
    });
    pairs.collect::<Vec<_>>().join("&")
}
