use super::*;
use crate::contract::{
    Digest, MailAnswer, MailStep, Telling,
    testing::{batch, table, with_event, written},
};

const EVENT: &str = r#"{"UpdatedTime":"2026-09-20T10:11:12.000678Z","ClusterName":"c","HostName":"n1","NamespaceName":"shop","PodName":"web-0","PolicyName":"no-apt","Severity":"9","Message":"näme <b>\r\nBcc: victim@evil.example","Type":"MatchedPolicy","Operation":"Process","Resource":"/usr/bin/apt","Action":"Block","UID":0,"PPID":0}"#;

fn mail(more: &str) -> Result<Box<dyn Sink<Smtp>>, SettingError> {
    let lines = format!(
        "server = \"mx.example.com:587\"\nfrom = \"Sidearm <sidearm@example.com>\"\n\
         to = [\"a@example.com\", \"b@example.com\"]\n{more}"
    );
    match build(table(&lines))? {
        Destination::Mail(sink) => Ok(sink),
        _ => panic!("spoken to by SMTP"),
    }
}

fn answer(code: u16) -> MailAnswer {
    MailAnswer { code, text: "words".to_owned() }
}

fn reply(step: MailStep, code: u16, refused: &[(&str, u16)]) -> MailReply {
    let refused = refused.iter().map(|(to, code)| ((*to).to_owned(), answer(*code)));
    MailReply { step, answer: answer(code), refused: refused.collect() }
}

/// The headers, unfolded.
fn headers(message: &str) -> Vec<(String, String)> {
    let (head, _) = message.split_once("\r\n\r\n").expect("headers and a body");
    let head = head.replace("\r\n ", " ");
    let pair = |line: &str| {
        let (name, value) = line.split_once(": ").expect("a header");
        (name.to_owned(), value.to_owned())
    };
    head.split("\r\n").map(pair).collect()
}

#[test]
fn a_message_is_a_function_of_its_event() {
    let sink = mail("").expect("a table");
    with_event(EVENT, |event| {
        let message = written(&*sink, &event, Format::Native, b"");
        assert_eq!(message, written(&*sink, &event, Format::Native, b""));
        let headers = headers(&message);
        let find = |name: &str| {
            let found = headers.iter().find(|(found, _)| found == name);
            found.map(|(_, value)| value.as_str()).expect(name)
        };
        assert_eq!(find("Date"), "Sun, 20 Sep 2026 10:11:12 +0000");
        assert_eq!(find("Message-ID"), format!("<{}@example.com>", event.id()));
        assert_eq!(find("From"), "\"Sidearm\" <sidearm@example.com>");
        assert_eq!(find("To"), "a@example.com, b@example.com");
        assert_eq!(find("Importance"), "high");
        assert!(find("Subject").starts_with("=?utf-8?B?"));
        assert!(!headers.iter().any(|(name, _)| name == "Bcc"));
        assert!(message.contains("&lt;b&gt;") && !message.contains("<b>\r\n"));
        let request = sink.request(&batch(1, 1));
        assert_eq!(request.to, ["a@example.com", "b@example.com"]);
    });
}

#[test]
fn a_link_leads_to_the_event() {
    let sink = mail("link = \"https://siem/?a=1&id={{ id }}\"").expect("a table");
    with_event(EVENT, |event| {
        // Lines are wrapped as mail asks for.
        let message = written(&*sink, &event, Format::Native, b"").replace("=\r\n", "");
        let link = |and: &str| format!("https://siem/?a=3D1{and}id=3D{}", event.id());
        assert!(message.contains(&format!("\r\n{}", link("&"))), "{message}");
        assert!(message.contains(&format!("<a href=3D\"{}\">", link("&amp;"))), "{message}");
    });
}

#[test]
fn a_digest_is_another_message_of_the_same_thread() {
    let digest = Digest {
        telling: Telling::Repeats,
        events: 5,
        incidents: 1,
        first_us: 1_789_899_000_000_000,
        last_us: 1_789_899_060_000_000,
        pods: Vec::new(),
        processes: Vec::new(),
    };
    let sink = mail("").expect("a table");
    let alone = with_event(EVENT, |event| headers(&written(&*sink, &event, Format::Native, b"")));
    let told = with_event(EVENT, |event| {
        headers(&written(&*sink, &event.telling(&digest), Format::Native, b""))
    });
    let find = |headers: &[(String, String)], name: &str| {
        headers.iter().find(|(found, _)| found == name).expect(name).1.clone()
    };
    assert_eq!(find(&told, "Date"), "Sun, 20 Sep 2026 10:11:00 +0000");
    assert_ne!(find(&told, "Message-ID"), find(&alone, "Message-ID"));
    assert_eq!(find(&told, "References"), find(&alone, "References"));
}

#[test]
fn every_answer_has_its_verdict() {
    let sink = mail("").expect("a table");
    let verdict = |step, code, refused: &[(&str, u16)]| {
        sink.verdict(&batch(1, 1), &reply(step, code, refused)).name()
    };
    for (step, code, expected) in [
        (MailStep::Hello, 421, "later"),
        (MailStep::Hello, 554, "blocked"),
        (MailStep::Auth, 454, "later"),
        (MailStep::Auth, 535, "blocked"),
        (MailStep::Sender, 530, "blocked"),
        (MailStep::Sender, 550, "blocked"),
        (MailStep::Sender, 552, "smaller"),
        (MailStep::Sender, 451, "later"),
        // Only the message's own answer says that it was taken, or that it is to blame.
        (MailStep::Data, 250, "blocked"),
        (MailStep::Data, 451, "later"),
        (MailStep::Data, 554, "blocked"),
        (MailStep::Message, 250, "accepted"),
        (MailStep::Message, 451, "later"),
        (MailStep::Message, 535, "blocked"),
        (MailStep::Message, 552, "smaller"),
        (MailStep::Message, 554, "never"),
        (MailStep::Message, 550, "never"),
    ] {
        assert_eq!(verdict(step, code, &[]), expected, "{step:?} {code}");
    }
    let both = |a, b| [("a@example.com", a), ("b@example.com", b)];
    assert_eq!(verdict(MailStep::Recipients, 550, &both(550, 550)), "blocked");
    assert_eq!(verdict(MailStep::Recipients, 550, &both(450, 550)), "later");
    assert_eq!(verdict(MailStep::Recipients, 450, &both(550, 450)), "later");
}

#[test]
fn a_subject_of_ones_own_is_one_line_and_answers_go_where_they_are_meant_to() {
    let sink = mail(
        "subject = \"[{{ ClusterName }}] {{ PolicyName }}: {{ Message }}\"\n\
         reply_to = \"SOC, night shift <soc@example.com>\"",
    );
    let sink = sink.expect("a table");
    with_event(&EVENT.replace("näme", "name"), |event| {
        let headers = headers(&written(&*sink, &event, Format::Native, b""));
        let found = |name: &str| {
            let mut all = headers.iter().filter(|(found, _)| found == name);
            (all.next().map(|(_, value)| value.as_str()), all.count())
        };
        let subject = "[c] no-apt: name <b>__Bcc: victim@evil.example";
        assert_eq!(found("Subject"), (Some(subject), 0));
        assert_eq!(found("Reply-To"), (Some("\"SOC, night shift\" <soc@example.com>"), 0));
        assert_eq!(found("Bcc"), (None, 0));
    });
    for (lines, key) in
        [("subject = \"{{ Polcy }}\"", "subject"), ("reply_to = \"soc\"", "reply_to")]
    {
        let error = mail(lines).err().expect(lines);
        assert_eq!(error.path, key, "{lines}");
    }
}

#[test]
fn one_refused_recipient_takes_the_mail_from_no_other() {
    let sink = mail("").expect("a table");
    let (one, refused_for_now) = (batch(1, 1), [("b@example.com", 450)]);
    let told = sink.verdict(&one, &reply(MailStep::Message, 250, &[("b@example.com", 550)]));
    assert!(matches!(told, Verdict::AcceptedBut(None, why) if why.contains("b@example.com: 550")));
    let verdict = sink.verdict(&one, &reply(MailStep::Message, 250, &refused_for_now));
    let Verdict::Ask(mut question) = verdict else { panic!("expected a question: {verdict:?}") };
    assert_eq!(question.request.to, ["b@example.com"]);
    // Greylisted again and again, then told and no more.
    let later = reply(MailStep::Recipients, 450, &refused_for_now);
    for _ in 1..TRIES_AGAIN {
        let verdict = sink.answer(&one, &question.request, &later);
        let Verdict::Ask(next) = verdict else { panic!("expected a question: {verdict:?}") };
        assert_eq!(next.request.to, ["b@example.com"]);
        question = next;
    }
    let verdict = sink.answer(&one, &question.request, &later);
    assert!(matches!(verdict, Verdict::AcceptedBut(None, _)), "{verdict:?}");
    let taken = sink.answer(&one, &question.request, &reply(MailStep::Message, 250, &[]));
    assert!(matches!(taken, Verdict::Accepted));
    let refused = reply(MailStep::Recipients, 550, &[("b@example.com", 550)]);
    let refused = sink.answer(&one, &question.request, &refused);
    assert!(matches!(refused, Verdict::AcceptedBut(None, _)), "{refused:?}");
    let told = sink.gave_up(&question.request);
    assert!(matches!(told, Verdict::AcceptedBut(None, why) if why.contains("b@example.com")));
}

#[test]
fn a_refused_login_gives_no_waiting_recipient_up() {
    let sink = mail("").expect("a table");
    let one = batch(1, 1);
    let first = sink.verdict(&one, &reply(MailStep::Message, 250, &[("b@example.com", 450)]));
    let Verdict::Ask(first) = first else { panic!("expected a question: {first:?}") };
    for (step, code) in [
        (MailStep::Hello, 421),
        (MailStep::Hello, 554),
        (MailStep::Auth, 535),
        (MailStep::Sender, 530),
        (MailStep::Sender, 550),
    ] {
        let verdict = sink.answer(&one, &first.request, &reply(step, code, &[]));
        let Verdict::Ask(next) = verdict else { panic!("{step:?} {code}: {verdict:?}") };
        let (was, is) = (&first.request, &next.request);
        assert_eq!((&is.to, is.again), (&was.to, was.again), "{step:?} {code}");
    }
    for (step, code) in [(MailStep::Recipients, 550), (MailStep::Message, 554)] {
        let refused = reply(step, code, &[("b@example.com", code)]);
        let verdict = sink.answer(&one, &first.request, &refused);
        assert!(matches!(verdict, Verdict::AcceptedBut(None, _)), "{step:?} {code}: {verdict:?}");
    }
}

#[test]
fn mistakes_are_told_with_their_key_and_without_the_secret() {
    for (more, path) in [
        ("username = \"u\"", "username"),
        ("password = \"hunter2\"", "password"),
        ("username = \"u\"\npassword = \"hunter2\"\nsecurity = \"off\"", "security"),
        ("security = \"maybe\"", "security"),
        ("hello = \"a b\"", "hello"),
        ("timeout = \"0s\"", "timeout"),
    ] {
        let error = mail(more).err().expect(more);
        assert_eq!(error.path, path, "{more}: {}", error.message);
        assert!(!error.message.contains("hunter2"), "{}", error.message);
    }
    for (lines, path) in [
        ("server = \"mx\"\nfrom = \"a@b\"\nto = [\"c@d\"]", "server"),
        ("server = \"mx:0\"\nfrom = \"a@b\"\nto = [\"c@d\"]", "server"),
        ("server = \"mx:25\"\nfrom = \"a\"\nto = [\"c@d\"]", "from"),
        ("server = \"mx:25\"\nfrom = \"a@b\"\nto = []", "to"),
        ("server = \"mx:25\"\nfrom = \"a@b\"\nto = [\"c@d\\r\\nBcc: e@f\"]", "to[0]"),
    ] {
        assert_eq!(build(table(lines)).err().expect(lines).path, path, "{lines}");
    }
    let sink = mail("username = \"u\"\npassword = \"hunter2\"").expect("a table");
    assert!(!format!("{:?}", sink.connection()).contains("hunter2"));
    assert_eq!(sink.connection().security, MailSecurity::Starttls);
}
