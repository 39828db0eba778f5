//! Tokens at a hub's `$cbs` node: what we may do, until when.
//!
//! A token is a message, and its answer another one, by two links of their own (claims-based
//! security, <https://learn.microsoft.com/azure/service-bus-messaging/service-bus-amqp-protocol-guide>).

use std::time::{Duration, SystemTime};

use fe2o3_amqp::{
    Delivery, Receiver, Sender,
    session::SessionHandle,
    types::{
        messaging::{ApplicationProperties, Body, Message, MessageId, Outcome, Properties},
        primitives::{SimpleValue, Timestamp, Value},
    },
};
use sidearm_sinks::contract::{AmqpConnection, AmqpState, Credential, Secret, SharedAccess};

use super::failed::{Failed, refused};
use crate::wire::{WireError, entra::Tokens, shared_access};

const NODE: &str = "$cbs";
const PUTTING: &str = "putting a token";
/// What tokens are called there.
const SIGNATURE: &str = "servicebus.windows.net:sastoken";
const WEB_TOKEN: &str = "jwt";

/// A token, what it is called, and when it ends, in seconds since 1970.
pub(super) struct Token {
    secret: Secret,
    kind: &'static str,
    pub(super) ends: i64,
}

/// The token of an attempt made now.
pub(super) async fn token(
    connection: &AmqpConnection,
    tokens: Option<&Tokens>,
) -> Result<Token, WireError> {
    if let Some(tokens) = tokens {
        let token = tokens.token().await?;
        let secret = Secret::new(token.token.secret());
        return Ok(Token { secret, kind: WEB_TOKEN, ends: token.expires_on.unix_timestamp() });
    }
    let Credential::SharedAccess(access) = &connection.credential else {
        return Err(WireError::Unusable("an identity without its tokens".to_owned()));
    };
    let now = SystemTime::now();
    let validity = seconds_of(now + shared_access::VALIDITY);
    let ends = match access {
        SharedAccess::Key { .. } => validity,
        // Far from now where it does not say.
        SharedAccess::Token(token) => end_of(token.reveal()).unwrap_or(validity),
    };
    Ok(Token { secret: Secret::new(shared_access::token(access, now)), kind: SIGNATURE, ends })
}

/// When a signature that was given ends (`se=`).
fn end_of(token: &str) -> Option<i64> {
    token.split(['&', ' ']).find_map(|part| part.strip_prefix("se=")?.parse().ok())
}

/// Seconds since 1970.
pub(super) fn seconds_of(time: SystemTime) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    since.as_secs().try_into().unwrap_or(i64::MAX)
}

/// The two links to the node.
pub(super) struct Claims {
    out: Sender,
    back: Receiver,
    /// Where answers go to.
    name: String,
    asked: u64,
}

impl Claims {
    pub(super) async fn attach(session: &mut SessionHandle<()>) -> Result<Self, Failed> {
        let name = format!("claims-{:016x}", rand::random::<u64>());
        let out = Sender::attach(session, format!("{name}-out"), NODE).await;
        let out = out.map_err(Failed::unsent("opening the link for tokens"))?;
        let back = Receiver::builder()
            .name(format!("{name}-back"))
            .source(NODE)
            .target(name.as_str())
            .attach(session)
            .await
            .map_err(Failed::unsent("opening the link for tokens"))?;
        Ok(Self { out, back, name, asked: 0 })
    }

    /// Puts a token for an address and waits until it is taken.
    pub(super) async fn put(&mut self, address: &str, token: &Token) -> Result<(), Failed> {
        self.asked += 1;
        let properties = Properties::builder().message_id(self.asked).reply_to(self.name.clone());
        let ends = Timestamp::from_milliseconds(token.ends.saturating_mul(1_000));
        let application_properties = ApplicationProperties::builder()
            .insert("operation", "put-token")
            .insert("type", token.kind)
            .insert("name", address)
            .insert("expiration", ends)
            .build();
        let message = Message::builder()
            .properties(properties.build())
            .application_properties(application_properties)
            .value(token.secret.reveal().to_owned())
            .build();
        match self.out.send(message).await.map_err(Failed::unsent(PUTTING))? {
            Outcome::Accepted(_) => self.answer().await,
            Outcome::Rejected(rejected) => Err(match rejected.error {
                Some(error) => Failed::Refused(refused(&error)),
                None => WireError::NotSent(format!("{PUTTING}: it was not taken")).into(),
            }),
            _ => Err(WireError::NotSent(format!("{PUTTING}: it was not taken")).into()),
        }
    }

    async fn answer(&mut self) -> Result<(), Failed> {
        loop {
            let delivery: Delivery<Body<Value>> =
                self.back.recv().await.map_err(Failed::unsent(PUTTING))?;
            if let Err(error) = self.back.accept(&delivery).await {
                return Err(WireError::NotSent(format!("{PUTTING}: {error}")).into());
            }
            let answer = delivery.into_message();
            let asked = answer.properties.and_then(|properties| properties.correlation_id);
            // The answer to one that was given up says nothing of this one.
            if asked == Some(MessageId::from(self.asked)) {
                return verdict(&answer.application_properties.unwrap_or_default());
            }
        }
    }
}

fn verdict(answer: &ApplicationProperties) -> Result<(), Failed> {
    let status = match answer.0.get("status-code") {
        Some(SimpleValue::Int(status)) => *status,
        _ => 0,
    };
    let description = match answer.0.get("status-description") {
        Some(SimpleValue::String(description)) => description.as_str(),
        _ => "",
    };
    let condition = match status {
        200..=299 => return Ok(()),
        401 | 403 => "amqp:unauthorized-access",
        404 => "amqp:not-found",
        _ => "com.microsoft:server-busy",
    };
    Err(Failed::Refused(AmqpState::Refused {
        condition: condition.to_owned(),
        description: format!("{PUTTING}: status {status}: {description}"),
    }))
}
