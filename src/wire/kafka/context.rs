//! What the client library tells us: reports, errors, its log, statistics, and its wish for a
//! token. All of it is called on the producer's own thread, and nothing here may panic.

use std::{
    error::Error,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use rdkafka::{
    client::{ClientContext, OAuthToken},
    config::RDKafkaLogLevel,
    error::KafkaError,
    message::DeliveryResult,
    producer::ProducerContext,
    types::RDKafkaErrorCode,
};
use sidearm_sinks::contract::{KafkaConnection, Sasl};
use tokio::sync::watch;

use super::{
    figures::Statistics,
    reports::{Place, Report},
    session::End,
    token::{NoToken, Tokens},
};

/// What a session and its producer's thread share.
#[derive(Debug)]
pub(super) struct Shared {
    sink: Arc<str>,
    secrets: Vec<String>,
    tokens: Option<Tokens>,
    end: watch::Sender<Option<End>>,
    /// Whether any record was ever delivered: from then on an outage is waited out, so that the
    /// brokers can still refuse copies.
    reached: AtomicBool,
    trouble: Mutex<Option<String>>,
    statistics: Mutex<Statistics>,
}

impl Shared {
    pub(super) fn new(sink: Arc<str>, connection: &KafkaConnection) -> Self {
        let secrets = match &connection.sasl {
            Some(Sasl::Password { password, .. }) => vec![password.reveal().to_owned()],
            Some(Sasl::Bearer { client_secret, .. }) => vec![client_secret.reveal().to_owned()],
            Some(Sasl::Entra(_)) | None => Vec::new(),
        };
        Self {
            sink,
            secrets,
            tokens: connection.sasl.as_ref().and_then(Tokens::new),
            end: watch::Sender::new(None),
            reached: AtomicBool::new(false),
            trouble: Mutex::default(),
            statistics: Mutex::default(),
        }
    }

    pub(super) fn end(&self) -> Option<End> {
        self.end.borrow().clone()
    }

    pub(super) async fn ended(&self) -> End {
        let mut hears = self.end.subscribe();
        match hears.wait_for(Option::is_some).await {
            Ok(end) => end.clone().unwrap_or_else(|| End::Fatal("it ended".to_owned())),
            Err(_) => End::Fatal("it ended".to_owned()),
        }
    }

    /// What last went wrong on the way to the brokers.
    pub(super) fn last_trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn statistics(&self) -> Statistics {
        *self.statistics.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A text of the client library's without what is secret.
    pub(super) fn hide(&self, text: &str) -> String {
        let hide = |text: String, secret: &String| text.replace(secret, "***");
        self.secrets.iter().filter(|secret| !secret.is_empty()).fold(text.to_owned(), hide)
    }

    fn over(&self, end: End) {
        self.end.send_if_modified(|current| {
            let is_first = current.is_none();
            if is_first {
                *current = Some(end);
            }
            is_first
        });
    }

    /// The client library asks for the next token while the last one still serves, and again where
    /// there was none; a session that was in use goes on unless we are refused.
    fn no_token(&self, no_token: NoToken) -> String {
        let (NoToken::Refused(why) | NoToken::Trouble(why)) = &no_token;
        let why = self.hide(why);
        match no_token {
            NoToken::Refused(_) => self.over(End::Refused(why.clone())),
            NoToken::Trouble(_) if !self.reached.load(Relaxed) => {
                self.over(End::Unreachable(why.clone()));
            }
            NoToken::Trouble(_) => self.failed(None, why.clone()),
        }
        why
    }

    fn failed(&self, code: Option<RDKafkaErrorCode>, reason: String) {
        use RDKafkaErrorCode as Code;
        let reached = self.reached.load(Relaxed);
        match code {
            Some(Code::Fatal) => self.over(End::Fatal(reason)),
            Some(Code::Authentication | Code::SaslAuthenticationFailed) => {
                self.over(End::Refused(reason));
            }
            // A connection cut while it is being made says so too, once brokers come and go.
            Some(Code::SSL) if !reached || reason.contains("certificate") => {
                self.over(End::Refused(reason));
            }
            Some(Code::AllBrokersDown) if !reached => {
                let why = self.last_trouble().unwrap_or(reason);
                // What the other side says against a certificate comes after the handshake.
                self.over(match why.contains("alert certificate") {
                    true => End::Refused(why),
                    false => End::Unreachable(why),
                });
            }
            Some(Code::AllBrokersDown) => {
                let why = self.last_trouble();
                tracing::warn!(
                    sink = %self.sink, reason = why,
                    "no broker can be reached; what is under way waits for one"
                );
            }
            _ => *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason),
        }
    }
}

/// The client library's way to us.
#[derive(Debug)]
pub(super) struct Context {
    shared: Arc<Shared>,
}

impl Context {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl ClientContext for Context {
    const ENABLE_REFRESH_OAUTH_TOKEN: bool = true;

    /// Its own levels tell of connections, and a lost one is its business to mend.
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let (sink, text) = (&self.shared.sink, self.shared.hide(text));
        match level {
            RDKafkaLogLevel::Debug | RDKafkaLogLevel::Info | RDKafkaLogLevel::Notice => {
                tracing::debug!(%sink, facility, "librdkafka: {text}");
            }
            _ => tracing::info!(%sink, facility, "librdkafka: {text}"),
        }
    }

    fn stats_raw(&self, statistics: &[u8]) {
        match serde_json::from_slice(statistics) {
            Ok(read) => {
                *self.shared.statistics.lock().unwrap_or_else(PoisonError::into_inner) = read;
            }
            Err(error) => tracing::debug!(%error, "librdkafka's statistics could not be read"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        let reason = self.shared.hide(reason);
        tracing::debug!(sink = %self.shared.sink, %error, reason, "trouble with Kafka");
        self.shared.failed(error.rdkafka_error_code(), reason);
    }

    fn generate_oauth_token(&self, _: Option<&str>) -> Result<OAuthToken, Box<dyn Error>> {
        let Some(tokens) = &self.shared.tokens else { return Err("no token is configured".into()) };
        tokens.fetch().map_err(|no_token| self.shared.no_token(no_token).into())
    }
}

impl ProducerContext for Context {
    type DeliveryOpaque = Box<Place>;

    fn delivery(&self, result: &DeliveryResult<'_>, place: Box<Place>) {
        let report = match result {
            Ok(_) => {
                if !self.shared.reached.load(Relaxed) {
                    self.shared.reached.store(true, Relaxed);
                }
                Report::Delivered
            }
            Err((error, _)) => match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::PurgeQueue) => Report::NotSent,
                Some(code) => Report::Failed(code),
                None => Report::Failed(RDKafkaErrorCode::Unknown),
            },
        };
        place.call.report(place.index, report);
    }
}
