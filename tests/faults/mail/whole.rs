//! The whole engine towards the mail server.

use std::collections::BTreeSet;

use super::Trust;
use crate::{
    doubles::smtp::{Act, PASSWORD, Smtp, Stage, USER},
    patience::eventually,
    rig::Rig,
    vendors::{STREAMS, ids, publish},
};

async fn rig(trust: &Trust, smtp: &Smtp, password: &str) -> Rig {
    let sinks = format!(
        "[sinks.mail]\nstreams = [\"alert\", \"log\", \"message\"]\ndigest = false\n\
         rate_per_second = 1000\nmail.server = \"localhost:{}\"\n\
         mail.from = \"Sidearm <sidearm@example.com>\"\nmail.to = [\"soc@example.com\"]\n\
         mail.username = \"{USER}\"\nmail.password = \"{password}\"\nmail.tls.ca = \"{}\"\n",
        smtp.address.port(),
        trust.ca().display(),
    );
    Rig::start(&sinks, &STREAMS).await
}

fn told(smtp: &Smtp) -> Vec<String> {
    smtp.taken().iter().map(|taken| taken.header("X-Sidearm-Event").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sample_is_mailed_and_one_whose_answer_is_lost_comes_again() {
    let trust = Trust::new();
    let smtp = trust.starttls(&["PLAIN"]).await;
    smtp.script([
        (Stage::Greeting, Act::Say("421 4.3.2 closing")),
        (Stage::Data, Act::Close),
        // At least once: nobody knows whether this one was taken, and it was.
        (Stage::Message, Act::TakeAndClose),
    ]);
    let rig = rig(&trust, &smtp, PASSWORD).await;
    let count = publish(&rig);
    assert_eq!(rig.settled("mail", count).await, (count, 0));
    assert_eq!(told(&smtp).len() as u64, count + 1);
    assert_eq!(told(&smtp).into_iter().collect::<BTreeSet<_>>(), ids());
    let names: BTreeSet<_> =
        smtp.taken().iter().map(|taken| taken.header("Message-ID").to_owned()).collect();
    assert_eq!(names.len() as u64, count, "the copy has the Message-ID of the first");
    assert_eq!(smtp.faults(), [""; 0]);
    assert!(smtp.taken().iter().all(|taken| taken.encrypted));
    rig.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_message_is_a_dead_letter_and_takes_no_neighbour_with_it() {
    let trust = Trust::new();
    let smtp = trust.starttls(&["LOGIN"]).await;
    let poison = ids().into_iter().next().expect("a sample");
    smtp.poison(&format!("X-Sidearm-Event: {poison}"));
    let rig = rig(&trust, &smtp, PASSWORD).await;
    let count = publish(&rig);
    assert_eq!(rig.settled("mail", count).await, (count - 1, 1));
    let letters = rig.dead_letters("mail");
    assert!(letters.lines().count() == 1 && letters.contains("content rejected"), "{letters}");
    assert!(!told(&smtp).contains(&poison) && told(&smtp).len() as u64 == count - 1);
    rig.engine.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_parks_and_costs_nothing() {
    let trust = Trust::new();
    let smtp = trust.starttls(&["PLAIN"]).await;
    let rig = rig(&trust, &smtp, "hunter3-of-yesterday").await;
    let count = publish(&rig);
    eventually("parked", async || {
        let sink = rig.sink("mail");
        sink.state.name() == "parked" && sink.ledger.pending == count
    })
    .await;
    assert!(smtp.taken().is_empty() && rig.dead_letters("mail").is_empty());
    let why = rig.sink("mail").last_error.expect("a reason");
    assert!(why.contains("535") && !why.contains("hunter3"), "{why}");
}
