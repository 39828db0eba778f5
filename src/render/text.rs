//! An event for a person at a terminal: a line that says what happened, to what, where and by
//! whom, and for an alert a second that says why it is one.
//!
//! ```text
//! 2026-05-26 04:46:57.355 BLOCK 10 Network google.com  by /usr/bin/curl google.com  in shop/web-7c9f/web  Permission denied
//!     policy block-dns: DNS outside the cluster  tags MITRE, NIST
//! ```
//! Absent parts leave no trace. Whatever comes from the event passes [`write_visible`].

use anstyle::{AnsiColor, Color, Style};
use sidearm_sinks::contract::{Digest, Event, Stream, Telling, Value, write_visible};

use super::gap_in_words;

/// Appends an event; the last line has no end.
pub(super) fn write(event: &Event<'_>, colour: bool, out: &mut Vec<u8>) {
    let mut line = Line { event, colour, out };
    line.time();
    if let Some(gap) = event.gap() {
        line.part(MAGENTA, "", "GAP");
        line.part(BOLD, "", &gap_in_words(event.stream(), gap));
    } else if event.is_throttle_notice() {
        line.throttled();
    } else {
        match event.stream() {
            Stream::Alert => line.alert(),
            Stream::Log => line.log(),
            Stream::Message => line.message(),
        }
    }
    if let Some(digest) = event.digest() {
        line.digest(digest);
    }
}

/// Severities from here on stand out.
const GRAVE: u8 = 8;

const DIM: Style = Style::new().dimmed();
const RED: Style = colour(AnsiColor::Red).bold();
const YELLOW: Style = colour(AnsiColor::Yellow).bold();
const BLUE: Style = colour(AnsiColor::Blue);
const MAGENTA: Style = colour(AnsiColor::Magenta).bold();
const BOLD: Style = Style::new().bold();
const PLAIN: Style = Style::new();

const fn colour(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(Color::Ansi(colour)))
}

struct Line<'l> {
    event: &'l Event<'l>,
    colour: bool,
    out: &'l mut Vec<u8>,
}

impl Line<'_> {
    fn time(&mut self) {
        self.styled(DIM, &moment(self.event.time_us()));
    }

    fn alert(&mut self) {
        let action = self.event.action();
        let style = if action == "Block" { RED } else { YELLOW };
        self.part(style, "", &action.to_uppercase());
        if let Some(severity) = self.event.severity() {
            self.part(if severity >= GRAVE { RED } else { BOLD }, "", &severity.to_string());
        }
        self.what();
        self.reason();
    }

    fn log(&mut self) {
        self.part(BLUE, "", "LOG");
        self.what();
    }

    fn message(&mut self) {
        let level = self.event.level();
        let style = match level {
            "ERROR" => RED,
            "WARN" => YELLOW,
            _ => BLUE,
        };
        self.part(style, "", level);
        self.part(PLAIN, "", self.event.message());
        self.place();
    }

    /// Operation, resource, process, place, result. The name of a DNS query says more than its
    /// socket, a system call more than nothing.
    fn what(&mut self) {
        self.part(PLAIN, "", self.event.operation());
        let resources = [self.event.dns_name(), self.event.resource(), self.event.syscall()];
        let resource = resources.into_iter().find(|resource| !resource.is_empty());
        self.part(BOLD, "", resource.unwrap_or_default());
        let (source, process) = (self.event.source(), self.event.process());
        self.part(PLAIN, " by ", if source.is_empty() { process } else { source });
        self.place();
        let result = self.event.result();
        self.part(if result == "Passed" { DIM } else { PLAIN }, " ", result);
    }

    /// `in namespace/pod/container`, or `on host` for what no pod did.
    fn place(&mut self) {
        let names = [self.event.namespace(), self.event.pod(), self.event.container()];
        let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
        if names.is_empty() {
            self.part(PLAIN, " on ", self.event.host());
        } else {
            self.part(PLAIN, " in ", &names.join("/"));
        }
    }

    /// The second line: policy, its message, tags.
    fn reason(&mut self) {
        let (policy, message) = (self.event.policy(), self.event.message());
        let tags = self.event.tags().join(", ");
        if policy.is_empty() && message.is_empty() && tags.is_empty() {
            return;
        }
        self.out.extend_from_slice(b"\n   ");
        self.part(PLAIN, "policy ", policy);
        if !policy.is_empty() && !message.is_empty() {
            self.out.push(b':');
        }
        self.part(BOLD, "", message);
        self.part(DIM, " tags ", &tags);
    }

    /// A line that says how many events the message stands for.
    fn digest(&mut self, digest: &Digest) {
        let Digest { events, incidents, .. } = digest;
        let words = match digest.telling {
            Telling::Repeats => format!("{events} more like it"),
            Telling::Quiet => "quiet since".to_owned(),
            Telling::Held => format!("one of {events} events of {incidents} incidents held back"),
        };
        self.out.extend_from_slice(b"\n   ");
        self.part(MAGENTA, "", &words);
        if digest.telling != Telling::Quiet {
            self.part(PLAIN, "from ", &moment(digest.first_us));
            self.part(PLAIN, "to ", &moment(digest.last_us));
        } else {
            self.part(PLAIN, "", &moment(digest.last_us));
        }
        self.part(PLAIN, " in ", &counts(&digest.pods));
        self.part(PLAIN, " by ", &counts(&digest.processes));
    }

    fn throttled(&mut self) {
        self.part(MAGENTA, "", "THROTTLED");
        let (most, seconds) =
            (self.number("MaxAlertsPerSec"), self.number("DroppingAlertsInterval"));
        let what = format!(
            "more than {most} alerts in a second: KubeArmor drops what follows for {seconds} s"
        );
        self.part(PLAIN, "", &what);
        self.place();
    }

    /// A blank, a word of ours in dim, then what the event says; nothing where it says nothing.
    fn part(&mut self, style: Style, word: &str, text: &str) {
        if text.is_empty() {
            return;
        }
        self.out.push(b' ');
        self.styled(DIM, word);
        self.styled(style, text);
    }

    fn styled(&mut self, style: Style, text: &str) {
        let style = if self.colour && !text.is_empty() { style } else { PLAIN };
        self.out.extend_from_slice(style.render().to_string().as_bytes());
        write_visible(text, self.out);
        self.out.extend_from_slice(style.render_reset().to_string().as_bytes());
    }

    fn number(&self, field: &str) -> i64 {
        match self.event.field(field) {
            Some(Value::Int(number)) => number,
            _ => 0,
        }
    }
}

fn moment(time_us: i64) -> String {
    let time = jiff::Timestamp::from_microsecond(time_us).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S%.3f").to_string()
}

fn counts(counts: &[(String, u64)]) -> String {
    let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} ({count})")).collect();
    counts.join(", ")
}

#[cfg(test)]
mod tests {
    use sidearm_proto::{feeder, sidearm};

    use super::*;
    use crate::{
        samples::Sample,
        testing::{alert, blocked_apt, half_a_minute, log, message, throttle_notice},
    };

    fn shown(made: &Sample, colour: bool) -> String {
        let mut out = Vec::new();
        write(&made.view(), colour, &mut out);
        String::from_utf8(out).expect("what is shown is text")
    }

    #[test]
    fn an_alert_says_what_where_by_whom_and_why() {
        assert_eq!(
            shown(&alert(blocked_apt()), false),
            "2026-05-26 04:46:57.355 BLOCK 5 Process /usr/bin/apt install nmap  by /bin/bash -i  \
             in shop/web-7c9f/web  Permission denied\n    policy no-package-managers: \
             package manager denied  tags NIST, MITRE_T1036_masquerading"
        );
    }

    #[test]
    fn a_digest_says_how_many_when_and_where() {
        let mut digest = Digest {
            telling: Telling::Repeats,
            events: 998,
            incidents: 1,
            first_us: 1_779_770_817_355_927,
            last_us: 1_779_770_877_000_000,
            pods: vec![("web-7c9f".to_owned(), 990), ("web-\u{1b}".to_owned(), 8)],
            processes: vec![("/usr/bin/apt".to_owned(), 998)],
        };
        let last_line = |digest: &Digest| {
            let (made, mut out) = (alert(blocked_apt()), Vec::new());
            write(&made.view().telling(digest), false, &mut out);
            let text = String::from_utf8(out).expect("what is shown is text");
            text.lines().last().expect("three lines").to_owned()
        };
        assert_eq!(
            last_line(&digest),
            "    998 more like it from 2026-05-26 04:46:57.355 to 2026-05-26 04:47:57.000  \
             in web-7c9f (990), web-\\x1b (8)  by /usr/bin/apt (998)"
        );
        digest.telling = Telling::Quiet;
        (digest.pods, digest.processes) = (Vec::new(), Vec::new());
        assert_eq!(last_line(&digest), "    quiet since 2026-05-26 04:47:57.000");
    }

    #[test]
    fn what_is_absent_leaves_no_trace() {
        let bare = alert(feeder::Alert {
            HostName: "node-1".into(),
            ProcessName: "/usr/sbin/sshd".into(),
            Operation: "Syscall".into(),
            Action: "Audit (Block)".into(),
            Timestamp: 1_692_814_089,
            ..feeder::Alert::default()
        });
        assert_eq!(
            shown(&bare, false),
            "2023-08-23 18:08:09.000 AUDIT (BLOCK) Syscall  by /usr/sbin/sshd  on node-1"
        );
    }

    #[test]
    fn logs_and_messages_take_a_line() {
        let read = log(feeder::Log {
            UpdatedTime: "2026-05-26T04:46:57.355927Z".into(),
            NamespaceName: "shop".into(),
            Operation: "File".into(),
            Resource: "/etc/passwd".into(),
            Result: "Passed".into(),
            ..feeder::Log::default()
        });
        assert_eq!(
            shown(&read, false),
            "2026-05-26 04:46:57.355 LOG File /etc/passwd  in shop  Passed"
        );
        let warning = message(feeder::Message {
            UpdatedTime: "2026-05-26T04:46:57.355927Z".into(),
            HostName: "node-1".into(),
            Level: "WARN".into(),
            Message: "no BPF LSM".into(),
            ..feeder::Message::default()
        });
        assert_eq!(shown(&warning, false), "2026-05-26 04:46:57.355 WARN no BPF LSM  on node-1");
    }

    #[test]
    fn a_dns_query_and_a_bare_call_say_what_they_were_about() {
        let query = log(feeder::Log {
            Operation: "Network".into(),
            Resource: "sa_family=AF_INET sin_port=53".into(),
            Data: "kfunc=UDP_SENDMSG domain=drop.example daddr=10.43.0.10 qtype=A".into(),
            ..feeder::Log::default()
        });
        assert!(shown(&query, false).ends_with("LOG Network drop.example"));
        let call = log(feeder::Log {
            Operation: "Syscall".into(),
            Data: "syscall=SYS_PTRACE request=16".into(),
            ..feeder::Log::default()
        });
        assert!(shown(&call, false).ends_with("LOG Syscall SYS_PTRACE"));
    }

    #[test]
    fn throttling_and_gaps_cannot_be_taken_for_events() {
        assert_eq!(
            shown(&alert(throttle_notice()), false),
            "2026-05-26 04:46:57.355 THROTTLED more than 10 alerts in a second: KubeArmor drops \
             what follows for 30 s  in shop/web-7c9f"
        );
        let lost = sidearm::Gap { Lost: 12, ..half_a_minute() };
        assert_eq!(
            shown(&Sample::gap(Stream::Log, &lost), false),
            "2026-05-26 04:47:27.000 GAP log events from 2026-05-26T04:46:57.355927Z to \
             2026-05-26T04:47:27.000000Z may be missing, 12 of them: the relay ended the stream"
        );
    }

    #[test]
    fn colour_adds_styles_and_nothing_else() {
        for made in [alert(blocked_apt()), alert(throttle_notice())] {
            let coloured = shown(&made, true);
            assert!(coloured.contains("\x1b["), "{coloured:?}");
            assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), shown(&made, false));
        }
    }

    #[test]
    fn an_event_cannot_bring_its_own_colours_or_lines() {
        let hostile = "\x1b[2Jrm\r\n2026-05-26 BLOCK\u{202e}";
        let text = || hostile.into();
        let made = alert(feeder::Alert {
            HostName: text(),
            NamespaceName: text(),
            PodName: text(),
            ContainerName: text(),
            ProcessName: text(),
            PolicyName: text(),
            ATags: vec![text()],
            Message: text(),
            Source: text(),
            Operation: text(),
            Resource: text(),
            Action: text(),
            Result: text(),
            ..feeder::Alert::default()
        });
        let shown = shown(&made, false);
        assert_eq!(shown.matches('\n').count(), 1, "{shown:?}");
        assert!(!shown.contains(['\x1b', '\r', '\u{202e}']), "{shown:?}");
        assert!(shown.contains(r"\x1b[2Jrm\r\n2026-05-26 BLOCK\u{202e}"), "{shown:?}");
    }
}
