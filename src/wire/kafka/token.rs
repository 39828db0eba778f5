//! A token of OAuth 2 by client credentials, fetched when the producer wants a new one.
//!
//! The producer's own thread asks and waits; the request itself runs on the engine's runtime.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rdkafka::client::OAuthToken;
use reqwest::{Client, redirect};
use serde::Deserialize;
use sidearm_sinks::contract::{Sasl, Secret, SecretUrl, Tls};
use tokio::runtime::Handle;

use crate::wire::{proxy, tls};

/// How long one token may take; the producer's reports wait as long.
const WITHIN: Duration = Duration::from_secs(10);
/// How long a token lives where the server does not say.
const DEFAULT_LIFE_S: u64 = 300;

/// The way to tokens.
#[derive(Debug)]
pub(super) struct Tokens {
    url: SecretUrl,
    client_id: String,
    client_secret: Secret,
    scope: Option<String>,
    tls: Tls,
    runtime: Handle,
}

#[derive(Deserialize)]
struct Answer {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    /// Nothing where the proof is no token.
    pub(super) fn new(sasl: &Sasl) -> Option<Self> {
        let Sasl::Bearer { token_url, client_id, client_secret, scope, tls } = sasl else {
            return None;
        };
        Some(Self {
            url: token_url.clone(),
            client_id: client_id.clone(),
            client_secret: client_secret.clone(),
            scope: scope.clone(),
            tls: tls.clone(),
            runtime: Handle::try_current().ok()?,
        })
    }

    /// Fetches one; blocks. Never called on a thread of the runtime.
    pub(super) fn fetch(&self) -> Result<OAuthToken, String> {
        let answer = self.runtime.block_on(self.ask());
        let answer = answer.map_err(|why| format!("fetching a token from {}: {why}", self.url))?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let life = Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_LIFE_S));
        Ok(OAuthToken {
            token: answer.access_token,
            principal_name: self.client_id.clone(),
            lifetime_ms: i64::try_from((now + life).as_millis()).unwrap_or(i64::MAX),
        })
    }

    async fn ask(&self) -> Result<Answer, String> {
        let builder = Client::builder().redirect(redirect::Policy::none()).timeout(WITHIN);
        let builder = proxy::apply(builder, |name| std::env::var(name).ok())?;
        let client = tls::apply(&self.tls, builder)?.build().map_err(in_words)?;
        let mut form = vec![("grant_type", "client_credentials")];
        if let Some(scope) = &self.scope {
            form.push(("scope", scope));
        }
        let answer = client
            .post(self.url.reveal())
            .basic_auth(&self.client_id, Some(self.client_secret.reveal()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(encoded(&form))
            .send()
            .await
            .map_err(in_words)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("the server answered {status}"));
        }
        answer.json().await.map_err(|_| "expected JSON with an access_token".to_owned())
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
