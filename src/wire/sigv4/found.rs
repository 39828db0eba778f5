//! AWS credentials as AWS's own tools find them, fetched by our own HTTP client.
//!
//! The chain is `aws-config`'s. It brings no client of its own here, so that there is one TLS
//! stack and one set of trusted authorities in the program.

use std::time::Duration;

use aws_config::{
    Region, default_provider::credentials::DefaultCredentialsChain, provider_config::ProviderConfig,
};
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use reqwest::{Client, redirect};
use tokio::sync::OnceCell;

use super::super::{http::with_causes, proxy};

/// Credentials come from near by, or from AWS's token service.
const CONNECTING: Duration = Duration::from_secs(3);
const ANSWERING: Duration = Duration::from_secs(10);
/// Credentials are some thousand bytes; a token service's XML is little more.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// Where keys are looked for, made when they are first needed.
#[derive(Debug)]
pub(super) struct Chain {
    region: String,
    client: OurClient,
    chain: OnceCell<DefaultCredentialsChain>,
}

impl Chain {
    pub(super) fn new(region: &str) -> Result<Self, String> {
        let builder = Client::builder()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECTING)
            .timeout(ANSWERING);
        let client = proxy::apply(builder, |name| std::env::var(name).ok())?
            .build()
            .map_err(|error| format!("preparing TLS: {}", with_causes(&error)))?;
        let (region, chain) = (region.to_owned(), OnceCell::new());
        Ok(Self { region, client: OurClient(client), chain })
    }

    async fn make(&self) -> DefaultCredentialsChain {
        let connector = SharedHttpConnector::new(self.client.clone());
        let http = http_client_fn(move |_, _| connector.clone());
        let region = Region::new(self.region.clone());
        let conf = ProviderConfig::without_region()
            .with_region(Some(region.clone()))
            .with_http_client(http);
        DefaultCredentialsChain::builder().configure(conf).region(region).build().await
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.chain.get_or_init(|| self.make()).await.provide_credentials().await
        })
    }
}

/// Our HTTP client, as AWS's crates want one.
#[derive(Debug, Clone)]
struct OurClient(Client);

impl HttpConnector for OurClient {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move { fetch(client, request).await })
    }
}

async fn fetch(client: Client, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let request = request
        .try_into_http1x()
        .map_err(|error| ConnectorError::user(error.into()))?
        .map(|body| body.bytes().map(<[u8]>::to_vec).unwrap_or_default());
    let request =
        reqwest::Request::try_from(request).map_err(|error| ConnectorError::user(error.into()))?;
    let mut answer = client.execute(request).await.map_err(failed)?;
    let status = StatusCode::try_from(answer.status().as_u16())
        .map_err(|error| ConnectorError::user(error.into()))?;
    let headers = std::mem::take(answer.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(ConnectorError::user("credentials of more than 64 KiB".into()));
        }
        body.extend_from_slice(&chunk);
    }
    let mut response = HttpResponse::new(status, body.into());
    for (name, value) in headers.iter() {
        if let Ok(value) = value.to_str() {
            response.headers_mut().append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(response)
}

fn failed(error: reqwest::Error) -> ConnectorError {
    let error = error.without_url();
    match error.is_timeout() {
        true => ConnectorError::timeout(error.into()),
        false => ConnectorError::io(error.into()),
    }
}
