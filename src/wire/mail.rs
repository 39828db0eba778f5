//! SMTP: one dialogue, one message, within one time-out.
//!
//! Owns the connection, its encryption and the line between "nothing was sent" and "the answer was
//! lost", which is the full stop behind the message. A server that does not offer the encryption
//! that was asked for is sent nothing. The words of the dialogue are `mail/dialogue.rs`'s.

mod dialogue;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sidearm_sinks::contract::{
    Mail, MailAnswer, MailConnection, MailReply, MailRequest, MailSecurity, MailStep,
};
use tokio::{net::TcpStream, time::timeout};

use super::{Attempt, Wire, WireError, tls};
use dialogue::{Capabilities, Dialogue};

/// Connecting takes no longer, so that the rest of the time-out is for the dialogue.
const MAX_CONNECT: Duration = Duration::from_secs(10);

/// The way to one mail server. Each attempt is a connection of its own: mails are few.
#[derive(Debug)]
pub struct MailWire {
    connection: MailConnection,
}

/// Why a dialogue ended before its message was taken or refused.
enum End {
    Told(MailReply),
    Failed(WireError),
}

impl From<WireError> for End {
    fn from(error: WireError) -> Self {
        Self::Failed(error)
    }
}

impl MailWire {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// [`WireError::Unusable`] names the certificate file that cannot be read or used.
    pub fn new(connection: &MailConnection) -> Result<Self, WireError> {
        match connection.security {
            MailSecurity::Off => {
                tracing::warn!("mails are sent in the clear: security is \"off\"");
            }
            MailSecurity::Starttls | MailSecurity::On => {
                tls::check(&connection.tls, &connection.host)?;
            }
        }
        Ok(Self { connection: connection.clone() })
    }

    async fn attempt(&self, request: MailRequest) -> Result<MailReply, WireError> {
        let limit = self.connection.timeout;
        let is_sent = AtomicBool::new(false);
        let ended = timeout(limit, self.converse(&request, &is_sent)).await;
        let failed = match ended {
            Ok(Ok(reply) | Err(End::Told(reply))) => return Ok(reply),
            Ok(Err(End::Failed(WireError::NotSent(why)))) => why,
            Ok(Err(End::Failed(error))) => return Err(error),
            Err(_) => format!("no answer within {limit:?}"),
        };
        Err(match is_sent.load(Ordering::Relaxed) {
            true => WireError::ReplyLost(failed),
            false => WireError::NotSent(failed),
        })
    }

    async fn converse(
        &self,
        request: &MailRequest,
        is_sent: &AtomicBool,
    ) -> Result<MailReply, End> {
        let (mut dialogue, capabilities) = self.greet().await?;
        self.authenticate(&mut dialogue, &capabilities).await?;
        let refused = envelope(&mut dialogue, &capabilities, request).await?;
        let answer = dialogue.command("DATA").await?;
        if answer.code != 354 {
            let reply = MailReply { step: MailStep::Data, answer, refused };
            return Err(given_up(&mut dialogue, reply).await);
        }
        dialogue.message(&request.message, || is_sent.store(true, Ordering::Relaxed)).await?;
        let answer = dialogue.answer().await?;
        dialogue.leave().await;
        Ok(MailReply { step: MailStep::Message, answer, refused })
    }

    /// Connects, encrypts as it was asked for, and learns what the server can do.
    async fn greet(&self) -> Result<(Dialogue, Capabilities), End> {
        let MailConnection { host, port, security, hello, .. } = &self.connection;
        let connect = TcpStream::connect((host.as_str(), *port));
        let tcp = timeout(MAX_CONNECT.min(self.connection.timeout / 2), connect)
            .await
            .map_err(|_| WireError::NotSent("no connection in time".to_owned()))?
            .map_err(|error| WireError::NotSent(error.to_string()))?;
        let mut dialogue = Dialogue::over(tcp);
        if *security == MailSecurity::On {
            dialogue = self.encrypted(dialogue).await?;
        }
        let greeting = dialogue.answer().await?;
        expect(&mut dialogue, MailStep::Hello, 220, greeting).await?;
        let mut capabilities = hello_of(&mut dialogue, hello).await?;
        if *security == MailSecurity::Starttls {
            if !capabilities.starttls {
                dialogue.leave().await;
                let why = "the server offers no STARTTLS, so it is sent nothing; where it speaks \
                           TLS from the first byte, set security = \"on\"";
                return Err(WireError::Unusable(why.to_owned()).into());
            }
            let answer = dialogue.command("STARTTLS").await?;
            expect(&mut dialogue, MailStep::Hello, 220, answer).await?;
            dialogue = self.encrypted(dialogue).await?;
            // What was said in the clear does not count.
            capabilities = hello_of(&mut dialogue, hello).await?;
        }
        Ok((dialogue, capabilities))
    }

    async fn encrypted(&self, dialogue: Dialogue) -> Result<Dialogue, WireError> {
        let MailConnection { tls, host, .. } = &self.connection;
        Ok(Dialogue::over(tls::over(dialogue.into_stream()?, tls, host, &[]).await?))
    }

    async fn authenticate(
        &self,
        dialogue: &mut Dialogue,
        capabilities: &Capabilities,
    ) -> Result<(), End> {
        let Some((user, password)) = &self.connection.credentials else { return Ok(()) };
        let answer = if capabilities.plain {
            dialogue.auth_plain(user, password.reveal()).await?
        } else if capabilities.login {
            dialogue.auth_login(user, password.reveal()).await?
        } else {
            dialogue.leave().await;
            let why = "the server offers neither AUTH PLAIN nor AUTH LOGIN, and a user is given";
            return Err(WireError::Unusable(why.to_owned()).into());
        };
        expect(dialogue, MailStep::Auth, 235, answer).await
    }
}

async fn hello_of(dialogue: &mut Dialogue, name: &str) -> Result<Capabilities, End> {
    let answer = dialogue.command(&format!("EHLO {name}")).await?;
    let capabilities = Capabilities::of(&answer.text);
    expect(dialogue, MailStep::Hello, 250, answer).await?;
    Ok(capabilities)
}

/// Names sender and recipients. Answers the recipients that were refused, unless all were.
async fn envelope(
    dialogue: &mut Dialogue,
    capabilities: &Capabilities,
    request: &MailRequest,
) -> Result<Vec<(String, MailAnswer)>, End> {
    let mut sender = format!("MAIL FROM:<{}>", request.from);
    if capabilities.size {
        sender.push_str(&format!(" SIZE={}", request.message.len()));
    }
    let answer = dialogue.command(&sender).await?;
    expect(dialogue, MailStep::Sender, 250, answer).await?;
    let mut refused = Vec::new();
    for recipient in &request.to {
        let answer = dialogue.command(&format!("RCPT TO:<{recipient}>")).await?;
        if !(250..=252).contains(&answer.code) {
            refused.push((recipient.clone(), answer));
        }
    }
    match refused.last() {
        Some((_, answer)) if refused.len() == request.to.len() => {
            let (step, answer) = (MailStep::Recipients, answer.clone());
            Err(given_up(dialogue, MailReply { step, answer, refused }).await)
        }
        _ => Ok(refused),
    }
}

async fn expect(
    dialogue: &mut Dialogue,
    step: MailStep,
    code: u16,
    answer: MailAnswer,
) -> Result<(), End> {
    match answer.code == code {
        true => Ok(()),
        false => Err(given_up(dialogue, MailReply { step, answer, refused: Vec::new() }).await),
    }
}

/// The end of a dialogue that the server refused to go on with; leave is taken of it all the same
/// (RFC 5321, 4.1.1.10).
async fn given_up(dialogue: &mut Dialogue, reply: MailReply) -> End {
    dialogue.leave().await;
    End::Told(reply)
}

impl Wire<Mail> for MailWire {
    fn call(&self, request: MailRequest) -> Attempt<'_, Mail> {
        Box::pin(self.attempt(request))
    }
}
