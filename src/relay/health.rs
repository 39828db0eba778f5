//! Health checks: a number sent is a number echoed.
//!
//! The only sign of life a relay gives on a quiet day, and the only health call it knows. Each
//! subscription asks on its own connection, so that one which is half open is noticed there; one
//! more connection asks for the relay as a whole, which is what readiness shows.

use std::{sync::Arc, time::Duration};

use buffa::Message as _;
use sidearm_proto::feeder::{NonceMessage, ReplyMessage};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Status, client::Grpc, transport::Channel};

use super::{
    Connect, RelayStatus, Timing,
    protocol::{HEALTH_CHECK, path},
};
use crate::grpc::{Raw, words};

/// Asks once. The error is a sentence.
pub(super) async fn ask(channel: &Channel, patience: Duration) -> Result<(), String> {
    let nonce: i32 = rand::random();
    match timeout(patience, echo(channel.clone(), nonce)).await {
        Ok(Ok(answer)) if answer == nonce => Ok(()),
        Ok(Ok(_)) => Err("the relay answered a health check with another number".to_owned()),
        Ok(Err(status)) => {
            Err(format!("the relay failed a health check: {}", words::status(&status)))
        }
        Err(_) => Err(format!("the relay answered no health check within {patience:?}")),
    }
}

async fn echo(channel: Channel, nonce: i32) -> Result<i32, Status> {
    let mut client = Grpc::new(channel);
    client.ready().await.map_err(|error| Status::unavailable(words::causes(&error)))?;
    let request = Request::new(NonceMessage { nonce }.encode_to_bytes());
    let reply = client.unary(request, path(HEALTH_CHECK), Raw).await?.into_inner();
    let reply = ReplyMessage::decode_from_slice(&reply)
        .map_err(|error| Status::internal(format!("reading its answer: {error}")))?;
    Ok(reply.Retval)
}

/// Asks for as long as the connection lives, and tells of each answer. Ends, with the reason, once
/// too many in a row went unanswered.
pub(super) async fn pulse(
    channel: &Channel,
    timing: &Timing,
    mut answered: impl FnMut(),
) -> String {
    let mut missed = 0;
    loop {
        let next = Instant::now() + timing.nonce_every;
        match ask(channel, timing.nonce_every).await {
            Ok(()) => {
                missed = 0;
                answered();
            }
            Err(reason) => {
                missed += 1;
                if missed >= timing.nonces_missed {
                    return reason;
                }
            }
        }
        sleep_until(next).await;
    }
}

/// Keeps [`RelayStatus::healthy`] true to life until `stop`, on a connection of its own. An
/// attempt that fails is repeated on a fresh connection; three in a row make the relay unhealthy.
pub async fn watch_health(
    connect: Arc<dyn Connect>,
    status: Arc<RelayStatus>,
    timing: Timing,
    stop: CancellationToken,
) {
    let asking = async {
        let mut channel = None;
        let mut missed = 0;
        let mut waits = timing.backoff();
        loop {
            let wait = match ask_on(&mut channel, &*connect, &timing).await {
                Ok(()) => {
                    (missed, waits) = (0, timing.backoff());
                    if !status.healthy() {
                        tracing::info!(address = status.address(), "the relay is healthy");
                    }
                    status.set_healthy(true);
                    timing.nonce_every
                }
                Err(reason) => {
                    missed += 1;
                    status.set_error(&reason);
                    if missed == timing.nonces_missed {
                        tracing::warn!(
                            address = status.address(),
                            reason,
                            "the relay is unhealthy"
                        );
                        status.set_healthy(false);
                    }
                    waits.next().expect("the backoff has no end")
                }
            };
            sleep(wait).await;
        }
    };
    stop.run_until_cancelled(asking).await;
    status.set_healthy(false);
}

/// Asks on the connection at hand, or on a fresh one; keeps it only where it answered.
async fn ask_on(
    channel: &mut Option<Channel>,
    connect: &dyn Connect,
    timing: &Timing,
) -> Result<(), String> {
    let current = match channel.take() {
        Some(current) => current,
        None => connect.connect().await.map_err(|error| error.to_string())?,
    };
    ask(&current, timing.nonce_every).await?;
    *channel = Some(current);
    Ok(())
}
