//! The words of SMTP: commands, answers, and a message with its dots doubled.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use sidearm_sinks::contract::MailAnswer;
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};

use crate::wire::WireError;

/// Of one line of an answer; the RFC allows 512.
const MAX_LINE_BYTES: u64 = 4 * 1024;
/// Of one answer.
const MAX_LINES: usize = 100;
/// Of an answer's text, for people.
const MAX_TEXT_CHARS: usize = 2_000;

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection on which both take turns.
pub(super) struct Dialogue(BufReader<Box<dyn Stream>>);

/// What a server can do, of what matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    pub(super) starttls: bool,
    pub(super) size: bool,
    pub(super) plain: bool,
    pub(super) login: bool,
}

impl Capabilities {
    /// Reads the answer to `EHLO`, a capability a line.
    pub(super) fn of(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines().skip(1) {
            let line = line.to_ascii_uppercase();
            let mut words = line.split([' ', '=']);
            match words.next() {
                Some("STARTTLS") => found.starttls = true,
                Some("SIZE") => found.size = true,
                Some("AUTH") => {
                    for mechanism in words {
                        found.plain |= mechanism == "PLAIN";
                        found.login |= mechanism == "LOGIN";
                    }
                }
                _ => {}
            }
        }
        found
    }
}

impl Dialogue {
    pub(super) fn over(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self(BufReader::new(Box::new(stream)))
    }

    /// The stream itself, to be encrypted. Whatever was said ahead of that was not the server's.
    pub(super) fn into_stream(
        self,
    ) -> Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static, WireError> {
        if self.0.buffer().is_empty() {
            return Ok(self.0.into_inner());
        }
        Err(WireError::NotSent("the server spoke before the connection was encrypted".to_owned()))
    }

    /// Sends one line and reads the answer.
    pub(super) async fn command(&mut self, line: &str) -> Result<MailAnswer, WireError> {
        self.write(format!("{line}\r\n").as_bytes()).await?;
        self.answer().await
    }

    pub(super) async fn auth_plain(
        &mut self,
        user: &str,
        password: &str,
    ) -> Result<MailAnswer, WireError> {
        let secret = BASE64.encode(format!("\0{user}\0{password}"));
        let answer = self.command(&format!("AUTH PLAIN {secret}")).await?;
        Ok(without(answer, &[&secret, password]))
    }

    pub(super) async fn auth_login(
        &mut self,
        user: &str,
        password: &str,
    ) -> Result<MailAnswer, WireError> {
        let mut answer = self.command("AUTH LOGIN").await?;
        let secret = BASE64.encode(password);
        for word in [&BASE64.encode(user), &secret] {
            if answer.code != 334 {
                break;
            }
            answer = self.command(word).await?;
        }
        Ok(without(answer, &[&secret, password]))
    }

    /// Sends a message with its full stop; `at_the_stop` is called before that leaves.
    pub(super) async fn message(
        &mut self,
        message: &[u8],
        at_the_stop: impl FnOnce(),
    ) -> Result<(), WireError> {
        self.write(&doubled(message)).await?;
        at_the_stop();
        self.write(b".\r\n").await
    }

    /// Takes leave; the message is taken or refused, so nobody waits for the answer.
    pub(super) async fn leave(&mut self) {
        let _ = self.write(b"QUIT\r\n").await;
        let _ = self.0.get_mut().shutdown().await;
    }

    /// Reads one answer, of one line or several; its text keeps its lines.
    pub(super) async fn answer(&mut self) -> Result<MailAnswer, WireError> {
        let (mut known, mut text) = (None, String::new());
        for _ in 0..MAX_LINES {
            let line = self.line().await?;
            let Some((code, more, words)) = parsed(&line) else {
                return Err(not_sent("the answer is not of a mail server"));
            };
            if known.is_some_and(|known| known != code) {
                return Err(not_sent("the lines of the answer have different codes"));
            }
            if known.replace(code).is_some() {
                text.push('\n');
            }
            text.extend(words.chars().filter(|c| !c.is_control()).take(MAX_TEXT_CHARS));
            if !more {
                return Ok(MailAnswer { code, text });
            }
        }
        Err(WireError::NotSent(format!("the answer has more than {MAX_LINES} lines")))
    }

    /// One line of an answer, without its end. Half a line is none: the rest may say otherwise.
    async fn line(&mut self) -> Result<String, WireError> {
        let mut line = Vec::new();
        let read = (&mut self.0).take(MAX_LINE_BYTES).read_until(b'\n', &mut line).await;
        let read = read.map_err(|error| WireError::NotSent(error.to_string()))?;
        match line.strip_suffix(b"\n") {
            Some(line) => {
                Ok(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned())
            }
            None if read == 0 => Err(not_sent("the server hung up")),
            None if read as u64 == MAX_LINE_BYTES => {
                Err(not_sent("a line of the answer is longer than 4 KiB"))
            }
            None => Err(not_sent("the server hung up within an answer")),
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), WireError> {
        let stream = self.0.get_mut();
        let written = async {
            stream.write_all(bytes).await?;
            stream.flush().await
        };
        written.await.map_err(|error| WireError::NotSent(error.to_string()))
    }
}

fn not_sent(why: &str) -> WireError {
    WireError::NotSent(why.to_owned())
}

/// Code, whether more lines follow, and text.
fn parsed(line: &str) -> Option<(u16, bool, &str)> {
    let digits = line.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit()))?;
    let code = digits.parse().ok().filter(|code| (200..600).contains(code))?;
    match line.as_bytes().get(3) {
        None => Some((code, false, "")),
        Some(b' ') => Some((code, false, &line[4..])),
        Some(b'-') => Some((code, true, &line[4..])),
        Some(_) => None,
    }
}

fn without(answer: MailAnswer, secrets: &[&str]) -> MailAnswer {
    let text = secrets.iter().filter(|secret| !secret.is_empty());
    let text = text.fold(answer.text, |text, secret| text.replace(secret, "***"));
    MailAnswer { text, ..answer }
}

/// The message with each dot at a line's start doubled, ending with a line's end.
fn doubled(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.first() == Some(&b'.') {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_in_any_case() {
        let found = Capabilities::of("mx at your service\nSIZE 1000\nstarttls\nAUTH LOGIN PLAIN");
        assert_eq!(found, Capabilities { starttls: true, size: true, plain: true, login: true });
        assert!(!Capabilities::of("STARTTLS\nAUTH=LOGIN").starttls);
        assert!(Capabilities::of("x\nAUTH=LOGIN").login);
    }

    #[test]
    fn a_lone_dot_ends_nothing() {
        assert_eq!(doubled(b"a\r\n.\r\n..b\r\nc"), b"a\r\n..\r\n...b\r\nc\r\n");
    }

    #[tokio::test]
    async fn an_answer_has_a_limit_and_its_rest_answers_nothing_else() {
        let most = MAX_LINE_BYTES as usize;
        let line = |bytes: usize| format!("250 {}\r\n", "x".repeat(bytes - 6));
        let more = "250-more\r\n".repeat(MAX_LINES);
        for (sent, expected) in [
            (line(most), Ok(MAX_TEXT_CHARS)),
            (line(most + 1), Err("longer than 4 KiB")),
            // The rest of it looks like a success.
            (format!("550 {}250 ok\r\n", "x".repeat(most - 4)), Err("longer than 4 KiB")),
            (format!("{}250 ok\r\n", &more[10..]), Ok(5 * (MAX_LINES - 1) + 2)),
            (format!("{more}250 ok\r\n"), Err("more than 100 lines")),
        ] {
            let (mut server, ours) = tokio::io::duplex(16 * 1024);
            server.write_all(sent.as_bytes()).await.expect("room");
            let answer = Dialogue::over(ours).answer().await;
            match (answer, expected) {
                (Ok(answer), Ok(chars)) => {
                    assert_eq!((answer.code, answer.text.len()), (250, chars))
                }
                (Err(WireError::NotSent(why)), Err(words)) => assert!(why.contains(words), "{why}"),
                (answer, expected) => panic!("{answer:?}, expected {expected:?}"),
            }
        }
    }

    #[tokio::test]
    async fn a_password_that_is_echoed_is_not_shown() {
        for (answers, by_login) in [
            ("535 \0 hunter2 aHVudGVyMg==\r\n", false),
            ("334 u\r\n334 p\r\n535 hunter2\r\n", true),
        ] {
            let (mut server, ours) = tokio::io::duplex(1024);
            server.write_all(answers.as_bytes()).await.expect("room");
            let mut dialogue = Dialogue::over(ours);
            let answer = match by_login {
                true => dialogue.auth_login("me", "hunter2").await,
                false => dialogue.auth_plain("me", "hunter2").await,
            };
            let answer = answer.expect("an answer");
            assert!(answer.code == 535 && answer.text.contains("***"), "{answer}");
            assert!(!answer.text.contains("hunter2"), "{answer}");
        }
    }

    #[tokio::test]
    async fn answers_are_whole_or_none() {
        for (sent, expected) in [
            ("250 ok\r\n", Some((250, "ok"))),
            ("250-a\r\n250-b\r\n250 c\r\n", Some((250, "a\nb\nc"))),
            ("421\r\n", Some((421, ""))),
            ("250 a bare end\n", Some((250, "a bare end"))),
            // A first line without words takes no other's place.
            ("250-\r\n250-STARTTLS\r\n250 \r\n", Some((250, "\nSTARTTLS\n"))),
            ("250 \x1b[2J\u{7f}ok\u{202e}\r\n", Some((250, "[2Jok\u{202e}"))),
            ("250 \u{fffd}\r\n", Some((250, "\u{fffd}"))),
            // What one line says another may not take back.
            ("550-no such user\r\n250 ok\r\n", None),
            ("250-a\r\ngarbage\r\n250 c\r\n", None),
            // Half a line may have been the beginning of another.
            ("250", None),
            ("250 o", None),
            ("250-a\r\n250", None),
            ("150 not of SMTP\r\n", None),
            ("600 nor this\r\n", None),
            ("250_ok\r\n", None),
            ("2\u{b2}0 ok\r\n", None),
            ("\r\n", None),
            ("HTTP/1.1 400 Bad Request\r\n", None),
            ("25x no\r\n", None),
            ("", None),
            ("250-a\r\n", None),
        ] {
            let (mut server, ours) = tokio::io::duplex(1024);
            server.write_all(sent.as_bytes()).await.expect("room");
            drop(server);
            let answer = Dialogue::over(ours).answer().await.ok();
            let answer = answer.as_ref().map(|answer| (answer.code, answer.text.as_str()));
            assert_eq!(answer, expected, "{sent:?}");
        }
    }
}
