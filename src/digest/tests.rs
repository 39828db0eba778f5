//! Windows, breaks, the hour's cap and what comes back after a crash, on a clock of numbers.

use buffa::Message as _;
use proptest::prelude::*;
use sidearm_sinks::contract::{Arrival, Event, Gravity, Kind, Overrides, Telling};

use super::{hour::HOUR_US, *};
use crate::testing::blocked_apt;

const SECOND_US: u64 = 1_000_000;
const EVERY_US: u64 = 600 * SECOND_US;

fn rules(per_hour: u32) -> Rules {
    Rules { every_us: EVERY_US, per_hour, resolves: false }
}

fn shown() -> Shown {
    let message = blocked_apt().encode_to_vec();
    let arrival = Arrival { stream: Stream::Alert, sequence: 3, received_us: 9 };
    let event = Event::decode(Kind::Event, arrival, &message, Overrides::none());
    Shown::new(&event.expect("an alert"), &message)
}

fn sight(incident: u128, gravity: Gravity, blocked: bool) -> Sight {
    Sight {
        key: Key(incident),
        stream: Stream::Alert,
        is_gap: false,
        rank: Rank { gravity, blocked },
        time_us: 0,
        pod: "web".to_owned(),
        process: String::new(),
    }
}

/// A lane without a destination: what it sends arrives when the test says so.
struct Bench {
    incidents: Incidents,
    now_us: u64,
    shown: Shown,
    /// Events told, each alone or by a digest message.
    told: u64,
    /// When each message was sent.
    sent_us: Vec<u64>,
}

impl Bench {
    fn new(rules: Rules) -> Self {
        let mut incidents = Incidents::default();
        incidents.resume(Some(rules), 0);
        Self { incidents, now_us: 0, shown: shown(), told: 0, sent_us: Vec::new() }
    }

    /// One event, in a span of its own that is not settled yet.
    fn take(&mut self, sight: &Sight) -> (Judgement, Absorbed) {
        let mut absorbed = Absorbed::default();
        let judgement = self.incidents.judge(sight, self.now_us);
        match judgement {
            Judgement::Send => {
                self.incidents.sending(sight, self.shown.clone(), self.now_us);
                self.sent_us.push(self.now_us);
                absorbed.send(sight);
            }
            Judgement::Absorb => {
                if absorbed.absorb(sight) {
                    self.incidents.absorbing(sight);
                }
            }
            Judgement::Hold => absorbed.hold(sight, || self.shown.clone()),
        }
        (judgement, absorbed)
    }

    fn settle(&mut self, (judgement, absorbed): (Judgement, Absorbed)) -> Judgement {
        self.incidents.settle(&absorbed, self.now_us);
        self.told += u64::from(judgement == Judgement::Send);
        judgement
    }

    fn event(&mut self, sight: &Sight) -> Judgement {
        let taken = self.take(sight);
        self.settle(taken)
    }

    fn due(&mut self) -> Option<DigestMessage> {
        let due = self.incidents.due(Stream::Alert, true, self.now_us);
        self.sent_us.extend(due.is_some().then_some(self.now_us));
        due
    }

    fn arrive(&mut self, message: &DigestMessage) {
        self.told += message.digest.events;
        self.incidents.told(message, self.now_us);
    }

    /// Lets time pass until there is nothing more to tell; what was told, and when.
    fn rest(&mut self) -> Vec<(Telling, u64, u64)> {
        let mut told = Vec::new();
        loop {
            while let Some(message) = self.due() {
                told.push((message.digest.telling, message.digest.events, self.now_us));
                self.arrive(&message);
            }
            match self.incidents.next_us(self.now_us) {
                Some(next_us) => self.now_us = next_us,
                None => return told,
            }
        }
    }

    /// Ends without a word and goes on from what was saved.
    fn crash(&mut self) {
        let text = serde_json::to_string(&self.incidents).expect("texts and numbers");
        let rules = self.incidents.rules;
        self.incidents = serde_json::from_str(&text).expect("what was written");
        self.incidents.resume(rules, self.now_us);
    }

    fn untold(&self) -> u64 {
        self.incidents.view().map_or(0, |view| view.untold)
    }
}

fn plain(incident: u128) -> Sight {
    sight(incident, Gravity::Medium, true)
}

#[test]
fn a_thousand_like_events_are_two_messages_and_silence() {
    let mut bench = Bench::new(rules(60));
    assert_eq!(bench.event(&plain(1)), Judgement::Send);
    for _ in 1..1000 {
        bench.now_us += SECOND_US / 20;
        assert_eq!(bench.event(&plain(1)), Judgement::Absorb);
    }
    assert_eq!(bench.rest(), [(Telling::Repeats, 999, EVERY_US)]);
    assert_eq!((bench.told, bench.incidents.windows.len()), (1000, 0), "the window closed");
    assert_eq!(bench.event(&plain(1)), Judgement::Send, "it is news again");
}

#[test]
fn what_is_graver_and_the_first_block_break_the_window() {
    let mut bench = Bench::new(rules(60));
    bench.event(&sight(1, Gravity::Low, false));
    assert_eq!(bench.event(&sight(1, Gravity::Low, false)), Judgement::Absorb);
    bench.now_us = EVERY_US / 2;
    assert_eq!(bench.event(&sight(1, Gravity::High, false)), Judgement::Send);
    assert_eq!(bench.event(&sight(1, Gravity::Low, true)), Judgement::Send);
    assert_eq!(bench.event(&sight(1, Gravity::High, true)), Judgement::Absorb);
    assert_eq!(bench.rest(), [(Telling::Repeats, 2, EVERY_US / 2 + EVERY_US)]);
}

#[test]
fn windows_run_from_the_end_of_their_message() {
    let mut bench = Bench::new(rules(60));
    let first = bench.take(&plain(1));
    bench.event(&plain(1));
    bench.now_us = 3 * EVERY_US;
    assert!(bench.due().is_none() && bench.incidents.next_us(bench.now_us).is_none());
    bench.settle(first);
    assert_eq!(bench.rest(), [(Telling::Repeats, 1, 4 * EVERY_US)]);
}

#[test]
fn beyond_the_hours_messages_one_tells_of_the_rest() {
    let mut bench = Bench::new(rules(3));
    let judged: Vec<_> = (0..10).map(|incident| bench.event(&plain(incident))).collect();
    assert_eq!(judged.iter().filter(|one| **one == Judgement::Send).count(), 3);
    bench.event(&plain(9));
    bench.event(&plain(0));
    bench.now_us = HOUR_US - 1;
    assert!(bench.due().is_none(), "a repeat is held like all else");
    bench.now_us = HOUR_US;
    let message = bench.due().expect("the hour is over");
    let Digest { telling, events, incidents, .. } = message.digest;
    assert_eq!((telling, events, incidents), (Telling::Held, 9, 8));
    assert_eq!((message.events, bench.untold()), ([9, 0, 0], 9));
    bench.arrive(&message);
    assert_eq!((bench.told, bench.untold()), (12, 0));
}

#[test]
fn more_incidents_than_may_be_open_are_held() {
    let mut bench = Bench::new(rules(u32::MAX));
    for incident in 0..MAX_OPEN_INCIDENTS as u128 {
        assert_eq!(bench.event(&plain(incident)), Judgement::Send);
    }
    assert_eq!(bench.event(&plain(u128::MAX)), Judgement::Hold);
    assert_eq!(bench.event(&plain(0)), Judgement::Absorb);
    let told = bench.rest();
    assert_eq!(told, [(Telling::Repeats, 1, EVERY_US), (Telling::Held, 1, HOUR_US)]);
}

#[test]
fn quiet_is_told_where_incidents_are_kept_open_and_only_when_it_is_known() {
    let mut bench = Bench::new(Rules { resolves: true, ..rules(60) });
    bench.event(&Sight { time_us: 5, ..plain(1) });
    bench.event(&Sight { time_us: 7, ..plain(1) });
    bench.now_us = EVERY_US;
    let repeats = bench.due().expect("one more");
    bench.arrive(&repeats);
    bench.now_us = 2 * EVERY_US;
    assert!(bench.incidents.due(Stream::Alert, false, 2 * EVERY_US).is_none(), "there may be more");
    let quiet = bench.due().expect("it is quiet");
    assert_eq!((quiet.digest.telling, quiet.digest.events), (Telling::Quiet, 0));
    assert_eq!((quiet.digest.first_us, quiet.digest.last_us), (5, 7));
    assert_eq!(bench.event(&plain(1)), Judgement::Absorb, "nothing overtakes the message");
    bench.arrive(&quiet);
    let told = bench.rest();
    assert_eq!(
        told,
        [(Telling::Repeats, 1, 2 * EVERY_US), (Telling::Quiet, 0, 3 * EVERY_US)],
        "what came meanwhile is told at once"
    );
    assert!(bench.incidents.windows.is_empty());
}

#[test]
fn a_crash_costs_a_message_and_no_count() {
    let mut bench = Bench::new(rules(60));
    bench.event(&plain(1));
    bench.event(&plain(1));
    bench.now_us = EVERY_US;
    let lost = bench.due().expect("a window is over");
    bench.event(&plain(1));
    bench.crash();
    let again = bench.due().expect("it is over still");
    assert_eq!((lost.digest.events, again.digest.events), (1, 2));

    // The first event of another incident is under way, a second one is settled.
    let first = bench.take(&plain(2));
    bench.event(&plain(2));
    bench.crash();
    drop(first);
    assert_eq!(bench.event(&plain(2)), Judgement::Send, "it was never told, so it is at once");
    assert_eq!(bench.event(&plain(2)), Judgement::Absorb);
    bench.rest();
    assert_eq!((bench.told, bench.untold()), (1 + 2 + 1 + 2, 0));
}

#[test]
fn a_clock_set_back_makes_no_window_longer() {
    let mut bench = Bench::new(rules(60));
    bench.now_us = 100 * HOUR_US;
    bench.event(&plain(1));
    bench.event(&plain(1));
    bench.now_us = HOUR_US;
    bench.crash();
    assert_eq!(bench.rest(), [(Telling::Repeats, 1, HOUR_US + EVERY_US)]);
}

#[test]
fn a_digest_switched_off_leaves_nothing_untold() {
    let mut bench = Bench::new(rules(2));
    for incident in [1, 1, 1, 2, 2, 3] {
        bench.event(&plain(incident));
    }
    bench.incidents.rules = None;
    bench.crash();
    let message = bench.due().expect("at once");
    let Digest { telling, events, incidents, .. } = message.digest;
    assert_eq!((telling, events, incidents), (Telling::Held, 4, 3));
    bench.arrive(&message);
    assert_eq!(bench.incidents.view(), None);
}

#[test]
fn that_events_are_missing_is_told_in_any_hour_and_counts_towards_it() {
    let gap = |incident| Sight { is_gap: true, ..plain(incident) };
    let mut bench = Bench::new(rules(2));
    assert_eq!(bench.event(&gap(1)), Judgement::Send);
    assert_eq!(bench.event(&plain(2)), Judgement::Send);
    assert_eq!(bench.event(&plain(3)), Judgement::Hold, "the gap was one of the hour's two");
    assert_eq!(bench.event(&gap(4)), Judgement::Send);
    assert_eq!(bench.event(&gap(4)), Judgement::Absorb, "what it repeats is no news");
    for incident in 5..2 * MAX_OPEN_INCIDENTS as u128 {
        bench.event(&gap(incident));
    }
    assert_eq!(bench.event(&gap(u128::MAX)), Judgement::Send);
}

#[test]
fn nothing_is_told_to_happen_in_the_future() {
    let mut bench = Bench::new(Rules { resolves: true, ..rules(60) });
    let ahead = Sight { time_us: i64::MAX, ..plain(1) };
    bench.event(&ahead);
    bench.event(&ahead);
    for _ in [Telling::Repeats, Telling::Quiet] {
        bench.now_us += EVERY_US;
        let message = bench.due().expect("a window is over");
        let Digest { first_us, last_us, .. } = message.digest;
        assert_eq!((first_us, last_us), (bench.now_us as i64, bench.now_us as i64));
        bench.arrive(&message);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Event { incident: u128, gravity: usize, blocked: bool, settle: bool },
    Wait { seconds: u64 },
    Tell { arrive: bool },
    SettleAll,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..12u128, 0..5usize, any::<bool>(), any::<bool>())
            .prop_map(|(incident, gravity, blocked, settle)| Step::Event {
                incident, gravity, blocked, settle
            }),
        3 => (0..2000u64).prop_map(|seconds| Step::Wait { seconds }),
        3 => any::<bool>().prop_map(|arrive| Step::Tell { arrive }),
        1 => Just(Step::SettleAll),
    ]
}

proptest! {
    #[test]
    fn whatever_comes_is_told_or_waits_and_the_hour_holds(
        steps in prop::collection::vec(step(), 1..300),
        per_hour in 1..8u32,
        resolves: bool,
    ) {
        let mut bench = Bench::new(Rules { resolves, ..rules(per_hour) });
        let (mut spans, mut messages, mut events) = (Vec::new(), Vec::new(), 0);
        for step in steps {
            match step {
                Step::Event { incident, gravity, blocked, settle } => {
                    let taken = bench.take(&sight(incident, Gravity::ALL[gravity], blocked));
                    events += 1;
                    if settle { bench.settle(taken); } else { spans.push(taken) }
                }
                Step::Wait { seconds } => bench.now_us += seconds * SECOND_US,
                Step::Tell { arrive } => {
                    if let Some(message) = bench.due() {
                        if arrive { bench.arrive(&message) } else { messages.push(message) }
                    }
                }
                Step::SettleAll => {
                    for taken in spans.drain(..) { bench.settle(taken); }
                    messages.drain(..).for_each(|message| bench.arrive(&message));
                }
            }
            prop_assert_eq!(bench.told + bench.untold() + spans.len() as u64, events);
        }
        for taken in spans.drain(..) { bench.settle(taken); }
        messages.drain(..).for_each(|message| bench.arrive(&message));
        bench.rest();
        prop_assert_eq!((bench.told, bench.untold()), (events, 0));
        for (index, from_us) in bench.sent_us.iter().enumerate() {
            // Of two hours that any hour touches, neither has more than its messages.
            let within = bench.sent_us[index..].iter().filter(|at| **at < from_us + HOUR_US);
            prop_assert!(within.count() <= 2 * per_hour as usize);
        }
    }
}
