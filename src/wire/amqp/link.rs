//! The link to a hub: connection, session, token and sender, opened together and dropped together.

use std::{
    error::Error as _,
    sync::Mutex,
    time::{Duration, SystemTime},
};

use azure_core::{credentials::Secret, http::Url, time::OffsetDateTime};
use azure_core_amqp::{
    AmqpClaimsBasedSecurity, AmqpClaimsBasedSecurityApis as _, AmqpConnection as Opened,
    AmqpConnectionApis as _, AmqpConnectionOptions, AmqpDescribedError, AmqpError, AmqpErrorKind,
    AmqpSendOptions, AmqpSendOutcome, AmqpSender, AmqpSenderApis as _, AmqpSession,
    AmqpSessionApis as _, AmqpSessionOptions, AmqpTransport,
};
use sidearm_sinks::contract::{AmqpConnection, AmqpState, Credential, SharedAccess};
use tokio::time::{Instant, timeout};

use super::{
    CLOSING,
    transfers::{BATCH_FORMAT, DEFAULT_MAX_BYTES, Transfer},
};
use crate::wire::{WireError, entra::Tokens, shared_access};

/// A link unused for longer is made anew: the hub closes idle ones after ten minutes
/// (<https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-troubleshoot>).
const MAX_IDLE: Duration = Duration::from_secs(4 * 60);
/// A token is put again while it holds for so long yet, in seconds. An identity's own tokens are
/// renewed when five minutes are left.
const RENEW_BEFORE_SECONDS: i64 = 4 * 60;
/// Silence of the other side after which a connection counts as dead.
const IDLE_TIMEOUT_SECONDS: i64 = 60;
/// What tokens are called at the hub.
const SIGNATURE: &str = "servicebus.windows.net:sastoken";
const WEB_TOKEN: &str = "jwt";

/// Why there is no link, or none any more.
#[derive(Debug)]
pub(super) enum Failed {
    Wire(WireError),
    /// The hub itself said no, and why.
    Refused(AmqpState),
}

impl From<WireError> for Failed {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

/// An open link.
pub(super) struct Link {
    connection: Opened,
    session: AmqpSession,
    security: AmqpClaimsBasedSecurity,
    sender: AmqpSender,
    /// What one transfer may hold.
    pub(super) max_bytes: u64,
    /// When the token that was put last ends, in seconds since 1970, and when the link was used.
    state: Mutex<(i64, Instant)>,
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

/// # Errors
/// An address is none.
pub(super) fn check(connection: &AmqpConnection) -> Result<(), String> {
    let parsed = address(connection).and_then(|_| endpoint(connection));
    parsed.map(drop).map_err(|_| "reading the hub's address: expected a host".to_owned())
}

fn address(connection: &AmqpConnection) -> azure_core::Result<Url> {
    Ok(Url::parse(&format!("amqps://{}/{}", connection.namespace, connection.hub))?)
}

fn endpoint(connection: &AmqpConnection) -> azure_core::Result<Option<Url>> {
    Ok(connection.endpoint.as_deref().map(Url::parse).transpose()?)
}

impl Link {
    /// Connects, proves who we are, and opens the way to the hub.
    pub(super) async fn open(
        connection: &AmqpConnection,
        tokens: Option<&Tokens>,
    ) -> Result<Self, Failed> {
        // Before anything is connected: it may be what fails.
        let token = token(connection, tokens).await?;
        let doing = |doing: &'static str| move |error: AmqpError| failed(doing, &error, false);
        let url =
            address(connection).map_err(|error| doing("reading the address")(error.into()))?;
        let custom =
            endpoint(connection).map_err(|error| doing("reading the address")(error.into()))?;
        let options = AmqpConnectionOptions {
            idle_timeout: Some(azure_core::time::Duration::seconds(IDLE_TIMEOUT_SECONDS)),
            custom_endpoint: custom,
            transport: Some(match connection.websocket {
                true => AmqpTransport::WebSocket,
                false => AmqpTransport::Tcp,
            }),
            ..AmqpConnectionOptions::default()
        };
        let opened = Opened::new();
        let name = format!("sidearm-{:016x}", rand::random::<u64>());
        opened.open(name.clone(), url.clone(), Some(options)).await.map_err(doing("connecting"))?;
        let session = AmqpSession::new();
        let windows = AmqpSessionOptions::with_unbounded_windows();
        session.begin(&opened, Some(windows)).await.map_err(doing("opening a session"))?;
        let security = AmqpClaimsBasedSecurity::new(session.clone());
        let security = security.map_err(doing("opening the link for tokens"))?;
        security.attach().await.map_err(doing("opening the link for tokens"))?;
        let ends = put(&security, &url, token).await?;
        let sender = AmqpSender::new();
        sender
            .attach(&session, name, url.to_string(), None)
            .await
            .map_err(doing("opening the link to the hub"))?;
        let max_bytes = sender.max_message_size().await.map_err(doing("opening the link"))?;
        let max_bytes = max_bytes.filter(|bytes| *bytes > 0).unwrap_or(DEFAULT_MAX_BYTES);
        let state = Mutex::new((ends, Instant::now()));
        Ok(Self { connection: opened, session, security, sender, max_bytes, state })
    }

    /// Whether it was used lately.
    pub(super) fn is_fresh(&self) -> bool {
        self.state().1.elapsed() < MAX_IDLE
    }

    /// Puts a new token where the last one is about to end.
    pub(super) async fn renew(
        &self,
        connection: &AmqpConnection,
        tokens: Option<&Tokens>,
    ) -> Result<(), Failed> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        if self.state().0 > now + RENEW_BEFORE_SECONDS {
            return Ok(());
        }
        let token = token(connection, tokens).await?;
        let url = address(connection);
        let url = url.map_err(|error| failed("reading the address", &error.into(), false))?;
        let ends = put(&self.security, &url, token).await?;
        self.state().0 = ends;
        Ok(())
    }

    /// Sends one transfer and waits for its outcome.
    pub(super) async fn send(&self, transfer: &Transfer) -> Result<AmqpState, Failed> {
        let message_format = transfer.is_batch.then_some(BATCH_FORMAT);
        let options = AmqpSendOptions { message_format, ..AmqpSendOptions::default() };
        let outcome = self.sender.send_ref(&transfer.message, Some(options)).await;
        let outcome = outcome.map_err(|error| failed("sending", &error, true))?;
        self.state().1 = Instant::now();
        Ok(match outcome {
            AmqpSendOutcome::Accepted => AmqpState::Accepted,
            AmqpSendOutcome::Released => AmqpState::Released,
            AmqpSendOutcome::Modified(_) => AmqpState::Modified,
            AmqpSendOutcome::Rejected(Some(error)) => refused(&error),
            AmqpSendOutcome::Rejected(None) => {
                AmqpState::Refused { condition: String::new(), description: String::new() }
            }
        })
    }

    /// Takes leave of the hub as far as it listens, without keeping anybody waiting.
    pub(super) fn close(self) {
        tokio::spawn(async move {
            let leave = async {
                // Errors are of a connection that is gone already.
                let _ = self.sender.detach().await;
                let _ = self.session.end().await;
                let _ = self.connection.close().await;
            };
            let _ = timeout(CLOSING, leave).await;
        });
    }

    fn state(&self) -> std::sync::MutexGuard<'_, (i64, Instant)> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A token, what it is called, and when it ends.
struct Token {
    secret: Secret,
    kind: &'static str,
    ends: OffsetDateTime,
}

async fn token(connection: &AmqpConnection, tokens: Option<&Tokens>) -> Result<Token, Failed> {
    if let Some(tokens) = tokens {
        let token = tokens.token().await?;
        return Ok(Token { secret: token.token, kind: WEB_TOKEN, ends: token.expires_on });
    }
    let Credential::SharedAccess(access) = &connection.credential else {
        return Err(WireError::Unusable("an identity without its tokens".to_owned()).into());
    };
    let now = SystemTime::now();
    let ends = match access {
        SharedAccess::Key { .. } => now + shared_access::VALIDITY,
        SharedAccess::Token(token) => end_of(token.reveal(), now),
    };
    let secret = Secret::new(shared_access::token(access, now));
    Ok(Token { secret, kind: SIGNATURE, ends: ends.into() })
}

/// When a signature that was given ends (`se=`); far from now where it does not say.
fn end_of(token: &str, now: SystemTime) -> SystemTime {
    let seconds = token.split(['&', ' ']).find_map(|part| part.strip_prefix("se=")?.parse().ok());
    let end = seconds
        .and_then(|seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
    end.unwrap_or(now + shared_access::VALIDITY)
}

/// Puts a token; answers when it ends, in seconds since 1970.
async fn put(security: &AmqpClaimsBasedSecurity, url: &Url, token: Token) -> Result<i64, Failed> {
    let Token { secret, kind, ends } = token;
    let put = security.authorize_path(url.to_string(), Some(kind.to_owned()), &secret, ends);
    match put.await {
        Ok(()) => Ok(ends.unix_timestamp()),
        Err(error) => Err(failed("putting a token", &error, false)),
    }
}

/// What an error means: the hub's own word, a lost outcome, or nothing sent at all.
fn failed(doing: &str, error: &AmqpError, may_have_arrived: bool) -> Failed {
    match error.kind() {
        AmqpErrorKind::AmqpDescribedError(error) => return Failed::Refused(refused(error)),
        // What `$cbs` answers a token with.
        AmqpErrorKind::ManagementStatusCode(status, description) => {
            let status = u16::from(*status);
            let condition = match status {
                401 | 403 => "amqp:unauthorized-access",
                404 => "amqp:not-found",
                _ => "com.microsoft:server-busy",
            };
            let description = description.as_deref().unwrap_or_default();
            return Failed::Refused(AmqpState::Refused {
                condition: condition.to_owned(),
                description: format!("{doing}: status {status}: {description}"),
            });
        }
        _ => {}
    }
    let why = format!("{doing}: {}", in_words(error));
    Failed::Wire(match may_have_arrived {
        true => WireError::ReplyLost(why),
        false => WireError::NotSent(why),
    })
}

fn refused(error: &AmqpDescribedError) -> AmqpState {
    AmqpState::Refused {
        condition: error.condition.to_string(),
        description: error.description.clone().unwrap_or_default(),
    }
}

/// The causes of an error, outermost first, each once.
fn in_words(error: &AmqpError) -> String {
    let mut causes = vec![error.to_string()];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause.to_string());
        next = cause.source();
    }
    causes.dedup_by(|inner, outer| outer.contains(inner.as_str()));
    let words = causes.join(": ");
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
