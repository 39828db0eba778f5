//! Event Hubs as AMQP sees it: `$cbs` for tokens, one hub, outcomes by script.
//!
//! It takes messages on a link only after a token for that very hub, signed with its key and put on
//! that very connection, decodes batches of the format
//! 0x80013700, and refuses what the service refuses: another format, a batch of several keys,
//! messages without a body, transfers above its limit.

use std::{
    collections::VecDeque,
    net::{Shutdown, SocketAddr, TcpStream as Raw},
    sync::{Arc, Mutex},
};

use fe2o3_amqp::{
    Receiver, Sender,
    acceptor::{
        ConnectionAcceptor, LinkAcceptor, LinkEndpoint, ListenerSessionHandle,
        SaslAnonymousMechanism, SessionAcceptor,
    },
    link::delivery::Delivery,
    types::{
        definitions::{Error, ErrorCondition},
        messaging::{
            AmqpValue, ApplicationProperties, Body, Message, MessageId, Modified, Properties,
            message::DecodeIntoMessage as _,
        },
        primitives::{SimpleValue, Symbol, Value},
    },
};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_amqp::read::SliceReader;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};

use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message as Frame,
        handshake::server::{ErrorResponse, Request, Response},
    },
};

use super::azure::is_signed;

/// What tokens signed with a key are called.
const SIGNATURE: &str = "servicebus.windows.net:sastoken";
/// The format of a transfer that is a batch.
const BATCH_FORMAT: u32 = 0x8001_3700;

/// What it does with one transfer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Accept,
    Release,
    Modify,
    /// Rejects it with this condition, or with none.
    Reject(Option<&'static str>),
    /// Closes the link with this condition.
    Detach(&'static str),
    /// Takes it and resets the connection before it says so.
    Drop,
    /// Takes it and says nothing.
    Silent,
}

/// One message it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) id: String,
    pub(crate) event_id: String,
    pub(crate) key: String,
    pub(crate) body: Vec<u8>,
    /// Messages in its transfer.
    pub(crate) company: usize,
}

/// A token it was given.
#[derive(Debug, Clone)]
pub(crate) struct Put {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) token: String,
}

#[derive(Debug)]
struct State {
    script: VecDeque<Act>,
    /// What `$cbs` answers.
    token_status: i32,
    max_bytes: u64,
    taken: Vec<Taken>,
    puts: Vec<Put>,
    transfers: usize,
    /// Connections of this moment, so that they can be cut.
    open: Vec<Raw>,
    connections: usize,
    /// A message with this in its body is refused wherever it is.
    poison: Option<Vec<u8>>,
}

/// The double; it ends when it is dropped.
pub(crate) struct Hub {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
    _task: JoinSet<()>,
}

impl Hub {
    /// One that takes everything, up to so many bytes a transfer.
    pub(crate) async fn start(max_bytes: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let state = Arc::new(Mutex::new(State {
            script: VecDeque::new(),
            token_status: 202,
            max_bytes,
            taken: Vec::new(),
            puts: Vec::new(),
            transfers: 0,
            open: Vec::new(),
            connections: 0,
            poison: None,
        }));
        let mut task = JoinSet::new();
        let shared = state.clone();
        task.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                all.spawn(connection(stream, shared.clone()));
            }
        });
        Self { address, state, _task: task }
    }

    /// Listens for WebSockets, at the one path and by the one protocol that the service knows; it
    /// ends when what it answers is dropped.
    pub(crate) async fn by_websocket(&self) -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (mut task, hub) = (JoinSet::new(), self.address);
        task.spawn(async move {
            let mut all = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                all.spawn(websocket(stream, hub));
            }
        });
        (address, task)
    }

    /// What it does with the next transfers; afterwards it accepts.
    pub(crate) fn script(&self, acts: &[Act]) {
        self.with(|state| state.script = acts.iter().copied().collect());
    }

    /// What `$cbs` answers tokens with from now on.
    pub(crate) fn answer_tokens(&self, status: i32) {
        self.with(|state| state.token_status = status);
    }

    /// Refuses every transfer that has a message with this in it.
    pub(crate) fn poison(&self, text: &str) {
        self.with(|state| state.poison = Some(text.as_bytes().to_vec()));
    }

    /// Cuts every connection.
    pub(crate) fn cut(&self) {
        self.with(|state| state.cut());
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.with(|state| state.taken.clone())
    }

    pub(crate) fn puts(&self) -> Vec<Put> {
        self.with(|state| state.puts.clone())
    }

    pub(crate) fn transfers(&self) -> usize {
        self.with(|state| state.transfers)
    }

    pub(crate) fn connections(&self) -> usize {
        self.with(|state| state.connections)
    }

    fn with<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.state.lock().expect("nothing panics while it is held"))
    }
}

impl State {
    fn cut(&mut self) {
        for stream in self.open.drain(..) {
            // One that is gone already needs no cutting.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Carries what frames hold to the hub and back, until one of the two ends.
#[expect(clippy::result_large_err, reason = "the library's own answer to a handshake")]
async fn websocket(stream: TcpStream, hub: SocketAddr) {
    let greet = |request: &Request, mut answer: Response| {
        let asks = request.headers().get("sec-websocket-protocol");
        if request.uri().path() != "/$servicebus/websocket/" || asks.is_none_or(|it| it != "amqp") {
            let mut refusal = ErrorResponse::new(None);
            *refusal.status_mut() = http::StatusCode::NOT_FOUND;
            return Err(refusal);
        }
        let protocol = http::HeaderValue::from_static("amqp");
        answer.headers_mut().insert("sec-websocket-protocol", protocol);
        Ok(answer)
    };
    let Ok(socket) = accept_hdr_async(stream, greet).await else { return };
    let (mut send, mut frames) = socket.split();
    let (mut read, mut write) = TcpStream::connect(hub).await.expect("the hub").into_split();
    let there = async {
        while let Some(Ok(frame)) = frames.next().await {
            if frame.is_binary() && write.write_all(&frame.into_data()).await.is_err() {
                break;
            }
        }
    };
    let back = async {
        let mut bytes = vec![0; 4096];
        while let Ok(read @ 1..) = read.read(&mut bytes).await {
            if send.send(Frame::binary(bytes[..read].to_vec())).await.is_err() {
                break;
            }
        }
    };
    tokio::select! { () = there => {}, () = back => {} }
}

async fn connection(stream: TcpStream, state: Arc<Mutex<State>>) {
    let stream = stream.into_std().expect("a socket");
    {
        let mut state = state.lock().expect("nothing panics while it is held");
        state.open.push(stream.try_clone().expect("a socket"));
        state.connections += 1;
    }
    let stream = TcpStream::from_std(stream).expect("a socket");
    let acceptor = ConnectionAcceptor::builder()
        .container_id("event-hubs")
        .sasl_acceptor(SaslAnonymousMechanism::new())
        .build();
    let Ok(mut connection) = acceptor.accept(stream).await else { return };
    let mut sessions = JoinSet::new();
    let granted = Granted::default();
    while let Ok(handle) = SessionAcceptor::default().accept(&mut connection).await {
        sessions.spawn(session(handle, state.clone(), granted.clone()));
    }
}

/// The hubs that a connection may send to.
type Granted = Arc<Mutex<Vec<String>>>;

async fn session(mut session: ListenerSessionHandle, state: Arc<Mutex<State>>, granted: Granted) {
    let max_bytes = state.lock().expect("nothing panics while it is held").max_bytes;
    let acceptor = LinkAcceptor::builder().max_message_size(max_bytes).build();
    let (answers, mut to_answer) = mpsc::channel::<Message<AmqpValue<Value>>>(8);
    let answering = Arc::new(tokio::sync::Mutex::new(None::<Sender>));
    let mut links = JoinSet::new();
    let out = answering.clone();
    links.spawn(async move {
        while let Some(answer) = to_answer.recv().await {
            if let Some(sender) = out.lock().await.as_mut() {
                let _ = sender.send(answer).await;
            }
        }
    });
    while let Ok(link) = acceptor.accept(&mut session).await {
        match link {
            LinkEndpoint::Sender(sender) => *answering.lock().await = Some(sender),
            LinkEndpoint::Receiver(receiver) => {
                let target = receiver.target().as_ref().and_then(|target| target.address.clone());
                let target = target.unwrap_or_default();
                if target == "$cbs" {
                    let granted = granted.clone();
                    links.spawn(tokens(receiver, answers.clone(), state.clone(), granted));
                } else {
                    links.spawn(messages(receiver, target, state.clone(), granted.clone()));
                }
            }
        }
    }
}

/// Takes tokens and answers each.
async fn tokens(
    mut receiver: Receiver,
    answers: mpsc::Sender<Message<AmqpValue<Value>>>,
    state: Arc<Mutex<State>>,
    granted: Granted,
) {
    while let Ok(delivery) = receiver.recv::<Body<Value>>().await {
        if receiver.accept(&delivery).await.is_err() {
            return;
        }
        let message = delivery.into_message();
        let property = |name: &str| {
            let all = message.application_properties.as_ref();
            match all.and_then(|all| all.0.get(name)) {
                Some(SimpleValue::String(text)) => text.clone(),
                _ => String::new(),
            }
        };
        let token = match &message.body {
            Body::Value(value) => match &value.0 {
                Value::String(text) => text.clone(),
                other => format!("{other:?}"),
            },
            _ => String::new(),
        };
        assert_eq!(property("operation"), "put-token");
        let put = Put { name: property("name"), kind: property("type"), token };
        let status = {
            let mut state = state.lock().expect("nothing panics while it is held");
            let hub = put.name.rsplit('/').next().unwrap_or_default().to_owned();
            let is_ours = put.kind == SIGNATURE && is_signed(&put.token, &hub);
            let status = if is_ours { state.token_status } else { 401 };
            if status == 202 {
                granted.lock().expect("nothing panics while it is held").push(hub);
                state.puts.push(put);
            }
            status
        };
        let id = message.properties.and_then(|properties| properties.message_id);
        let properties = Properties { correlation_id: id, ..Properties::default() };
        let status_properties = ApplicationProperties::builder()
            .insert("status-code", status)
            .insert("status-description", "as the script has it")
            .build();
        let answer = Message::builder()
            .properties(properties)
            .application_properties(status_properties)
            .body(AmqpValue(Value::Null))
            .build();
        if answers.send(answer).await.is_err() {
            return;
        }
    }
}

fn error(condition: &str) -> Error {
    let condition = ErrorCondition::Custom(Symbol::from(condition));
    Error::new(condition, Some("as the script has it".to_owned()), None)
}

/// Takes messages, as the script has it.
async fn messages(
    mut receiver: Receiver,
    target: String,
    state: Arc<Mutex<State>>,
    granted: Granted,
) {
    let hub = target.rsplit('/').next().unwrap_or_default().to_owned();
    let is_granted = granted.lock().expect("nothing panics while it is held").contains(&hub);
    if !is_granted {
        let _ = receiver.close_with_error(error("amqp:unauthorized-access")).await;
        return;
    }
    if hub != "kubearmor" {
        let _ = receiver.close_with_error(error("amqp:not-found")).await;
        return;
    }
    while let Ok(delivery) = receiver.recv::<Body<Value>>().await {
        let (act, messages) = judge(&delivery, &state);
        let done = match act {
            Act::Accept => receiver.accept(&delivery).await,
            Act::Release => receiver.release(&delivery).await,
            Act::Modify => {
                let modified = Modified {
                    delivery_failed: Some(true),
                    undeliverable_here: None,
                    message_annotations: None,
                };
                receiver.modify(&delivery, modified).await
            }
            Act::Reject(condition) => receiver.reject(&delivery, condition.map(error)).await,
            Act::Detach(condition) => {
                let _ = receiver.close_with_error(error(condition)).await;
                return;
            }
            Act::Drop | Act::Silent => Ok(()),
        };
        let mut state = state.lock().expect("nothing panics while it is held");
        if matches!(act, Act::Accept | Act::Drop | Act::Silent) {
            state.taken.extend(messages);
        }
        if act == Act::Drop {
            state.cut();
        }
        if done.is_err() {
            return;
        }
    }
}

/// The messages of a transfer, and what becomes of it.
fn judge(delivery: &Delivery<Body<Value>>, state: &Mutex<State>) -> (Act, Vec<Taken>) {
    let mut state = state.lock().expect("nothing panics while it is held");
    state.transfers += 1;
    let act = state.script.pop_front().unwrap_or(Act::Accept);
    let Body::Data(sections) = delivery.body() else {
        return (Act::Reject(Some("amqp:decode-error")), Vec::new());
    };
    let sections: Vec<&[u8]> = sections.iter().map(|data| data.0.as_ref()).collect();
    let bytes: usize = sections.iter().map(|section| section.len()).sum();
    if bytes as u64 > state.max_bytes {
        return (Act::Detach("amqp:link:message-size-exceeded"), Vec::new());
    }
    let messages: Option<Vec<Taken>> = match delivery.message_format().unwrap_or(0) {
        0 if sections.len() == 1 => {
            taken(delivery.message(), sections[0], 1).map(|taken| vec![taken])
        }
        BATCH_FORMAT => {
            let inner = sections.iter().map(|section| {
                let message =
                    <Body<Value>>::decode_message_from_reader(SliceReader::new(section)).ok()?;
                let Body::Data(body) = &message.body else { return None };
                let body = body.iter().next()?.0.to_vec();
                taken(&message, &body, sections.len())
            });
            inner.collect()
        }
        _ => None,
    };
    let Some(messages) = messages else {
        return (Act::Reject(Some("amqp:decode-error")), Vec::new());
    };
    let one_key = messages.windows(2).all(|pair| pair[0].key == pair[1].key);
    if !one_key || key_of(delivery.message()) != messages[0].key {
        return (Act::Reject(Some("com.microsoft:argument-error")), Vec::new());
    }
    if let Some(poison) = &state.poison {
        let is_poisoned = |taken: &Taken| {
            taken.body.windows(poison.len()).any(|window| window == poison.as_slice())
        };
        if messages.iter().any(is_poisoned) {
            return (Act::Reject(Some("amqp:invalid-field")), Vec::new());
        }
    }
    (act, messages)
}

fn taken(message: &Message<Body<Value>>, body: &[u8], company: usize) -> Option<Taken> {
    let MessageId::String(id) = message.properties.as_ref()?.message_id.clone()? else {
        return None;
    };
    let event_id = match message.application_properties.as_ref()?.0.get("event_id")? {
        SimpleValue::String(text) => text.clone(),
        _ => return None,
    };
    Some(Taken { id, event_id, key: key_of(message), body: body.to_vec(), company })
}

fn key_of(message: &Message<Body<Value>>) -> String {
    let annotations = message.message_annotations.as_ref();
    let key = Symbol::from("x-opt-partition-key");
    let found = annotations.and_then(|all| {
        all.0.iter().find(|(name, _)| matches!(name, fe2o3_amqp::types::messaging::annotations::OwnedKey::Symbol(name) if *name == key))
    });
    match found {
        Some((_, Value::String(text))) => text.clone(),
        _ => String::new(),
    }
}
