use proptest::prelude::*;

use super::*;
use crate::contract::{
    Digest, Telling, acts,
    testing::{OwnedEvent, arbitrary_event, with_digest, with_event, with_sample},
};

fn titled(sample: &str) -> String {
    with_sample(sample, |event| Card::of(event).title)
}

#[test]
fn a_title_says_what_happened_to_what_and_where() {
    for (sample, title) in [
        ("alert-process-block", "Blocked: process /usr/bin/apt install -y netcat in shop/checkout"),
        ("alert-process-audit-block", "Not blocked: process /usr/bin/dash -c id in shop/checkout"),
        ("alert-dns-block", "Blocked: DNS query for 4111-1111.drop.example in shop/checkout"),
        ("alert-network-audit", "Only audited: connection to 203.0.113.40 port 443 in shop/cart"),
        ("alert-network-block", "Blocked: network, protocol ICMP in shop/cart"),
        ("alert-network-firewall", "Blocked: connection to 198.51.100.7 port 443 in shop/checkout"),
        ("alert-capabilities-block", "Blocked: capability CAP_NET_RAW in shop/cart"),
        (
            "alert-syscall-audit",
            "Only audited: system call SYS_FCHOWNAT /data/journal.db in payments/ledger",
        ),
        ("alert-host-policy-block", "Blocked: file /etc/sudoers on pool-blue-7f4c"),
        ("alert-throttle-notice", "Blind for 30 s: KubeArmor drops alerts in shop/storefront"),
        ("alert-sparse", "Alert: process"),
        ("log-network-accept", "Seen: connection from 10.42.3.17 port 47712 in shop/cart"),
        ("message", "WARN from KubeArmor on pool-blue-7f4c"),
    ] {
        assert_eq!(titled(sample), title, "{sample}");
    }
}

#[test]
fn facts_are_what_a_person_acts_on() {
    let lines = with_sample("alert-process-block", |event| Card::of(event).plain());
    assert!(lines.starts_with(
        "Blocked: process /usr/bin/apt install -y netcat in shop/checkout\n\
         A package manager was started in a running container\n\n"
    ));
    for line in [
        "Policy: shop-no-package-managers",
        "Severity: high (8 of 10)",
        "Outcome: blocked: Permission denied",
        "Workload: Deployment/checkout",
        "Namespace: shop",
        "Pod: checkout-6c9d7f5b88-k2xqv",
        "Container: checkout",
        "Node: pool-blue-7f4c",
        "Cluster: harbour-eu",
        "Process: /usr/bin/apt",
        "Command: /usr/bin/apt install -y netcat",
        "Parent: /usr/bin/bash",
        "MITRE: T1072",
        "Time: 2026-03-02 09:14:10 UTC",
    ] {
        assert!(lines.lines().any(|other| other == line), "{line} in {lines}");
    }
    // The one that started it is its parent, and told as such; a program has no other resource.
    assert!(!lines.contains("Started by") && !lines.contains("Resource"), "{lines}");
    let id = with_sample("alert-process-block", |event| event.id().to_string());
    assert!(lines.ends_with(&format!("event {id}")), "{lines}");
}

fn value(card: &Card, label: &str) -> String {
    let fact = card.facts.iter().find(|fact| fact.label == label);
    fact.map_or(String::new(), |fact| fact.value.clone())
}

#[test]
fn a_command_is_the_acting_process_own() {
    let line = |source: &str, enforcer: &str| {
        format!(
            "{{\"Type\":\"MatchedPolicy\",\"Operation\":\"Process\",\"Source\":\"{source}\",\
             \"ParentProcessName\":\"/usr/bin/bash\",\"Resource\":\"/usr/bin/id -u\",\
             \"Enforcer\":\"{enforcer}\"}}"
        )
    };
    let facts = |source, enforcer| {
        let card = with_event(&line(source, enforcer), |event| Card::of(&event));
        ["Command", "Started by", "Resource"].map(|label| value(&card, label))
    };
    assert_eq!(facts("/usr/bin/bash", "BPFLSM"), ["/usr/bin/id -u", "", ""]);
    assert_eq!(facts("/bin/sh -c x", "BPFLSM"), ["/usr/bin/id -u", "/bin/sh -c x", ""]);
    let preset = facts("/proc/self/fd/3 -v", "PRESET-FilelessExec");
    assert_eq!(preset, ["/proc/self/fd/3 -v", "", "/usr/bin/id -u"]);
    let file =
        with_sample("alert-file-block", |event| (Card::of(event), event.source().to_owned()));
    assert_eq!(value(&file.0, "Command"), file.1);
}

#[test]
fn a_notice_has_no_policy_to_give_a_severity() {
    let severity = |sample| with_sample(sample, |event| value(&Card::of(event), "Severity"));
    assert_eq!(severity("alert-throttle-notice"), "medium");
    assert_eq!(severity("alert-throttle-notice-rewritten"), "info (2 of 10)");
    assert_eq!(severity("alert-default-posture"), "medium (its policy gives none)");
}

#[test]
fn a_gap_is_told_in_sentences_and_its_reason_once() {
    let gap = OwnedEvent::sample_gap();
    let card = Card::of(&gap.event());
    assert_eq!(card.title, "Gap: alerts of 60 s may be missing");
    assert_eq!(card.text, "At least 3 alerts were lost.");
    assert_eq!(value(&card, "Reason"), "the relay ended the stream");
    assert_eq!(card.plain().matches("the relay ended the stream").count(), 1);
    // Of many, the times of one would be taken for those of all.
    let card = Card::of(&gap.told().event());
    assert_eq!(card.title, "137 more in 10 min: Gap: alerts may be missing");
    assert_eq!((value(&card, "From"), value(&card, "To")), (String::new(), String::new()));
    assert!(!card.text.contains('3'), "{}", card.text);
}

#[test]
fn a_template_that_names_no_count_is_told_with_one() {
    let of_text = |telling, counts| {
        let digest = digest(telling);
        with_digest("alert-process-block", &digest, |event| {
            Card::of_text(event, "apt ran\nagain\n", counts)
        })
    };
    for (telling, text) in [
        (Telling::Repeats, "137 more in 10 min: apt ran\nagain"),
        (Telling::Quiet, "Quiet again: apt ran\nagain"),
        (Telling::Held, "42 events of 5 incidents held back, in 10 min: apt ran\nagain"),
    ] {
        assert_eq!(of_text(telling, false).text, text);
        assert_eq!(of_text(telling, true).text, "apt ran\nagain");
    }
    let alone = with_sample("alert-process-block", |event| Card::of_text(event, "apt ran", false));
    assert_eq!(alone.text, "apt ran");
    assert_eq!(alone.headline(), "🟠 apt ran");
    assert_eq!(alone.caption(), "🟠 shop-no-package-managers", "its text stands beneath");
}

#[test]
fn people_are_shown_the_id_that_a_siem_knows() {
    let id = with_sample("alert-process-block", |event| event.id());
    with_digest("alert-process-block", &digest(Telling::Repeats), |event| {
        assert_ne!(event.id(), id);
        for card in [Card::of(event), Card::of_text(event, "x", false)] {
            assert_eq!(card.footer(), format!("event {id}"));
        }
    });
}

#[test]
fn an_outcome_is_told_in_words() {
    let outcome = |sample| {
        with_sample(sample, |event| {
            let card = Card::of(event);
            card.facts.into_iter().find(|fact| fact.label == "Outcome").expect(sample).value
        })
    };
    assert_eq!(outcome("alert-network-audit"), "only audited: it went ahead");
    assert_eq!(
        outcome("alert-process-audit-block"),
        "its policy blocks it, yet it was only audited: it went ahead"
    );
    assert_eq!(
        outcome("alert-syscall-audit"),
        "only audited: it failed by itself, Operation not permitted"
    );
    assert_eq!(outcome("log-file-failed"), "No such file or directory");
}

fn digest(telling: Telling) -> Digest {
    let (events, incidents) = if telling == Telling::Held { (42, 5) } else { (137, 1) };
    Digest {
        telling,
        events: if telling == Telling::Quiet { 0 } else { events },
        incidents,
        first_us: 1_772_442_850_000_000,
        last_us: 1_772_443_449_500_000,
        pods: vec![("checkout-1".into(), 80), ("checkout-2".into(), 57)],
        processes: (1..=7).map(|n| (format!("/bin/p{n}"), 8 - n)).collect(),
    }
}

#[test]
fn a_digest_says_how_many_from_when_to_when_where_and_by_whom() {
    let digest = digest(Telling::Repeats);
    let card = with_digest("alert-process-block", &digest, Card::of);
    assert!(
        card.title.starts_with("137 more in 10 min: Blocked: process /usr/bin/apt"),
        "{}",
        card.title
    );
    let value = |label: &str| value(&card, label);
    assert_eq!(value("Events"), "137");
    assert_eq!(value("First"), "2026-03-02 09:14:10 UTC");
    assert_eq!(value("Last"), "2026-03-02 09:24:09 UTC");
    assert_eq!(value("Pods"), "checkout-1 (80), checkout-2 (57)");
    assert!(value("Processes").ends_with("/bin/p5 (3), 2 others"), "{}", value("Processes"));
    assert_eq!(["Pod", "Process", "Time"].map(value), ["", "", ""]);
    assert_eq!(value("Policy"), "shop-no-package-managers");
}

#[test]
fn quiet_and_held_say_so() {
    for (telling, title, text) in [
        (Telling::Quiet, "Quiet again: Blocked: process", "No such event since 2026-03-02 09:24"),
        (Telling::Held, "42 events of 5 incidents held back, in 10 min", "This hour's messages"),
    ] {
        let digest = digest(telling);
        let card = with_digest("alert-process-block", &digest, Card::of);
        assert!(card.title.starts_with(title), "{}", card.title);
        assert!(card.text.starts_with(text), "{}", card.text);
    }
}

#[test]
fn times_are_told_in_the_unit_people_use() {
    for (seconds, told) in
        [(0, "1 s"), (1, "1 s"), (90, "90 s"), (599, "10 min"), (7_200, "2 h"), (400_000, "5 days")]
    {
        assert_eq!(telling::span(0, seconds * 1_000_000), told);
    }
    assert_eq!(telling::span(i64::MAX, i64::MIN), "1 s");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn every_card_is_short_visible_and_on_one_line(owned in arbitrary_event()) {
        let card = Card::of(&owned.event());
        prop_assert!(!card.title.is_empty());
        prop_assert!(utf16_len(&card.title) <= TITLE_CHARS_MAX, "{}", card.title);
        prop_assert!(utf16_len(&card.text) <= TEXT_CHARS_MAX, "{}", card.text);
        prop_assert!(card.facts.len() <= FACTS_MAX);
        for fact in &card.facts {
            prop_assert!(!fact.value.is_empty(), "{}", fact.label);
            prop_assert!(utf16_len(&fact.value) <= VALUE_CHARS_MAX, "{}", fact.label);
        }
        prop_assert!(!card.plain().chars().any(|c| c != '\n' && acts(c)));
        prop_assert_eq!(card.plain().lines().count(), 2 + usize::from(!card.text.is_empty()) + 1 + card.facts.len());
    }
}
