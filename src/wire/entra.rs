//! Bearer tokens of Microsoft Entra: fetched when first needed, kept, and renewed ahead of their end.
//!
//! Owns the line between an identity that is refused, for which the lane parks, and a token server
//! in trouble, for which it waits. A renewal that fails while the token still holds stops nothing.
//! No token and no secret is shown. Asked by the wires that prove themselves so.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use azure_core::{
    cloud::{CloudConfiguration, CustomConfiguration},
    credentials::{AccessToken, TokenCredential},
    error::ErrorKind,
    http::{AsyncRawResponse, ClientOptions, HttpClient, Request, RetryOptions, Transport, Url},
    time::OffsetDateTime,
};
use azure_identity::{
    ClientAssertionCredentialOptions, ClientSecretCredential, ClientSecretCredentialOptions,
    ManagedIdentityCredential, ManagedIdentityCredentialOptions, UserAssignedId,
    WorkloadIdentityCredential, WorkloadIdentityCredentialOptions,
};
use http::HeaderValue;
use reqwest::redirect;
use sidearm_sinks::contract::{Cloud, Entra, IdentityKind, Secret};
use tokio::{sync::OnceCell, time::timeout};

use super::{WireError, http::with_causes, proxy};

/// A token that ends sooner is not sent where a newer one cannot be had.
const MIN_REST_SECONDS: i64 = 60;
/// As much of a refusal's text as is shown.
const MAX_SHOWN_CHARS: usize = 300;

/// The tokens of one identity for one scope.
pub(super) struct Tokens {
    entra: Entra,
    timeout: Duration,
    credential: OnceCell<Arc<dyn TokenCredential>>,
    last: Mutex<Option<AccessToken>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("entra", &self.entra).finish_non_exhaustive()
    }
}

impl Tokens {
    /// Asks for nothing yet. `timeout` is for one call of the token server.
    pub(super) fn new(entra: &Entra, timeout: Duration) -> Self {
        let (credential, last) = (OnceCell::new(), Mutex::new(None));
        Self { entra: entra.clone(), timeout, credential, last }
    }

    /// A token that holds for a while yet.
    ///
    /// # Errors
    /// [`WireError::Unusable`] where the identity is refused or is none, [`WireError::NotSent`]
    /// where the token server cannot answer now.
    pub(super) async fn token(&self) -> Result<AccessToken, WireError> {
        let asked = timeout(self.timeout, self.ask()).await;
        let asked = asked.unwrap_or_else(|_| {
            Err(WireError::NotSent(format!(
                "the token server did not answer within {:?}",
                self.timeout
            )))
        });
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match asked {
            Ok(token) => {
                *last = Some(token.clone());
                Ok(token)
            }
            Err(error) => match last.as_ref().filter(|token| holds(token)) {
                Some(token) => {
                    tracing::warn!(%error, "a token could not be renewed; the old one still holds");
                    Ok(token.clone())
                }
                None => Err(error),
            },
        }
    }

    /// The header that carries it.
    pub(super) async fn header(&self) -> Result<HeaderValue, WireError> {
        let token = self.token().await?;
        let mut value = HeaderValue::from_str(&format!("Bearer {}", token.token.secret()))
            .map_err(|_| WireError::NotSent("the token server's token is no token".to_owned()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn ask(&self) -> Result<AccessToken, WireError> {
        let make = async || credential(&self.entra).map_err(WireError::Unusable);
        let credential = self.credential.get_or_try_init(make).await?;
        let token = credential.get_token(&[&self.entra.scope], None).await;
        token.map_err(|error| self.failed(&error))
    }

    /// What a failed call means. Its causes tell: the outermost error is always "no credential".
    fn failed(&self, error: &azure_core::Error) -> WireError {
        let why = format!("asking Microsoft Entra for a token: {}", self.words(error));
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(cause) = next {
            match cause.downcast_ref::<azure_core::Error>().map(azure_core::Error::kind) {
                Some(ErrorKind::HttpResponse { status, raw_response, .. }) => {
                    let body = raw_response.as_ref().map(|response| response.body().as_ref());
                    return match self.is_refusal(u16::from(*status), body.unwrap_or_default()) {
                        true => WireError::Unusable(why),
                        false => WireError::NotSent(why),
                    };
                }
                // What cannot be read comes from a gateway rather than from Entra.
                Some(ErrorKind::Connection | ErrorKind::Io | ErrorKind::DataConversion) => {
                    return WireError::NotSent(why);
                }
                _ => next = cause.source(),
            }
        }
        WireError::Unusable(why)
    }

    /// Whether trying again cannot help. The node's own service answers 404 and 410 while it
    /// starts (<https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling>).
    fn is_refusal(&self, status: u16, body: &[u8]) -> bool {
        let of_node = matches!(self.kind(), IdentityKind::Managed { .. });
        let is_passing = String::from_utf8_lossy(body).contains("temporarily_unavailable");
        match status {
            408 | 429 | 500..=599 => false,
            404 | 410 if of_node => false,
            _ => !is_passing,
        }
    }

    fn kind(&self) -> IdentityKind {
        resolved(&self.entra.identity.kind, |name| std::env::var(name).ok())
    }

    /// An error on one line, cut, and without the secret it was asked with.
    fn words(&self, error: &azure_core::Error) -> String {
        let mut text = error.to_string();
        if let IdentityKind::ClientSecret { client_secret, .. } = self.kind() {
            text = text.replace(client_secret.reveal(), "***");
        }
        let text = text.split("To troubleshoot").next().unwrap_or_default();
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join(" ").chars().take(MAX_SHOWN_CHARS).collect()
    }
}

fn holds(token: &AccessToken) -> bool {
    token.expires_on.unix_timestamp()
        > OffsetDateTime::now_utc().unix_timestamp() + MIN_REST_SECONDS
}

/// How an identity is proved, where the environment is to say it.
fn resolved(kind: &IdentityKind, variable: impl Fn(&str) -> Option<String>) -> IdentityKind {
    let IdentityKind::Environment = kind else { return kind.clone() };
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    if variable("AZURE_FEDERATED_TOKEN_FILE").is_some() {
        return IdentityKind::Workload { tenant: None, client_id: None };
    }
    let client_id = variable("AZURE_CLIENT_ID");
    match (variable("AZURE_TENANT_ID"), &client_id, variable("AZURE_CLIENT_SECRET")) {
        (Some(tenant), Some(client_id), Some(secret)) => IdentityKind::ClientSecret {
            tenant,
            client_id: client_id.clone(),
            client_secret: Secret::new(secret),
        },
        _ => IdentityKind::Managed { client_id },
    }
}

/// # Errors
/// Says what of the identity is missing.
fn credential(entra: &Entra) -> Result<Arc<dyn TokenCredential>, String> {
    let kind = resolved(&entra.identity.kind, |name| std::env::var(name).ok());
    let of_node = matches!(kind, IdentityKind::Managed { .. });
    let client_options = client_options(entra, of_node)?;
    let made: azure_core::Result<Arc<dyn TokenCredential>> = match kind {
        IdentityKind::Managed { client_id } => {
            let user_assigned_id = client_id.map(UserAssignedId::ClientId);
            let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
            ManagedIdentityCredential::new(Some(options)).map(|made| made as _)
        }
        IdentityKind::Workload { tenant, client_id } => {
            let credential_options = ClientAssertionCredentialOptions { client_options };
            let options = WorkloadIdentityCredentialOptions {
                credential_options,
                client_id,
                tenant_id: tenant,
                ..Default::default()
            };
            WorkloadIdentityCredential::new(Some(options)).map(|made| made as _)
        }
        IdentityKind::ClientSecret { tenant, client_id, client_secret } => {
            let secret = client_secret.reveal().to_owned().into();
            let options = ClientSecretCredentialOptions { client_options };
            ClientSecretCredential::new(&tenant, client_id, secret, Some(options))
                .map(|made| made as _)
        }
        IdentityKind::Environment => unreachable!("the environment always says one"),
    };
    made.map_err(|error| format!("preparing the identity for Azure: {}", with_causes(&error)))
}

/// One try a call, by our own client: `deliver.rs` does the waiting.
fn client_options(entra: &Entra, of_node: bool) -> Result<ClientOptions, String> {
    let origin = match &entra.identity.authority {
        None => None,
        Some(authority) => Some(
            Url::parse(authority.reveal())
                .map_err(|_| "reading identity.authority: expected an address".to_owned())?,
        ),
    };
    let cloud = match entra.cloud {
        // AZURE_AUTHORITY_HOST has its say there.
        Cloud::Public => None,
        other => {
            let mut custom = CustomConfiguration::default();
            custom.authority_host = other.authority().to_owned();
            Some(Arc::new(CloudConfiguration::from(custom)))
        }
    };
    let builder = reqwest::Client::builder().redirect(redirect::Policy::none());
    let builder = match of_node {
        // The node's own service is on the node's own link.
        true => builder.no_proxy(),
        false => proxy::apply(builder, |name| std::env::var(name).ok())?,
    };
    let client = builder.build().map_err(|error| format!("preparing TLS: {error}"))?;
    Ok(ClientOptions {
        retry: RetryOptions::none(),
        transport: Some(Transport::new(Arc::new(Elsewhere { client, origin }))),
        cloud,
        ..ClientOptions::default()
    })
}

/// A client that asks at another origin where one is configured.
#[derive(Debug)]
struct Elsewhere {
    client: reqwest::Client,
    origin: Option<Url>,
}

impl Elsewhere {
    async fn execute(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        let Some(origin) = &self.origin else {
            return self.client.execute_request(request).await;
        };
        let mut request = request.clone();
        let mut url = origin.clone();
        url.set_path(request.url().path());
        url.set_query(request.url().query());
        *request.url_mut() = url;
        self.client.execute_request(&request).await
    }
}

impl HttpClient for Elsewhere {
    fn execute_request<'s, 'r, 'a>(
        &'s self,
        request: &'r Request,
    ) -> Pin<Box<dyn Future<Output = azure_core::Result<AsyncRawResponse>> + Send + 'a>>
    where
        's: 'a,
        'r: 'a,
        Self: 'a,
    {
        Box::pin(self.execute(request))
    }
}

#[cfg(test)]
mod tests {
    use sidearm_sinks::contract::Identity;

    use super::*;

    fn of(pairs: &[(&str, &str)]) -> IdentityKind {
        resolved(&IdentityKind::Environment, |name| {
            pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_says_how_an_identity_is_proved() {
        let ids = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
        let with = |more| of(&[ids.as_slice(), &[more]].concat());
        assert!(matches!(
            with(("AZURE_FEDERATED_TOKEN_FILE", "/f")),
            IdentityKind::Workload { tenant: None, client_id: None }
        ));
        assert!(matches!(
            with(("AZURE_CLIENT_SECRET", "s")),
            IdentityKind::ClientSecret { tenant, .. } if tenant == "t"
        ));
        assert!(matches!(
            with(("AZURE_CLIENT_SECRET", "")),
            IdentityKind::Managed { client_id: Some(id) } if id == "c"
        ));
        assert!(matches!(of(&[]), IdentityKind::Managed { client_id: None }));
    }

    #[test]
    fn a_refusal_is_told_from_trouble() {
        let identity = |kind| Identity { kind, authority: None };
        let tokens = |kind| {
            let entra = Entra {
                scope: "https://monitor.azure.com/.default".to_owned(),
                identity: identity(kind),
                cloud: Cloud::Public,
            };
            Tokens::new(&entra, Duration::from_secs(1))
        };
        let workload = tokens(IdentityKind::Workload { tenant: None, client_id: None });
        let managed = tokens(IdentityKind::Managed { client_id: None });
        for (status, of_workload, of_node) in [
            (400, true, true),
            (401, true, true),
            (404, true, false),
            (410, true, false),
            (429, false, false),
            (503, false, false),
        ] {
            assert_eq!(workload.is_refusal(status, b"{}"), of_workload, "{status}");
            assert_eq!(managed.is_refusal(status, b"{}"), of_node, "{status}");
        }
        assert!(!workload.is_refusal(400, br#"{"error":"temporarily_unavailable"}"#));
    }
}
