//! The mail wire and the sink `mail` against a server that holds them to the RFCs: each way in,
//! trouble and silence at every step, and what becomes of one message of which nobody knows whether
//! it was taken.

mod whole;

use std::{fs, path::PathBuf, time::Duration};

use sidearm::wire::{MailWire, Wire as _, WireError};
use sidearm_sinks::contract::{
    Mail, MailConnection, MailReply, MailRequest, MailSecurity, Protocol as _, Secret, Tls,
};
use tempfile::TempDir;

use crate::{
    doubles::smtp::{Act, Encryption, PASSWORD, Smtp, Stage, USER},
    http::authority::{Authority, server},
    patience::eventually,
};

/// For servers that never answer.
const SHORT: Duration = Duration::from_millis(500);
/// For servers that do, on a busy machine.
const LONG: Duration = Duration::from_secs(30);
const MESSAGE: &str = "Date: Mon, 02 Mar 2026 09:14:10 +0000\r\nFrom: a@example.com\r\n\r\n\
                       .\r\n..two\r\n.one and more\r\nthe end\r\n";
const TO: [&str; 2] = ["soc@example.com", "duty@example.com"];

/// An authority, and servers with its certificates for `localhost`.
struct Trust {
    authority: Authority,
    folder: TempDir,
}

impl Trust {
    fn new() -> Self {
        let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
        fs::write(folder.path().join("ca.pem"), &authority.pem).expect("a file");
        Self { authority, folder }
    }

    fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    async fn starttls(&self, mechanisms: &'static [&'static str]) -> Smtp {
        let config = server(&self.authority.issue("localhost"));
        Smtp::start(Encryption::Starttls(config), mechanisms).await
    }

    async fn first_byte(&self, mechanisms: &'static [&'static str]) -> Smtp {
        let config = server(&self.authority.issue("localhost"));
        Smtp::start(Encryption::FirstByte(config), mechanisms).await
    }

    fn connection(&self, smtp: &Smtp, security: MailSecurity) -> MailConnection {
        MailConnection {
            host: "localhost".to_owned(),
            port: smtp.address.port(),
            security,
            credentials: Some((USER.to_owned(), Secret::new(PASSWORD))),
            hello: "example.com".to_owned(),
            tls: Tls { ca: Some(self.ca()), ..Tls::default() },
            timeout: LONG,
        }
    }
}

async fn call(connection: &MailConnection) -> Result<MailReply, WireError> {
    let wire = MailWire::new(connection).expect("files that can be used");
    let answer = wire.call(MailRequest {
        from: "sidearm@example.com".to_owned(),
        to: TO.map(str::to_owned).into(),
        message: MESSAGE.into(),
        again: 0,
    });
    let answer = answer.await;
    assert!(!format!("{answer:?}").contains(PASSWORD), "{answer:?}");
    answer
}

/// What the protocol makes of an answer, by name.
fn verdict(reply: &MailReply) -> &'static str {
    Mail::verdict(reply).name()
}

#[tokio::test]
async fn each_way_in_delivers_the_message_as_it_is() {
    let trust = Trust::new();
    for (smtp, security, mechanism) in [
        (trust.starttls(&["PLAIN", "LOGIN"]).await, MailSecurity::Starttls, "PLAIN"),
        (trust.starttls(&["LOGIN"]).await, MailSecurity::Starttls, "LOGIN"),
        (trust.first_byte(&["CRAM-MD5", "PLAIN"]).await, MailSecurity::On, "PLAIN"),
        (trust.first_byte(&["LOGIN"]).await, MailSecurity::On, "LOGIN"),
    ] {
        let reply = call(&trust.connection(&smtp, security)).await.expect("an answer");
        assert_eq!(verdict(&reply), "accepted", "{reply:?}");
        let taken = smtp.taken();
        assert_eq!((taken.len(), taken[0].mechanism), (1, mechanism));
        assert_eq!(
            (taken[0].message.as_str(), &taken[0].to[..]),
            (MESSAGE, &TO.map(str::to_owned)[..])
        );
        assert!(taken[0].encrypted && taken[0].from == "sidearm@example.com");
        assert_eq!(smtp.faults(), [""; 0]);
    }
    let smtp = Smtp::start(Encryption::None, &[]).await;
    let open = MailConnection { credentials: None, ..trust.connection(&smtp, MailSecurity::Off) };
    assert_eq!(verdict(&call(&open).await.expect("an answer")), "accepted");
    assert_eq!((smtp.taken().len(), smtp.faults()), (1, Vec::new()));
}

#[tokio::test]
async fn silence_at_any_stage_ends_by_our_own_time_out() {
    let trust = Trust::new();
    for (stage, is_lost) in [
        (Stage::Greeting, false),
        (Stage::Hello, false),
        (Stage::Starttls, false),
        (Stage::Handshake, false),
        (Stage::Auth, false),
        (Stage::Sender, false),
        (Stage::Recipient, false),
        (Stage::Data, false),
        (Stage::Message, true),
    ] {
        let smtp = trust.starttls(&["PLAIN"]).await;
        smtp.script([(stage, Act::Hang)]);
        let connection = trust.connection(&smtp, MailSecurity::Starttls);
        let ended = call(&MailConnection { timeout: SHORT, ..connection.clone() }).await;
        let why = match (ended, is_lost) {
            (Err(WireError::NotSent(why)), false) | (Err(WireError::ReplyLost(why)), true) => why,
            (ended, _) => panic!("{stage:?}: {ended:?}"),
        };
        assert!(why.contains("no answer within 500ms"), "{stage:?}: {why}");
        assert_eq!(verdict(&call(&connection).await.expect("an answer")), "accepted", "{stage:?}");
        assert_eq!(smtp.taken().len(), 1, "{stage:?}");
    }
}

#[tokio::test]
async fn every_answer_means_what_it_says_at_its_stage() {
    let trust = Trust::new();
    for (stage, answer, expected) in [
        (Stage::Greeting, "421 4.3.2 closing", "later"),
        (Stage::Greeting, "554 5.7.1 we do not speak to you", "blocked"),
        (Stage::Hello, "421 4.3.2 closing", "later"),
        (Stage::Hello, "502 5.5.1 EHLO is not known", "blocked"),
        (Stage::Starttls, "454 4.7.0 no TLS just now", "later"),
        (Stage::Starttls, "501 5.5.4 no", "blocked"),
        (Stage::Auth, "454 4.7.0 no directory just now", "later"),
        (Stage::Auth, "535-5.7.8 wrong\r\n535 5.7.8 again", "blocked"),
        (Stage::Sender, "451 4.3.0 later", "later"),
        (Stage::Sender, "421 4.7.0 too many messages", "later"),
        (Stage::Sender, "530 5.7.0 who are you", "blocked"),
        (Stage::Sender, "550 5.1.0 not from there", "blocked"),
        (Stage::Sender, "552 5.3.4 too large", "smaller"),
        (Stage::Data, "451 4.3.0 later", "later"),
        // Nobody has seen the message yet, so it is not to blame, and not taken.
        (Stage::Data, "554 5.5.1 no valid recipients", "blocked"),
        (Stage::Data, "250 2.0.0 very well", "blocked"),
        (Stage::Message, "451 4.3.0 later", "later"),
        (Stage::Message, "452 4.3.1 no room", "later"),
        (Stage::Message, "552 5.3.4 too large", "smaller"),
        (Stage::Message, "554 5.6.0 not like this", "never"),
        (Stage::Message, "250-2.0.0 queued\r\n250 2.0.0 thank you", "accepted"),
    ] {
        let smtp = trust.starttls(&["PLAIN"]).await;
        smtp.script([(stage, Act::Say(answer))]);
        let reply = call(&trust.connection(&smtp, MailSecurity::Starttls)).await;
        let reply = reply.unwrap_or_else(|error| panic!("{stage:?} {answer}: {error:?}"));
        assert_eq!(verdict(&reply), expected, "{stage:?} {answer}: {reply:?}");
        let is_taken = expected == "accepted";
        assert_eq!(smtp.taken().len(), usize::from(is_taken), "{stage:?} {answer}");
        // A 421 closes; every other refusal is taken leave of.
        if !answer.starts_with("421") {
            eventually("leave is taken", async || {
                smtp.commands().last().is_some_and(|word| word == "QUIT")
            })
            .await;
        }
        assert_eq!(smtp.faults(), [""; 0], "{stage:?} {answer}");
    }
}

#[tokio::test]
async fn what_is_not_encrypted_is_not_said() {
    let trust = Trust::new();
    // Not offered at all.
    let plain = Smtp::start(Encryption::None, &["PLAIN"]).await;
    let refused = call(&trust.connection(&plain, MailSecurity::Starttls)).await;
    assert!(matches!(&refused, Err(WireError::Unusable(why)) if why.contains("STARTTLS")));
    eventually("leave is taken", async || plain.commands() == ["EHLO", "QUIT"]).await;
    // Offered, and words slipped in behind the answer.
    let smtp = trust.starttls(&["PLAIN"]).await;
    smtp.script([(Stage::Starttls, Act::Say("220 go ahead\r\n250 of somebody else"))]);
    let refused = call(&trust.connection(&smtp, MailSecurity::Starttls)).await;
    assert!(matches!(refused, Err(WireError::NotSent(_))), "{refused:?}");
    // Of an authority that is not known, by either way.
    for (smtp, security) in [
        (trust.starttls(&["PLAIN"]).await, MailSecurity::Starttls),
        (trust.first_byte(&["PLAIN"]).await, MailSecurity::On),
    ] {
        let stranger = Trust::new();
        let refused = call(&stranger.connection(&smtp, security)).await;
        assert!(matches!(refused, Err(WireError::NotSent(_))), "{refused:?}");
        assert!(!smtp.commands().iter().any(|word| word == "AUTH" || word == "MAIL"));
        assert_eq!(smtp.taken().len(), 0);
    }
    // A server that speaks in the clear, where TLS is to be spoken from the first byte.
    let refused = call(&trust.connection(&plain, MailSecurity::On)).await;
    assert!(matches!(refused, Err(WireError::NotSent(_))), "{refused:?}");
}

#[tokio::test]
async fn nobody_is_let_in_whose_server_knows_no_way_of_ours() {
    let trust = Trust::new();
    for mechanisms in [&[] as &[_], &["CRAM-MD5", "XOAUTH2"]] {
        let smtp = trust.starttls(mechanisms).await;
        let refused = call(&trust.connection(&smtp, MailSecurity::Starttls)).await;
        assert!(matches!(&refused, Err(WireError::Unusable(why)) if why.contains("AUTH")));
        assert_eq!(smtp.taken().len(), 0);
    }
    for mechanisms in [&["PLAIN"] as &[_], &["LOGIN"]] {
        let smtp = trust.starttls(mechanisms).await;
        let wrong = Some((USER.to_owned(), Secret::new("hunter3")));
        let connection = trust.connection(&smtp, MailSecurity::Starttls);
        let reply = call(&MailConnection { credentials: wrong, ..connection }).await;
        assert_eq!(verdict(&reply.expect("an answer")), "blocked");
        assert_eq!(smtp.taken().len(), 0);
    }
}

#[tokio::test]
async fn one_recipient_that_is_refused_takes_the_message_from_no_other() {
    let trust = Trust::new();
    for answer in ["550 5.1.1 no such user", "450 4.2.1 greylisted, come back later"] {
        let smtp = trust.starttls(&["PLAIN"]).await;
        smtp.refuse(TO[1], answer);
        let connection = trust.connection(&smtp, MailSecurity::Starttls);
        let reply = call(&connection).await.expect("an answer");
        let [(refused, why)] = &reply.refused[..] else { panic!("{reply:?}") };
        assert_eq!((refused.as_str(), why.to_string().as_str()), (TO[1], answer));
        assert_eq!((smtp.taken()[0].to.len(), smtp.faults().len()), (1, 0));
        smtp.refuse(TO[0], "550 5.1.1 no such user");
        let reply = call(&connection).await.expect("an answer");
        let all = if answer.starts_with('4') { "later" } else { "blocked" };
        assert_eq!((verdict(&reply), smtp.taken().len()), (all, 1));
    }
}
