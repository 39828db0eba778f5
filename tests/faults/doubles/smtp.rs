//! A mail server that holds its callers to the letter: RFC 5321 (order, 4.1.4; lines and their
//! lengths, 4.5.3.1; doubled dots, 4.5.2; leaving, 4.1.1.10), RFC 1870 (`SIZE`), RFC 3207
//! (`STARTTLS`, after which all begins anew), RFC 4954 (`AUTH`, within TLS alone) and RFC 5322, 3.6
//! (the headers a message must have). It offers neither `PIPELINING` nor `8BITMIME` nor `SMTPUTF8`,
//! so commands come one at a time and everything is ASCII. What a caller does against these rules
//! is refused, and kept in [`Smtp::faults`].

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader},
    net::TcpListener,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

pub(crate) const USER: &str = "sidearm";
pub(crate) const PASSWORD: &str = "hunter2-of-a-mailbox";

/// Of a command with its end (4.5.3.1.4).
const MAX_COMMAND_BYTES: usize = 512;
/// Of a line of `AUTH` (RFC 4954, 4).
const MAX_AUTH_BYTES: usize = 12_288;
/// Of a line of a message with its end (4.5.3.1.6).
const MAX_TEXT_LINE_BYTES: usize = 1_000;
/// Of a message, as the server declares.
const MAX_MESSAGE_BYTES: usize = 1_000_000;
/// Of one message (4.5.3.1.8).
const MAX_RECIPIENTS: usize = 100;

/// Whether, and from when on, it speaks TLS.
#[derive(Clone)]
pub(crate) enum Encryption {
    None,
    Starttls(Arc<ServerConfig>),
    FirstByte(Arc<ServerConfig>),
}

/// Where a dialogue stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Greeting,
    Hello,
    Starttls,
    Handshake,
    Auth,
    Sender,
    Recipient,
    Data,
    Message,
}

/// What it does at a stage instead of what it does well.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// Nothing more.
    Hang,
    Close,
    /// Answers this; where it is a 421 it closes.
    Say(&'static str),
    /// Takes the message, and closes before it says so.
    TakeAndClose,
}

/// A message that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Taken {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) message: String,
    pub(crate) encrypted: bool,
    pub(crate) mechanism: &'static str,
}

impl Taken {
    /// A header's value on its first line.
    pub(crate) fn header(&self, name: &str) -> &str {
        let line =
            self.message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.unwrap_or_default()
    }
}

#[derive(Default)]
struct Memory {
    script: VecDeque<(Stage, Act)>,
    refused: BTreeMap<String, &'static str>,
    poison: Option<String>,
    taken: Vec<Taken>,
    commands: Vec<String>,
    faults: Vec<String>,
}

struct Office {
    encryption: Encryption,
    mechanisms: &'static [&'static str],
    memory: Mutex<Memory>,
}

/// The server; it ends when it is dropped.
pub(crate) struct Smtp {
    pub(crate) address: SocketAddr,
    office: Arc<Office>,
    task: JoinHandle<()>,
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Smtp {
    /// Mechanisms are those of `AUTH`; where there is one, nobody sends without.
    pub(crate) async fn start(encryption: Encryption, mechanisms: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let office = Arc::new(Office { encryption, mechanisms, memory: Mutex::default() });
        let accepting = office.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let office = accepting.clone();
                // A caller that goes away is noted within.
                tokio::spawn(async move { drop(serve(office, Box::new(stream)).await) });
            }
        });
        Self { address, office, task }
    }

    /// What it does when a dialogue next comes to these stages, each once.
    pub(crate) fn script(&self, acts: impl IntoIterator<Item = (Stage, Act)>) {
        self.office.with(|memory| memory.script.extend(acts));
    }

    /// Answers this to a recipient, from now on.
    pub(crate) fn refuse(&self, recipient: &str, answer: &'static str) {
        self.office.with(|memory| memory.refused.insert(recipient.to_owned(), answer));
    }

    /// Refuses messages that hold this text.
    pub(crate) fn poison(&self, text: &str) {
        self.office.with(|memory| memory.poison = Some(text.to_owned()));
    }

    pub(crate) fn taken(&self) -> Vec<Taken> {
        self.office.with(|memory| memory.taken.clone())
    }

    /// The first word of every command so far.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.office.with(|memory| memory.commands.clone())
    }

    /// What callers did against the rules.
    pub(crate) fn faults(&self) -> Vec<String> {
        self.office.with(|memory| memory.faults.clone())
    }
}

impl Office {
    fn with<T>(&self, look: impl FnOnce(&mut Memory) -> T) -> T {
        look(&mut self.memory.lock().expect("nothing panics while it is held"))
    }

    fn act(&self, stage: Stage) -> Option<Act> {
        self.with(|memory| {
            let place = memory.script.iter().position(|(at, _)| *at == stage)?;
            memory.script.remove(place).map(|(_, act)| act)
        })
    }

    fn fault(&self, fault: &str) {
        self.with(|memory| memory.faults.push(fault.to_owned()));
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// One connection, and what was said on it.
struct Session {
    office: Arc<Office>,
    io: BufReader<Box<dyn Stream>>,
    encrypted: bool,
    greeted: bool,
    mechanism: &'static str,
    from: Option<(String, Option<usize>)>,
    to: Vec<String>,
}

fn over() -> io::Error {
    io::ErrorKind::ConnectionAborted.into()
}

async fn serve(office: Arc<Office>, stream: Box<dyn Stream>) -> io::Result<()> {
    let mut stream = stream;
    let mut encrypted = false;
    if let Encryption::FirstByte(config) = &office.encryption {
        stream = handshake(&office, config.clone(), stream).await?;
        encrypted = true;
    }
    let (greeted, from, to) = (false, None, Vec::new());
    let io = BufReader::new(stream);
    let mut session = Session { office, io, encrypted, greeted, mechanism: "", from, to };
    let greeting = "220-mx.example.com ESMTP\r\n220 no advertisements";
    session.answer(Stage::Greeting, greeting).await?;
    loop {
        let line = session.line(MAX_AUTH_BYTES).await?;
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let word = word.to_ascii_uppercase();
        session.office.with(|memory| memory.commands.push(word.clone()));
        if word != "AUTH" && line.len() + 2 > MAX_COMMAND_BYTES {
            session.wrong("500 5.5.2 line too long").await?;
            continue;
        }
        match word.as_str() {
            "EHLO" => session.hello(rest).await?,
            "STARTTLS" => session = session.starttls(rest).await?,
            "AUTH" => session.auth(rest).await?,
            "MAIL" => session.sender(rest).await?,
            "RCPT" => session.recipient(rest).await?,
            "DATA" => session.data(rest).await?,
            "RSET" => {
                (session.from, session.to) = (None, Vec::new());
                session.say("250 2.0.0 ok").await?;
            }
            "NOOP" => session.say("250 2.0.0 ok").await?,
            "QUIT" => return session.say("221 2.0.0 bye").await,
            _ => session.wrong("500 5.5.1 command not recognized").await?,
        }
    }
}

async fn handshake(
    office: &Office,
    config: Arc<ServerConfig>,
    stream: Box<dyn Stream>,
) -> io::Result<Box<dyn Stream>> {
    match office.act(Stage::Handshake) {
        None => Ok(Box::new(TlsAcceptor::from(config).accept(stream).await?)),
        Some(Act::Hang) => std::future::pending().await,
        Some(_) => Err(over()),
    }
}

impl Session {
    /// A line without its end. A caller that speaks out of turn is noted.
    async fn line(&mut self, most: usize) -> io::Result<String> {
        let mut line = Vec::new();
        if self.io.read_until(b'\n', &mut line).await? == 0 {
            self.office.fault("the caller left without QUIT");
            return Err(over());
        }
        if !self.io.buffer().is_empty() {
            self.office.fault("the caller spoke before it was answered");
        }
        if !line.ends_with(b"\r\n") || line[..line.len() - 2].contains(&b'\r') {
            self.office.fault("a line does not end with CRLF");
        }
        let text = line.trim_ascii_end();
        if line.len() > most || !text.is_ascii() || text.iter().any(u8::is_ascii_control) {
            self.office.fault("a command is too long or not of visible ASCII");
        }
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    async fn say(&mut self, answer: &str) -> io::Result<()> {
        self.io.write_all(format!("{answer}\r\n").as_bytes()).await?;
        self.io.flush().await?;
        if answer.starts_with("421") { Err(over()) } else { Ok(()) }
    }

    /// Refuses what is against the rules.
    async fn wrong(&mut self, answer: &str) -> io::Result<()> {
        self.office.fault(answer);
        self.say(answer).await
    }

    /// Answers as it is scripted for the stage, else as usual; says whether it was the latter.
    async fn answer(&mut self, stage: Stage, usual: &str) -> io::Result<bool> {
        match self.office.act(stage) {
            None => self.say(usual).await.map(|()| usual.starts_with(['2', '3'])),
            Some(Act::Say(answer)) => self.say(answer).await.map(|()| false),
            Some(Act::Hang) => std::future::pending().await,
            Some(Act::Close | Act::TakeAndClose) => Err(over()),
        }
    }

    async fn hello(&mut self, name: &str) -> io::Result<()> {
        if name.is_empty() || name.contains(' ') {
            return self.wrong("501 5.5.4 EHLO with one name").await;
        }
        let mut lines = vec!["mx.example.com at your service".to_owned()];
        lines.push(format!("SIZE {MAX_MESSAGE_BYTES}"));
        let offers_tls = matches!(self.office.encryption, Encryption::Starttls(_));
        if offers_tls && !self.encrypted {
            lines.push("STARTTLS".to_owned());
        } else if !self.office.mechanisms.is_empty() {
            lines.push(format!("AUTH {}", self.office.mechanisms.join(" ")));
        }
        lines.push("ENHANCEDSTATUSCODES".to_owned());
        let last = lines.pop().expect("a line");
        let lines: String = lines.iter().map(|line| format!("250-{line}\r\n")).collect();
        self.greeted = self.answer(Stage::Hello, &format!("{lines}250 {last}")).await?;
        Ok(())
    }

    async fn starttls(mut self, rest: &str) -> io::Result<Self> {
        let Encryption::Starttls(config) = self.office.encryption.clone() else {
            self.wrong("502 5.5.1 not offered").await?;
            return Ok(self);
        };
        if !self.greeted || self.encrypted || !rest.is_empty() {
            self.wrong("503 5.5.1 EHLO, then STARTTLS, once").await?;
            return Ok(self);
        }
        if !self.answer(Stage::Starttls, "220 2.0.0 go ahead").await? {
            return Ok(self);
        }
        let stream = handshake(&self.office, config, self.io.into_inner()).await?;
        // What was said in the clear is forgotten (RFC 3207, 4.2).
        Ok(Self { io: BufReader::new(stream), encrypted: true, greeted: false, ..self })
    }

    async fn auth(&mut self, rest: &str) -> io::Result<()> {
        let (mechanism, first) = rest.split_once(' ').unwrap_or((rest, ""));
        let known =
            self.office.mechanisms.iter().find(|known| known.eq_ignore_ascii_case(mechanism));
        let is_in_clear = !self.encrypted && !matches!(self.office.encryption, Encryption::None);
        let Some(&mechanism) = known.filter(|_| self.greeted && !is_in_clear) else {
            return self.wrong("504 5.5.4 not offered, or not here").await;
        };
        if !self.mechanism.is_empty() || self.from.is_some() {
            return self.wrong("503 5.5.1 not now").await;
        }
        let given = match mechanism {
            "LOGIN" => {
                let user = self.asked("VXNlcm5hbWU6", first).await?;
                let password = self.asked("UGFzc3dvcmQ6", "").await?;
                format!("\0{user}\0{password}")
            }
            _ => self.asked("", first).await?,
        };
        let is_right = given == format!("\0{USER}\0{PASSWORD}");
        let usual = match is_right {
            true => "235 2.7.0 welcome",
            false => "535 5.7.8 credentials are not right",
        };
        if self.answer(Stage::Auth, usual).await? {
            self.mechanism = mechanism;
        }
        Ok(())
    }

    /// What the caller says to a challenge, or has said already.
    async fn asked(&mut self, challenge: &str, said: &str) -> io::Result<String> {
        let said = match said {
            "" => {
                self.say(&format!("334 {challenge}")).await?;
                self.line(MAX_AUTH_BYTES).await?
            }
            said => said.to_owned(),
        };
        let bytes = BASE64.decode(said).unwrap_or_default();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn sender(&mut self, rest: &str) -> io::Result<()> {
        let Some((from, parameters)) = path(rest, "FROM:") else {
            return self.wrong("501 5.5.4 MAIL FROM:<address>").await;
        };
        if !self.greeted || self.from.is_some() {
            return self.wrong("503 5.5.1 EHLO first, one message at a time").await;
        }
        if matches!(self.office.encryption, Encryption::Starttls(_)) && !self.encrypted {
            return self.wrong("530 5.7.0 STARTTLS first").await;
        }
        if !self.office.mechanisms.is_empty() && self.mechanism.is_empty() {
            return self.answer(Stage::Sender, "530 5.7.0 AUTH first").await.map(drop);
        }
        let mut size = None;
        for parameter in parameters.split_ascii_whitespace() {
            match parameter.split_once('=') {
                Some(("SIZE", bytes)) => size = bytes.parse().ok(),
                _ => return self.wrong("555 5.5.4 parameter not offered").await,
            }
        }
        let usual = match size {
            Some(bytes) if bytes > MAX_MESSAGE_BYTES => "552 5.3.4 message too large",
            _ => "250 2.1.0 ok",
        };
        if self.answer(Stage::Sender, usual).await? {
            self.from = Some((from, size));
        }
        Ok(())
    }

    async fn recipient(&mut self, rest: &str) -> io::Result<()> {
        let Some((to, "")) = path(rest, "TO:") else {
            return self.wrong("501 5.5.4 RCPT TO:<address>").await;
        };
        if self.from.is_none() {
            return self.wrong("503 5.5.1 MAIL first").await;
        }
        let refused = self.office.with(|memory| memory.refused.get(&to).copied());
        let usual = match refused {
            Some(refused) => refused,
            None if self.to.len() == MAX_RECIPIENTS => "452 4.5.3 too many recipients",
            None => "250 2.1.5 ok",
        };
        if self.answer(Stage::Recipient, usual).await? {
            self.to.push(to);
        }
        Ok(())
    }

    async fn data(&mut self, rest: &str) -> io::Result<()> {
        if self.to.is_empty() || !rest.is_empty() {
            return self.wrong("503 5.5.1 no valid recipients").await;
        }
        if !self.answer(Stage::Data, "354 go ahead, end with a dot").await? {
            return Ok(());
        }
        let message = self.message().await?;
        let (from, declared) = self.from.take().expect("a recipient has a sender");
        let to = std::mem::take(&mut self.to);
        let act = self.office.act(Stage::Message);
        let answer = match (&act, fault(&message, declared)) {
            (_, Some(fault)) => {
                self.office.fault(fault);
                "554 5.6.0 message not conforming"
            }
            (Some(Act::Hang), _) => std::future::pending().await,
            (Some(Act::Close), _) => return Err(over()),
            (Some(Act::Say(answer)), _) => answer,
            _ if self.is_poison(&message) => "554 5.7.1 content rejected",
            _ => "250 2.0.0 queued",
        };
        if answer.starts_with('2') {
            let (encrypted, mechanism) = (self.encrypted, self.mechanism);
            let taken = Taken { from, to, message, encrypted, mechanism };
            self.office.with(|memory| memory.taken.push(taken));
        }
        match act {
            Some(Act::TakeAndClose) => Err(over()),
            _ => self.say(answer).await,
        }
    }

    fn is_poison(&self, message: &str) -> bool {
        self.office.with(|memory| memory.poison.as_ref().is_some_and(|text| message.contains(text)))
    }

    /// Reads to the lone dot, and takes away the dots that were doubled.
    async fn message(&mut self) -> io::Result<String> {
        let mut message = String::new();
        loop {
            let mut line = Vec::new();
            if self.io.read_until(b'\n', &mut line).await? == 0 {
                self.office.fault("the caller left within a message");
                return Err(over());
            }
            if line == b".\r\n" {
                return Ok(message);
            }
            let text = line.strip_suffix(b"\r\n").unwrap_or_default();
            if text.is_empty() && line != b"\r\n" || text.contains(&b'\r') || text.contains(&b'\0')
            {
                self.office.fault("a line of the message does not end with CRLF");
            }
            if line.len() > MAX_TEXT_LINE_BYTES || !line.is_ascii() {
                self.office.fault("a line of the message is too long or not ASCII");
            }
            let text = String::from_utf8_lossy(&line);
            message.push_str(text.strip_prefix('.').unwrap_or(&text));
        }
    }
}

/// `FROM:<address>` and what stands behind it.
fn path<'l>(rest: &'l str, before: &str) -> Option<(String, &'l str)> {
    let (path, parameters) = rest.split_once('>')?;
    let address = path.strip_prefix(before)?.strip_prefix('<')?;
    let (local, domain) = address.rsplit_once('@')?;
    let is_address = (1..=64).contains(&local.len()) && (1..=255).contains(&domain.len());
    is_address.then(|| (address.to_owned(), parameters.trim_start()))
}

/// What is wrong with a whole message.
fn fault(message: &str, declared: Option<usize>) -> Option<&'static str> {
    let (head, _) = message.split_once("\r\n\r\n").unwrap_or((message, ""));
    let has_once = |name: &str| head.lines().filter(|line| line.starts_with(name)).count() == 1;
    if message.len() > MAX_MESSAGE_BYTES {
        return Some("the message is larger than the server takes");
    }
    if declared.is_none_or(|declared| declared != message.len()) {
        return Some("the message is not of the size that was declared");
    }
    (!has_once("Date: ") || !has_once("From: ")).then_some("the message has no Date or no From")
}
