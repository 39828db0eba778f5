//! AMQP 1.0 to Azure Event Hubs: one connection, one link, one transfer at a time.
//!
//! Owns the line between "nothing was sent" and "the outcome was lost". Microsoft's own client for
//! Event Hubs takes *released* and *modified* for success and waits by itself, and the layer below
//! it takes no certificates of ours, so the AMQP library itself is spoken to. A link that failed is
//! dropped and made anew by the next attempt. `amqp/dial.rs` makes connections, `link.rs` links,
//! `claims.rs` proves who we are, `transfers.rs` puts messages together.

mod claims;
mod dial;
mod failed;
mod link;
mod transfers;

use sidearm_sinks::contract::{
    Amqp, AmqpConnection, AmqpMessage, AmqpOutcome, AmqpReply, AmqpRequest, AmqpState, Credential,
};
use tokio::{sync::Mutex, time::timeout};

use super::{Attempt, Wire, WireError, entra::Tokens};
use failed::Failed;
use link::Link;
use transfers::Transfer;

/// The way to one event hub. Attempts wait for each other: a link takes one transfer at a time.
#[derive(Debug)]
pub struct AmqpWire {
    connection: AmqpConnection,
    tokens: Option<Tokens>,
    link: Mutex<Option<Link>>,
}

impl AmqpWire {
    /// Reads the connection's certificate files; connects to nothing yet.
    ///
    /// # Errors
    /// [`WireError::Unusable`] names the address or the file that cannot be used.
    pub fn new(connection: &AmqpConnection) -> Result<Self, WireError> {
        dial::check(connection)?;
        let tokens = match &connection.credential {
            Credential::Entra(entra) => Some(Tokens::new(entra, connection.timeout)),
            Credential::SharedAccess(_) => None,
        };
        Ok(Self { connection: connection.clone(), tokens, link: Mutex::default() })
    }

    async fn send(&self, messages: Vec<AmqpMessage>) -> Result<AmqpReply, WireError> {
        let mut place = self.link.lock().await;
        // Taken out: an attempt that is dropped on its way leaves no half-used link behind.
        let mut link = match self.ready(place.take()).await {
            Ok(link) => link,
            Err(Failed::Wire(error)) => return Err(error),
            Err(Failed::Refused(state)) => return Ok(AmqpReply::of_all(messages.len(), &state)),
        };
        let transfers = transfers::of(&messages, link.max_bytes)
            .map_err(|why| WireError::Unusable(format!("writing messages: {why}")))?;
        let mut outcomes = Outcomes::new(messages.len());
        for transfer in transfers {
            match self.transfer(&mut link, &transfer).await {
                Ok(state) => outcomes.settle(&transfer, state),
                Err(failed) => {
                    link.close();
                    return outcomes.broken_off(&transfer, failed);
                }
            }
        }
        *place = Some(link);
        Ok(outcomes.reply())
    }

    /// A link that is open, authorized for a while yet, and not idle for so long that the hub may
    /// be about to close it.
    async fn ready(&self, link: Option<Link>) -> Result<Link, Failed> {
        let patience = self.connection.timeout;
        if let Some(mut link) = link {
            if link.is_fresh() {
                let renewed = timeout(patience, link.renew(&self.connection, self.tokens.as_ref()));
                match renewed.await {
                    Ok(Ok(())) => return Ok(link),
                    // A connection of yesterday may be gone: a new one decides.
                    Ok(Err(Failed::Wire(WireError::NotSent(_)))) | Err(_) => link.close(),
                    Ok(Err(failed)) => {
                        link.close();
                        return Err(failed);
                    }
                }
            } else {
                link.close();
            }
        }
        let opened = timeout(patience, Link::open(&self.connection, self.tokens.as_ref()));
        opened.await.unwrap_or_else(|_| {
            let why = format!("connecting to {}: no answer within {patience:?}", self.name());
            Err(WireError::NotSent(why).into())
        })
    }

    async fn transfer(&self, link: &mut Link, transfer: &Transfer) -> Result<AmqpState, Failed> {
        if let Some(max_bytes) = transfer.too_large_for {
            return Ok(AmqpState::TooLarge { max_bytes });
        }
        let patience = self.connection.timeout;
        timeout(patience, link.send(transfer)).await.unwrap_or_else(|_| {
            let why = format!("{} did not settle a transfer within {patience:?}", self.name());
            Err(WireError::ReplyLost(why).into())
        })
    }

    fn name(&self) -> String {
        format!("{}/{}", self.connection.namespace, self.connection.hub)
    }
}

impl Wire<Amqp> for AmqpWire {
    fn call(&self, request: AmqpRequest) -> Attempt<'_, Amqp> {
        Box::pin(self.send(request.messages))
    }
}

/// Outcomes as they come in, by the messages' places.
struct Outcomes {
    states: Vec<Option<AmqpOutcome>>,
}

impl Outcomes {
    fn new(messages: usize) -> Self {
        Self { states: vec![None; messages] }
    }

    fn settle(&mut self, transfer: &Transfer, state: AmqpState) {
        let company = transfer.messages.len();
        for place in &transfer.messages {
            self.states[*place] = Some(AmqpOutcome { state: state.clone(), company });
        }
    }

    /// The link broke at a transfer. Where nothing was settled before it, that is what the attempt
    /// comes to; else what was settled stands, and the rest is without an answer.
    fn broken_off(mut self, at: &Transfer, failed: Failed) -> Result<AmqpReply, WireError> {
        let is_first = self.states.iter().all(Option::is_none);
        let why = match failed {
            Failed::Wire(error) if is_first => return Err(error),
            Failed::Wire(error) => error.to_string(),
            Failed::Refused(state) => {
                let why = state.to_string();
                self.settle(at, state);
                why
            }
        };
        let why = format!("not sent after another one failed: {why}");
        for state in &mut self.states {
            let unanswered = AmqpOutcome { state: AmqpState::Unanswered(why.clone()), company: 1 };
            state.get_or_insert(unanswered);
        }
        Ok(self.reply())
    }

    fn reply(self) -> AmqpReply {
        let all = self.states.into_iter();
        AmqpReply {
            outcomes: all.map(|state| state.expect("every message has a transfer")).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::messaging::{Data, Message};

    use super::*;

    fn transfer(messages: &[usize]) -> Transfer {
        let message = Message::builder().body(vec![Data::from([0])].into()).build().into();
        Transfer { messages: messages.to_vec(), message, too_large_for: None }
    }

    fn refused() -> AmqpState {
        AmqpState::Refused { condition: "amqp:not-found".to_owned(), description: String::new() }
    }

    #[test]
    fn what_was_settled_before_a_link_broke_stands() {
        let lost = || Failed::Wire(WireError::ReplyLost("gone".to_owned()));
        let first = Outcomes::new(2).broken_off(&transfer(&[0, 1]), lost());
        assert_eq!(first.map(|_| ()), Err(WireError::ReplyLost("gone".to_owned())));

        let mut outcomes = Outcomes::new(3);
        outcomes.settle(&transfer(&[0, 2]), AmqpState::Accepted);
        let reply = outcomes.broken_off(&transfer(&[1]), lost()).expect("an answer");
        let accepted = AmqpOutcome { state: AmqpState::Accepted, company: 2 };
        assert_eq!(reply.outcomes[0], accepted);
        assert_eq!(reply.outcomes[2], accepted);
        assert!(matches!(reply.outcomes[1].state, AmqpState::Unanswered(_)));
    }

    #[test]
    fn a_refusal_of_the_link_is_of_the_transfer_it_came_at() {
        let reply = Outcomes::new(2).broken_off(&transfer(&[0]), Failed::Refused(refused()));
        let reply = reply.expect("an answer");
        assert_eq!(reply.outcomes[0].state, refused());
        assert!(matches!(reply.outcomes[1].state, AmqpState::Unanswered(_)));
    }
}
