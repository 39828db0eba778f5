//! AMQP 1.0 as Event Hubs speaks it: messages go out in transfers, each with an outcome of its own.
//!
//! A request names messages, not transfers: how many go together depends on their keys and on what
//! the hub says it takes, which only the wire learns. So an outcome comes back for each message,
//! with how many shared its transfer.

use std::{fmt, time::Duration};

use bytes::{Bytes, BytesMut};

use super::{Credential, Protocol, Secret, SharedAccess, Shown, Tls, Verdict};

/// The protocol of Azure Event Hubs.
#[derive(Debug)]
pub struct Amqp;

/// One attempt: messages in order.
#[derive(Clone)]
pub struct AmqpRequest {
    /// Not empty.
    pub messages: Vec<AmqpMessage>,
}

/// Without the bodies, which are long.
impl fmt::Debug for AmqpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AmqpRequest").field("messages", &self.messages.len()).finish()
    }
}

/// One message.
#[derive(Debug, Clone)]
pub struct AmqpMessage {
    /// Its `message-id`, and its application property `event_id`.
    pub id: String,
    /// Messages of one key go to one partition, in order; empty for any partition.
    pub partition_key: String,
    /// Its only data section.
    pub body: Bytes,
}

/// What came back: an outcome for each message, in order.
#[derive(Debug, Clone)]
pub struct AmqpReply {
    /// As many as messages were sent.
    pub outcomes: Vec<AmqpOutcome>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmqpOutcome {
    /// What became of its transfer.
    pub state: AmqpState,
    /// Messages in that transfer, itself among them. One that was refused in company may be
    /// without fault.
    pub company: usize,
}

/// What became of a transfer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AmqpState {
    /// It is safe there.
    Accepted,
    /// It was not acted upon.
    Released,
    /// It was not acted upon, and something about it should change.
    Modified,
    /// It, or all of the link it goes by, was refused.
    Refused {
        /// The error's symbol: `com.microsoft:server-busy`; empty where there is none.
        condition: String,
        /// In the hub's own words.
        description: String,
    },
    /// It is larger than the hub takes, and was not sent.
    TooLarge {
        /// What the hub takes, in bytes.
        max_bytes: u64,
    },
    /// It may or may not have arrived, or was not sent because of one before it.
    Unanswered(String),
}

/// How a hub is reached.
#[derive(Debug, Clone)]
pub struct AmqpConnection {
    /// The namespace's host, which the connection is for.
    pub namespace: String,
    /// The hub.
    pub hub: String,
    /// Where to connect instead: `amqps://host:port`, or `amqp://` without TLS.
    pub endpoint: Option<String>,
    /// Whether AMQP goes inside a WebSocket, by port 443.
    pub websocket: bool,
    /// Whom to trust, and how to prove ourselves to TLS.
    pub tls: Tls,
    /// Who we are.
    pub credential: Credential,
    /// How long opening, and how long each transfer, may take.
    pub timeout: Duration,
}

impl Default for AmqpConnection {
    fn default() -> Self {
        let token = SharedAccess::Token(Secret::new(String::new()));
        Self {
            namespace: "localhost".to_owned(),
            hub: "hub".to_owned(),
            endpoint: None,
            websocket: false,
            tls: Tls::default(),
            credential: Credential::SharedAccess(token),
            timeout: Duration::from_secs(30),
        }
    }
}

impl AmqpReply {
    /// The same for all of so many messages.
    pub fn of_all(messages: usize, state: &AmqpState) -> Self {
        let outcome = AmqpOutcome { state: state.clone(), company: messages };
        Self { outcomes: vec![outcome; messages] }
    }

    /// How many were accepted, and the first other outcome, on one line, for people.
    pub fn summary(&self) -> String {
        let accepted = self.outcomes.iter().filter(|outcome| outcome.is_accepted()).count();
        let other = self.outcomes.iter().find(|outcome| !outcome.is_accepted());
        match other {
            None => format!("AMQP accepted {accepted}"),
            Some(other) => {
                format!("AMQP accepted {accepted} of {}: {}", self.outcomes.len(), other.state)
            }
        }
    }
}

impl AmqpOutcome {
    fn is_accepted(&self) -> bool {
        self.state == AmqpState::Accepted
    }
}

impl fmt::Display for AmqpState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Released => f.write_str("released: the hub did not take it"),
            Self::Modified => f.write_str("modified: the hub did not take it as it is now"),
            Self::Refused { condition, description } => {
                let condition = if condition.is_empty() { "rejected" } else { condition };
                let words: Vec<&str> = description.split_whitespace().collect();
                let words: String = words.join(" ").chars().take(200).collect();
                write!(f, "{condition}{}{words}", if words.is_empty() { "" } else { ": " })
            }
            Self::TooLarge { max_bytes } => {
                write!(f, "larger than the {max_bytes} bytes that the hub takes")
            }
            Self::Unanswered(why) => f.write_str(why),
        }
    }
}

/// A hub that is busy is not asked again sooner
/// (<https://learn.microsoft.com/azure/event-hubs/event-hubs-messaging-exceptions>).
const BUSY: Duration = Duration::from_secs(4);

/// What a transfer's outcome means for its messages.
fn meaning(state: &AmqpState) -> Verdict<Amqp> {
    let why = format!("AMQP {state}");
    match state {
        AmqpState::Accepted => Verdict::Accepted,
        AmqpState::Released | AmqpState::Modified | AmqpState::Unanswered(_) => {
            Verdict::Later(None, why)
        }
        AmqpState::TooLarge { .. } => Verdict::Smaller(why),
        AmqpState::Refused { condition, .. } => match condition.as_str() {
            "com.microsoft:server-busy" => Verdict::Later(Some(BUSY), why),
            "amqp:link:message-size-exceeded" => Verdict::Smaller(why),
            "amqp:unauthorized-access"
            | "amqp:not-found"
            | "amqp:not-allowed"
            | "amqp:resource-deleted"
            | "com.microsoft:auth-failed"
            | "com.microsoft:entity-disabled"
            | "com.microsoft:publisher-revoked" => Verdict::Blocked(why),
            // The specification: an invalid message, which no trying again will pass.
            ""
            | "amqp:decode-error"
            | "amqp:invalid-field"
            | "amqp:not-implemented"
            | "amqp:precondition-failed"
            | "com.microsoft:argument-error"
            | "com.microsoft:argument-out-of-range" => Verdict::Never(why),
            _ => Verdict::Later(None, why),
        },
    }
}

/// Whether a message goes no further as it was sent.
fn is_refusal(verdict: &Verdict<Amqp>) -> bool {
    matches!(verdict, Verdict::Never(_) | Verdict::Smaller(_))
}

/// How much a verdict says of the hub as a whole.
fn weight(verdict: &Verdict<Amqp>) -> u8 {
    match verdict {
        Verdict::Blocked(_) => 3,
        Verdict::Later(Some(_), _) => 2,
        Verdict::Later(None, _) => 1,
        _ => 0,
    }
}

impl Protocol for Amqp {
    type Request = AmqpRequest;
    type Reply = AmqpReply;
    type Connection = AmqpConnection;

    /// Where nothing was accepted, one verdict for all, so that a batch whose transfer was refused
    /// is halved until the one is found. Where something was, what was refused in company comes
    /// again by itself, and is then such a batch.
    fn verdict(reply: &AmqpReply) -> Verdict<Self> {
        let each: Vec<Verdict<Self>> =
            reply.outcomes.iter().map(|outcome| meaning(&outcome.state)).collect();
        let accepted = each.iter().filter(|one| matches!(one, Verdict::Accepted)).count();
        if accepted == each.len() {
            return Verdict::Accepted;
        }
        let alone = |index: usize| reply.outcomes[index].company == 1;
        let all_alone = (0..each.len()).all(|index| alone(index) || !is_refusal(&each[index]));
        if accepted == 0 && !all_alone {
            let worst = each.into_iter().max_by_key(weight);
            return worst.unwrap_or(Verdict::Accepted);
        }
        let each = each.into_iter().enumerate().map(|(index, verdict)| match verdict {
            Verdict::Never(why) | Verdict::Smaller(why) if !alone(index) => {
                Verdict::Later(Some(Duration::ZERO), why)
            }
            verdict => verdict,
        });
        Verdict::Each(each.collect())
    }

    fn shown(request: &AmqpRequest, connection: &AmqpConnection) -> Shown {
        let mut body = BytesMut::new();
        for message in &request.messages {
            if !body.is_empty() {
                body.extend_from_slice(b"\n");
            }
            body.extend_from_slice(&message.body);
        }
        let first = &request.messages[0];
        let mut headers = vec![("message-id".to_owned(), first.id.clone())];
        if !first.partition_key.is_empty() {
            headers.push(("x-opt-partition-key".to_owned(), first.partition_key.clone()));
        }
        headers.push(("event_id".to_owned(), first.id.clone()));
        Shown {
            method: "SEND".to_owned(),
            address: format!("amqps://{}/{}", connection.namespace, connection.hub),
            headers,
            body: body.freeze(),
        }
    }

    fn tls(connection: &AmqpConnection) -> Option<&Tls> {
        Some(&connection.tls)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(condition: &str) -> AmqpState {
        AmqpState::Refused { condition: condition.to_owned(), description: String::new() }
    }

    fn names(outcomes: &[(AmqpState, usize)]) -> Vec<&'static str> {
        let outcomes = outcomes.iter().cloned();
        let outcomes = outcomes.map(|(state, company)| AmqpOutcome { state, company }).collect();
        match Amqp::verdict(&AmqpReply { outcomes }) {
            Verdict::Each(each) => each.iter().map(Verdict::name).collect(),
            one => vec![one.name()],
        }
    }

    #[test]
    fn every_condition_has_a_meaning() {
        for (condition, expected) in [
            ("com.microsoft:server-busy", "later"),
            ("amqp:resource-limit-exceeded", "later"),
            ("com.microsoft:timeout", "later"),
            ("amqp:internal-error", "later"),
            ("amqp:link:detach-forced", "later"),
            ("amqp:connection:forced", "later"),
            ("something:new", "later"),
            ("amqp:link:message-size-exceeded", "smaller"),
            ("amqp:unauthorized-access", "blocked"),
            ("amqp:not-found", "blocked"),
            ("com.microsoft:entity-disabled", "blocked"),
            ("com.microsoft:argument-error", "never"),
            ("amqp:decode-error", "never"),
            ("", "never"),
        ] {
            assert_eq!(meaning(&refused(condition)).name(), expected, "{condition}");
        }
        assert_eq!(meaning(&AmqpState::Released).name(), "later");
        assert_eq!(meaning(&AmqpState::Modified).name(), "later");
        assert!(matches!(
            meaning(&refused("com.microsoft:server-busy")),
            Verdict::Later(Some(BUSY), _)
        ));
    }

    #[test]
    fn what_was_refused_in_company_is_looked_for_and_never_buries_its_neighbours() {
        use AmqpState::Accepted;
        let bad = || refused("amqp:invalid-field");
        assert_eq!(names(&[(Accepted, 2), (Accepted, 2)]), ["accepted"]);
        assert_eq!(names(&[(bad(), 2), (bad(), 2)]), ["never"]);
        assert_eq!(names(&[(bad(), 1), (bad(), 1)]), ["never", "never"]);
        assert_eq!(names(&[(Accepted, 1), (bad(), 1)]), ["accepted", "never"]);
        assert_eq!(names(&[(Accepted, 1), (bad(), 2), (bad(), 2)]), ["accepted", "later", "later"]);
        assert_eq!(names(&[(bad(), 2), (bad(), 2), (AmqpState::Released, 1)]), ["later"]);
        let gone = || refused("amqp:not-found");
        assert_eq!(names(&[(bad(), 2), (bad(), 2), (gone(), 1)]), ["blocked"]);
        assert_eq!(names(&[(Accepted, 1), (gone(), 1)]), ["accepted", "blocked"]);
        let busy = || refused("com.microsoft:server-busy");
        assert_eq!(names(&[(busy(), 3), (busy(), 3), (busy(), 3)]), ["later", "later", "later"]);
    }

    #[test]
    fn an_answer_is_told_on_one_line() {
        let state = AmqpState::Refused {
            condition: "amqp:not-found".to_owned(),
            description: "no\nsuch  hub".to_owned(),
        };
        let reply = AmqpReply::of_all(2, &state);
        assert_eq!(reply.summary(), "AMQP accepted 0 of 2: amqp:not-found: no such hub");
        assert_eq!(AmqpReply::of_all(2, &AmqpState::Accepted).summary(), "AMQP accepted 2");
    }
}
