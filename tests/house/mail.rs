//! Mail to several recipients of whom one is refused for now: the others have it once.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use sidearm::{
    engine::send_test,
    wire::{Attempt, Wire, WireError, Wires},
};
use sidearm_sinks::contract::{
    Mail, MailAnswer, MailConnection, MailReply, MailRequest, MailStep, Stream,
};
use tokio::time::{Instant, sleep};

use crate::world::{House, books, read};

const CONFIG: &str = r#"
    [sinks.soc]
    mail.server = "mx.example.com:587"
    mail.from = "sidearm@example.com"
    mail.to = ["a@example.com", "b@example.com"]
"#;

/// What the server says to those it refused at first.
type Later = fn() -> Result<MailReply, WireError>;

/// A server that knows `a` and does not know `b` yet.
#[derive(Clone)]
struct Greylisting {
    later: Later,
    /// The recipients of each mail it was sent.
    sent_to: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Greylisting {
    fn then(later: Later) -> Self {
        Self { later, sent_to: Arc::default() }
    }

    fn sent_to(&self, recipient: &str) -> usize {
        let sent_to = self.sent_to.lock().unwrap();
        sent_to.iter().filter(|to| to.iter().any(|to| to == recipient)).count()
    }
}

fn answer(code: u16) -> MailAnswer {
    MailAnswer { code, text: "words".to_owned() }
}

fn refused_for_now(step: MailStep) -> Result<MailReply, WireError> {
    let code = if step == MailStep::Message { 250 } else { 450 };
    let refused = vec![("b@example.com".to_owned(), answer(450))];
    Ok(MailReply { step, answer: answer(code), refused })
}

impl Wire<Mail> for Greylisting {
    fn call(&self, request: MailRequest) -> Attempt<'_, Mail> {
        let is_first = request.to.len() == 2;
        self.sent_to.lock().unwrap().push(request.to);
        Box::pin(async move {
            sleep(Duration::from_millis(1)).await;
            if is_first { refused_for_now(MailStep::Message) } else { (self.later)() }
        })
    }
}

impl Wires for Greylisting {
    fn mail(&self, _: &str, _: &MailConnection) -> Result<Box<dyn Wire<Mail>>, WireError> {
        Ok(Box::new(self.clone()))
    }
}

/// Hours with one alert: how often each recipient was sent it.
async fn one_alert(seed: u64, later: Later) -> (usize, usize) {
    let folder = tempfile::tempdir().unwrap();
    let server = Greylisting::then(later);
    let mut house = House::new(seed);
    let engine = house.engine(folder.path(), CONFIG, server.clone()).await;
    house.subscribed(Stream::Alert).await;
    house.publish(Stream::Alert, 1).await;
    sleep(Duration::from_secs(60)).await;
    let soc = books(&engine.status().read(), "soc");
    assert_eq!(soc.ledger.pending, 1, "one recipient is still waited for");
    sleep(Duration::from_secs(5 * 60 * 60)).await;
    let soc = books(&engine.status().read(), "soc");
    assert_eq!((soc.ledger.pending, soc.ledger.counts.accepted), (0, 1));
    (server.sent_to("a@example.com"), server.sent_to("b@example.com"))
}

#[tokio::test(start_paused = true)]
async fn a_recipient_refused_again_and_again_is_given_up_and_no_other_is_sent_it_twice() {
    let (a, b) = one_alert(41, || refused_for_now(MailStep::Recipients)).await;
    assert_eq!((a, b), (1, 13));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_for_hours_sends_no_other_recipient_a_second_mail() {
    let (a, b) = one_alert(42, || Err(WireError::NotSent("no route".to_owned()))).await;
    assert_eq!(a, 1);
    assert!(b > 13, "hours of it count as no refusal: {b} tries");
}

#[tokio::test(start_paused = true)]
async fn a_login_refused_meanwhile_gives_no_recipient_up() {
    let refused = || Ok(MailReply { step: MailStep::Auth, answer: answer(535), refused: vec![] });
    let (a, b) = one_alert(43, refused).await;
    assert_eq!(a, 1);
    assert!(b > 13, "hours of it count as no refusal: {b} tries");
}

#[tokio::test(start_paused = true)]
async fn a_test_mail_tells_of_a_recipient_refused_for_now_and_does_not_wait_for_it() {
    let started = Instant::now();
    let server = Greylisting::then(|| refused_for_now(MailStep::Recipients));
    let report = send_test(read(CONFIG), "soc", Arc::new(server)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(31), "{:?}", started.elapsed());
    assert!(!report.accepted);
    assert!(report.verdict.starts_with("taken, not yet confirmed"), "{}", report.verdict);
    assert!(report.reply.is_some_and(|reply| reply.contains("b@example.com: 450")));
}
