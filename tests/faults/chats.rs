//! Every chat over a real connection, to a double of its vendor.

use std::time::Duration;

use http::{Method, Response};
use sidearm::wire::{HttpWire, Wire as _};
use sidearm_sinks::{
    CATALOGUE,
    contract::{
        Arrival, Batch, BatchBuilder, Body, Destination, Digest, Event, Format, Http, HttpReply,
        Kind, Overrides, Sink, Telling, Verdict, from_json, samples,
    },
};
use toml::de::{DeTable, DeValue};

use crate::doubles::{
    Answers, Double, discord, google_chat, mattermost, rocket_chat, slack, teams,
};

/// A chat's name, the lines of its table behind the double's address, and the double.
const CHATS: [(&str, &str, Answers); 7] = [
    ("slack", "url = \"@/services/T0/B0/secret\"", slack::answer),
    ("slack", "token = \"xoxb-1\"\nchannel = \"ka-{{ NamespaceName }}\"", slack::answer),
    ("teams", "url = \"@/workflows/1/triggers/manual/paths/invoke?sig=s\"", teams::answer),
    ("discord", "url = \"@/api/webhooks/1/token\"", discord::answer),
    ("google_chat", "url = \"@/v1/spaces/A/messages?key=k&token=t\"", google_chat::answer),
    ("mattermost", "url = \"@/hooks/t9kq3zb8wyc1rt5nf7lx2vd9hm\"", mattermost::answer),
    ("rocket_chat", "url = \"@/hooks/1/token\"", rocket_chat::answer),
];

struct Chat {
    name: &'static str,
    double: Double,
    sink: Box<dyn Sink<Http>>,
    wire: HttpWire,
}

impl Chat {
    async fn start((name, lines, answers): (&'static str, &str, Answers)) -> Self {
        let double = Double::start(answers).await;
        let lines = lines.replace('@', &double.url);
        let table = DeTable::parse(&lines).expect("TOML");
        let span = table.span();
        let table = toml::Spanned::new(span, DeValue::Table(table.into_inner()));
        let entry = CATALOGUE.iter().find(|entry| (entry.facts)().name == name).expect(name);
        let Ok(Destination::Http(sink)) = (entry.build)(table.into()) else {
            panic!("{name} is spoken to by HTTP");
        };
        let wire = HttpWire::new(&sink.connection()).expect("a connection");
        Self { name, double, sink, wire }
    }

    /// Sends a batch; what the sink makes of the answer, and the answer.
    async fn send(&self, batch: &Batch) -> (Verdict<Http>, HttpReply) {
        let mut request = self.sink.request(batch);
        request.url = request.url.replace("https://slack.com", &self.double.url);
        assert_eq!(request.method, Method::POST);
        let reply = self.wire.call(request).await.expect("an answer");
        (self.sink.verdict(batch, &reply), reply)
    }

    /// The batch of one sample, told alone or by a digest.
    fn batch(&self, line: &str, digest: Option<&Digest>) -> Batch {
        let (stream, message) = from_json::read(line).expect("a sample");
        let arrival = Arrival { stream, sequence: 1, received_us: 1 };
        let event = Event::decode(Kind::Event, arrival, &message, Overrides::none());
        let event = event.expect("a sample");
        let event = match digest {
            Some(digest) => event.telling(digest),
            None => event,
        };
        let mut batch = BatchBuilder::new(stream);
        let body = Body::new(Format::Native, b"");
        batch.push(event.id(), 1, 1, |record| self.sink.record(&event, body, record));
        batch.finish().expect("a record")
    }
}

#[tokio::test]
async fn every_sample_and_every_telling_is_posted() {
    let tellings = [Telling::Repeats, Telling::Quiet, Telling::Held].map(|telling| Digest {
        telling,
        events: 137,
        incidents: 1,
        first_us: 1_772_442_850_000_000,
        last_us: 1_772_443_450_000_000,
        pods: vec![("checkout-1".into(), 137)],
        processes: vec![("/usr/bin/apt".into(), 137)],
    });
    for chat in CHATS {
        let chat = Chat::start(chat).await;
        for (name, line) in samples() {
            let told = tellings.iter().map(Some).chain([None]);
            for digest in told {
                let (verdict, reply) = chat.send(&chat.batch(line, digest)).await;
                let lost = reply.headers.get(teams::LOST);
                assert!(
                    matches!(verdict, Verdict::Accepted) && lost.is_none(),
                    "{} {name}: {verdict:?} {lost:?}",
                    chat.name
                );
            }
        }
    }
}

#[tokio::test]
async fn a_time_to_wait_comes_through_from_every_vendor() {
    for chat in CHATS {
        let chat = Chat::start(chat).await;
        let busy = Response::builder().status(429).header("retry-after", "17");
        chat.double.next(busy.body(String::new()).expect("a response"));
        let (_, line) = samples()[0];
        let (verdict, _) = chat.send(&chat.batch(line, None)).await;
        let hint = Some(Duration::from_secs(17));
        assert!(matches!(verdict, Verdict::Later(after, _) if after == hint), "{}", chat.name);
        // The same message passes next time.
        let (verdict, _) = chat.send(&chat.batch(line, None)).await;
        assert!(matches!(verdict, Verdict::Accepted), "{}: {verdict:?}", chat.name);
    }
}

#[tokio::test]
async fn what_a_vendor_refuses_is_dead_or_parks_as_it_says() {
    let unknown = [
        ("slack", "url = \"@/services/T0\"", slack::answer as Answers),
        ("slack", "token = \"xapp-1\"\nchannel = \"C1\"", slack::answer),
        ("teams", "url = \"@/workflows/1/invoke?sv=1.0\"", teams::answer),
        ("discord", "url = \"@/api/webhooks/1\"", discord::answer),
        ("google_chat", "url = \"@/v1/spaces/A/messages?key=k\"", google_chat::answer),
        ("mattermost", "url = \"@/hooks/short\"", mattermost::answer),
        ("rocket_chat", "url = \"@/hooks/1\"", rocket_chat::answer),
    ];
    for chat in unknown {
        let chat = Chat::start(chat).await;
        let (verdict, _) = chat.send(&chat.batch(samples()[0].1, None)).await;
        assert_eq!(verdict.name(), "blocked", "{}: {verdict:?}", chat.name);
    }
    // A record that no chat takes, as a template may have written it.
    for chat in CHATS {
        let chat = Chat::start(chat).await;
        let mut batch = BatchBuilder::new(sidearm_sinks::contract::Stream::Alert);
        batch.push(sidearm_sinks::contract::EventId(1), 1, 1, |record| {
            record.extend_from_slice(b"{\"channel\":\"C1\"");
        });
        let (verdict, _) = chat.send(&batch.finish().expect("a record")).await;
        assert_eq!(verdict.name(), "never", "{}: {verdict:?}", chat.name);
    }
}
