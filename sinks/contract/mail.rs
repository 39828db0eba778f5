//! SMTP: an envelope, a message that is ready to be sent, and what the server said.

use std::{fmt, time::Duration};

use bytes::Bytes;

use super::{Protocol, Secret, Shown, Tls, Verdict};

/// The protocol of mail (<https://www.rfc-editor.org/rfc/rfc5321>).
#[derive(Debug)]
pub struct Mail;

/// One attempt: one message to its recipients.
#[derive(Debug, Clone)]
pub struct MailRequest {
    /// The sender of the envelope.
    pub from: String,
    /// The recipients of the envelope; at least one.
    pub to: Vec<String>,
    /// The whole message: headers and body, in lines of at most 998 ASCII characters and CRLF.
    pub message: Bytes,
    /// How often recipients were tried again that were refused for now; 0 for a first attempt.
    pub again: u32,
}

/// A step of the dialogue, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MailStep {
    /// The greeting, `EHLO` and `STARTTLS`.
    Hello,
    /// `AUTH`.
    Auth,
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`, where every recipient was refused.
    Recipients,
    /// `DATA`, before anything of the message.
    Data,
    /// The message, with the full stop behind it.
    Message,
}

impl MailStep {
    /// What was being done, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hello => "greeting",
            Self::Auth => "authenticating",
            Self::Sender => "naming the sender",
            Self::Recipients => "naming the recipients",
            Self::Data => "asking to send the message",
            Self::Message => "sending the message",
        }
    }
}

/// A server's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailAnswer {
    /// The three digits.
    pub code: u16,
    /// The text behind them, on one line.
    pub text: String,
}

impl fmt::Display for MailAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

impl MailAnswer {
    /// Whether it is a refusal for now.
    pub fn is_for_now(&self) -> bool {
        (400..500).contains(&self.code)
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct MailReply {
    /// How far the dialogue went.
    pub step: MailStep,
    /// The last answer of that step.
    pub answer: MailAnswer,
    /// Recipients that were refused, and how.
    pub refused: Vec<(String, MailAnswer)>,
}

impl MailReply {
    /// All of it on one line, for people.
    pub fn summary(&self) -> String {
        let mut summary = format!("{} ({})", self.answer, self.step.name());
        for (recipient, answer) in &self.refused {
            summary.push_str(&format!("; {recipient}: {answer}"));
        }
        summary
    }
}

/// Whether and how the dialogue is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// From `STARTTLS` on. A server that does not offer it is sent nothing.
    #[default]
    Starttls,
    /// From the first byte.
    On,
    /// Not at all.
    Off,
}

/// How a mail server is reached.
#[derive(Debug, Clone)]
pub struct MailConnection {
    /// Its name or address; certificates are for it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Encryption.
    pub security: MailSecurity,
    /// Who we are, where the server asks.
    pub credentials: Option<(String, Secret)>,
    /// What we call ourselves in `EHLO`.
    pub hello: String,
    /// Trust and identity.
    pub tls: Tls,
    /// How long one attempt may take from connecting to the last answer.
    pub timeout: Duration,
}

impl Default for MailConnection {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: 587,
            security: MailSecurity::default(),
            credentials: None,
            hello: "localhost".to_owned(),
            tls: Tls::default(),
            timeout: Duration::from_secs(60),
        }
    }
}

impl Protocol for Mail {
    type Request = MailRequest;
    type Reply = MailReply;
    type Connection = MailConnection;

    /// Recipients, sender and credentials are of the configuration alone, so what is wrong with
    /// them costs no event; what is wrong with the message costs that one.
    fn verdict(reply: &MailReply) -> Verdict<Self> {
        let why = reply.summary();
        match (reply.step, reply.answer.code) {
            (MailStep::Message, 200..=299) => Verdict::Accepted,
            (_, 400..=499) => Verdict::Later(None, why),
            // The server asks for a login, or for another one.
            (_, 530 | 534 | 535 | 538) => Verdict::Blocked(why),
            (MailStep::Sender | MailStep::Message, 552) => Verdict::Smaller(why),
            (MailStep::Message, 500..=599) => Verdict::Never(why),
            (MailStep::Recipients, _) if reply.refused.iter().any(|(_, a)| a.is_for_now()) => {
                Verdict::Later(None, why)
            }
            _ => Verdict::Blocked(why),
        }
    }

    fn shown(request: &MailRequest, connection: &MailConnection) -> Shown {
        let MailConnection { host, port, security, .. } = connection;
        let scheme = if *security == MailSecurity::On { "smtps" } else { "smtp" };
        let headers = [
            ("MAIL FROM", request.from.clone()),
            ("RCPT TO", request.to.join(", ")),
            ("TLS", format!("{security:?}").to_lowercase()),
        ];
        Shown {
            method: "MAIL".to_owned(),
            address: format!("{scheme}://{host}:{port}"),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
            body: request.message.clone(),
        }
    }

    fn tls(connection: &MailConnection) -> Option<&Tls> {
        Some(&connection.tls)
    }
}
