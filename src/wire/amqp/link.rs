//! The link to a hub: connection, session, token and sender, opened together and dropped together.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use fe2o3_amqp::{
    Connection, Sender, Session, connection::ConnectionHandle, link::SendError,
    sasl_profile::SaslProfile, session::SessionHandle, types::messaging::Outcome,
};
use sidearm_sinks::contract::{AmqpConnection, AmqpState};
use tokio::time::{Instant, timeout};

use super::{
    claims::{self, Claims},
    dial,
    failed::{Failed, refused},
    transfers::{DEFAULT_MAX_BYTES, Transfer},
};
use crate::wire::entra::Tokens;

/// A link unused for longer is made anew: the hub closes idle ones after ten minutes
/// (<https://learn.microsoft.com/azure/event-hubs/event-hubs-amqp-troubleshoot>).
const MAX_IDLE: Duration = Duration::from_secs(4 * 60);
/// A token is put again while it holds for so long yet, in seconds. An identity's own tokens are
/// renewed when five minutes are left.
const RENEW_BEFORE_SECONDS: i64 = 4 * 60;
/// Silence of the other side after which a connection counts as dead.
const IDLE_TIMEOUT_MS: u32 = 60_000;
/// Of one frame, as Microsoft's own clients have it.
const MAX_FRAME_BYTES: u32 = 64 * 1024;
/// A link that closes by itself takes no longer.
const CLOSING: Duration = Duration::from_secs(2);

/// An open link.
pub(super) struct Link {
    connection: ConnectionHandle<()>,
    session: SessionHandle<()>,
    claims: Claims,
    sender: Sender,
    /// What one transfer may hold.
    pub(super) max_bytes: u64,
    /// When the token that was put last ends, in seconds since 1970.
    ends: i64,
    used: Instant,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("max_bytes", &self.max_bytes).finish_non_exhaustive()
    }
}

impl Link {
    /// Connects, proves who we are, and opens the way to the hub.
    pub(super) async fn open(
        connection: &AmqpConnection,
        tokens: Option<&Tokens>,
    ) -> Result<Self, Failed> {
        // Before anything is connected: it may be what fails.
        let token = claims::token(connection, tokens).await?;
        let name = format!("sidearm-{:016x}", rand::random::<u64>());
        let mut opened = Connection::builder()
            .container_id(name.clone())
            .hostname(connection.namespace.as_str())
            .sasl_hostname(connection.namespace.as_str())
            .sasl_profile(SaslProfile::Anonymous)
            .max_frame_size(MAX_FRAME_BYTES)
            .idle_time_out(IDLE_TIMEOUT_MS)
            .open_with_stream(dial::dial(connection).await?)
            .await
            .map_err(Failed::unsent("opening the connection"))?;
        let session = Session::begin(&mut opened).await;
        let mut session = session.map_err(Failed::unsent("opening a session"))?;
        let mut claims = Claims::attach(&mut session).await?;
        let address = address(connection);
        claims.put(&address, &token).await?;
        let sender = Sender::attach(&mut session, name, address).await;
        let sender = sender.map_err(Failed::unsent("opening the link to the hub"))?;
        let max_bytes = sender.max_message_size().unwrap_or(DEFAULT_MAX_BYTES);
        let (ends, used) = (token.ends, Instant::now());
        Ok(Self { connection: opened, session, claims, sender, max_bytes, ends, used })
    }

    /// Whether it was used lately.
    pub(super) fn is_fresh(&self) -> bool {
        self.used.elapsed() < MAX_IDLE
    }

    /// Puts a new token where the last one is about to end.
    pub(super) async fn renew(
        &mut self,
        connection: &AmqpConnection,
        tokens: Option<&Tokens>,
    ) -> Result<(), Failed> {
        if self.ends > claims::seconds_of(SystemTime::now()) + RENEW_BEFORE_SECONDS {
            return Ok(());
        }
        let token = claims::token(connection, tokens).await?;
        self.claims.put(&address(connection), &token).await?;
        self.ends = token.ends;
        Ok(())
    }

    /// Sends one transfer and waits for its outcome.
    pub(super) async fn send(&mut self, transfer: &Transfer) -> Result<AmqpState, Failed> {
        let outcome = match self.sender.send_ref(&transfer.message).await {
            Ok(outcome) => outcome,
            // The library knows the limit as we do, and sends nothing above it.
            Err(SendError::MessageSizeExceeded(_)) => {
                return Ok(AmqpState::TooLarge { max_bytes: self.max_bytes });
            }
            Err(error) => return Err(Failed::unanswered(&error)),
        };
        self.used = Instant::now();
        Ok(match outcome {
            Outcome::Accepted(_) => AmqpState::Accepted,
            Outcome::Released(_) => AmqpState::Released,
            Outcome::Modified(_) => AmqpState::Modified,
            Outcome::Rejected(rejected) => match rejected.error {
                Some(error) => refused(&error),
                None => AmqpState::Refused { condition: String::new(), description: String::new() },
            },
        })
    }

    /// Takes leave of the hub as far as it listens, without keeping anybody waiting.
    pub(super) fn close(self) {
        let Self { mut connection, mut session, claims, sender, .. } = self;
        tokio::spawn(async move {
            let leave = async {
                // Errors are of a connection that is gone already.
                let _ = sender.close().await;
                drop(claims);
                let _ = session.end().await;
                let _ = connection.close().await;
            };
            let _ = timeout(CLOSING, leave).await;
        });
    }
}

/// The hub, as tokens and links name it.
fn address(connection: &AmqpConnection) -> String {
    format!("amqps://{}/{}", connection.namespace, connection.hub)
}
