//! A status as OpenMetrics. Labels are names from the configuration and words of ours, never
//! anything out of an event, so their number is bounded.

use std::{collections::BTreeMap, fmt};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, text::encode},
    metrics::MetricType,
    registry::Registry,
};
use sidearm_sinks::contract::Stream;

use crate::{
    digest::DigestView,
    journal::StreamStatus,
    meter::LaneState,
    status::{RequestSeconds, SinkView, Status},
    wire::Figure,
};

/// Writes a status as OpenMetrics.
pub(super) fn write(status: Status) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot(status)));
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

/// One figure of a lane's digest: its name, what it means, and where it stands.
type DigestFigure = (&'static str, &'static str, fn(&DigestView) -> u64);

const DIGEST: [DigestFigure; 2] = [
    (
        "sidearm_digest_open_incidents",
        "Incidents of a sink whose repeats are absorbed at present",
        |digest| digest.open,
    ),
    (
        "sidearm_digest_untold_events",
        "Events of a sink that were absorbed and not told yet",
        |digest| digest.untold,
    ),
];

#[derive(Debug)]
struct Snapshot(Status);

impl Collector for Snapshot {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        self.relay(&mut to)?;
        self.journal(&mut to)?;
        self.lanes(&mut to)?;
        self.requests(&mut to)?;
        self.figures(&mut to)
    }
}

impl Snapshot {
    fn relay(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let relay = &self.0.relay;
        let mut up =
            gauge(to, "sidearm_relay_healthy", "Whether the relay answers its health call")?;
        up.encode_gauge(&i64::from(relay.healthy))?;
        let mut connected =
            gauge(to, "sidearm_relay_connected", "Whether the subscription to a stream stands")?;
        for (stream, stands) in &relay.connected {
            connected.encode_family(&[("stream", *stream)])?.encode_gauge(&i64::from(*stands))?;
        }
        let mut gaps =
            counter(to, "sidearm_relay_gaps", "Interruptions, each told as a gap record")?;
        gaps.encode_counter::<NoLabelSet, u64, f64>(&relay.gaps, None)
    }

    fn journal(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        self.by_stream(
            counter(to, "sidearm_events_received", "Events written to the journal")?,
            |stream| stream.received,
            true,
        )?;
        self.by_stream(
            counter(to, "sidearm_events_refused", "Events the journal had no room for")?,
            |stream| stream.refused,
            true,
        )?;
        self.by_stream(
            gauge(to, "sidearm_journal_bytes", "Bytes a stream takes on disk")?,
            |stream| stream.bytes,
            false,
        )?;
        let mut writable =
            gauge(to, "sidearm_journal_writable", "Whether the journal takes events")?;
        writable.encode_gauge(&i64::from(self.0.journal.writable))
    }

    fn by_stream(
        &self,
        mut metric: MetricEncoder<'_>,
        value: fn(&StreamStatus) -> u64,
        counted: bool,
    ) -> fmt::Result {
        for stream in Stream::ALL {
            let value = value(&self.0.journal.streams[stream.index()]);
            let labels = [("stream", stream.name())];
            let mut one = metric.encode_family(&labels)?;
            if counted {
                one.encode_counter::<NoLabelSet, u64, f64>(&value, None)?;
            } else {
                one.encode_gauge(&(value as i64))?;
            }
        }
        Ok(())
    }

    fn lanes(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut events =
            counter(to, "sidearm_lane_events", "Events of a sink by what became of them")?;
        for (sink, view) in &self.0.sinks {
            for (outcome, count) in fates(view) {
                events
                    .encode_family(&[("sink", sink.as_str()), ("outcome", outcome)])?
                    .encode_counter::<NoLabelSet, u64, f64>(&count, None)?;
            }
        }
        let mut shed = counter(to, "sidearm_shed", "Events given up for room before they settled")?;
        for (sink, view) in &self.0.sinks {
            for (stream, account) in &view.streams {
                shed.encode_family(&[("sink", sink.as_str()), ("stream", *stream)])?
                    .encode_counter::<NoLabelSet, u64, f64>(&account.counts.shed, None)?;
            }
        }
        self.by_sink(
            gauge(to, "sidearm_lane_pending", "Events of a sink without a final fate")?,
            |view| view.ledger.pending as f64,
        )?;
        self.by_sink(
            gauge(to, "sidearm_lane_lag_seconds", "Age of a sink's oldest event without a fate")?,
            |view| view.lag_seconds,
        )?;
        for (name, help, value) in DIGEST {
            let mut metric = gauge(to, name, help)?;
            for (sink, view) in &self.0.sinks {
                let Some(digest) = &view.digest else { continue };
                metric
                    .encode_family(&[("sink", sink.as_str())])?
                    .encode_gauge(&(value(digest) as i64))?;
            }
        }
        let mut state = gauge(to, "sidearm_lane_state", "1 for the state a lane is in")?;
        for (sink, view) in &self.0.sinks {
            for one in LaneState::ALL {
                state
                    .encode_family(&[("sink", sink.as_str()), ("state", one.name())])?
                    .encode_gauge(&i64::from(view.state == one))?;
            }
        }
        let mut errors = counter(
            to,
            "sidearm_lane_filter_errors",
            "Events taken because their filter could not be evaluated",
        )?;
        for (sink, view) in &self.0.sinks {
            errors
                .encode_family(&[("sink", sink.as_str())])?
                .encode_counter::<NoLabelSet, u64, f64>(&view.filter_errors, None)?;
        }
        Ok(())
    }

    fn by_sink(&self, mut metric: MetricEncoder<'_>, value: fn(&SinkView) -> f64) -> fmt::Result {
        for (sink, view) in &self.0.sinks {
            metric.encode_family(&[("sink", sink.as_str())])?.encode_gauge(&value(view))?;
        }
        Ok(())
    }

    /// What wires count of themselves: a metric for each name, of all sinks that have it.
    fn figures(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut by_name: BTreeMap<&str, Vec<(&str, &Figure)>> = BTreeMap::new();
        for (sink, view) in &self.0.sinks {
            for figure in &view.figures {
                by_name.entry(figure.name).or_default().push((sink, figure));
            }
        }
        for (name, figures) in by_name {
            let Some((_, first)) = figures.first() else { continue };
            let mut metric = match first.is_counter {
                true => counter(to, name, first.help)?,
                false => gauge(to, name, first.help)?,
            };
            for (sink, figure) in figures {
                let labels = [("sink", sink)];
                let mut one = metric.encode_family(&labels)?;
                if figure.is_counter {
                    one.encode_counter::<NoLabelSet, f64, f64>(&figure.value, None)?;
                } else {
                    one.encode_gauge(&figure.value)?;
                }
            }
        }
        Ok(())
    }

    fn requests(&self, to: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let mut requests = counter(to, "sidearm_requests", "Attempts by how they ended")?;
        for (sink, view) in &self.0.sinks {
            for (verdict, count) in &view.requests {
                requests
                    .encode_family(&[("sink", sink.as_str()), ("verdict", *verdict)])?
                    .encode_counter::<NoLabelSet, u64, f64>(count, None)?;
            }
        }
        let mut seconds = to.encode_descriptor(
            "sidearm_request_seconds",
            "How long attempts took",
            None,
            MetricType::Histogram,
        )?;
        for (sink, view) in &self.0.sinks {
            let times = &view.request_seconds;
            let bounds = RequestSeconds::BOUNDS.into_iter().chain([f64::MAX]);
            let buckets: Vec<(f64, u64)> = bounds.zip(times.buckets).collect();
            let count = times.buckets.iter().sum();
            seconds
                .encode_family(&[("sink", sink.as_str())])?
                .encode_histogram::<NoLabelSet>(times.sum, count, &buckets, None)?;
        }
        Ok(())
    }
}

fn fates(view: &SinkView) -> [(&'static str, u64); 5] {
    let counts = view.ledger.counts;
    [
        ("accepted", counts.accepted),
        ("filtered", counts.filtered),
        ("digested", counts.digested),
        ("dead", counts.dead),
        ("shed", counts.shed),
    ]
}

fn counter<'a>(
    to: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    to.encode_descriptor(name, help, None, MetricType::Counter)
}

fn gauge<'a>(
    to: &'a mut DescriptorEncoder<'_>,
    name: &'a str,
    help: &str,
) -> Result<MetricEncoder<'a>, fmt::Error> {
    to.encode_descriptor(name, help, None, MetricType::Gauge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        journal::JournalStatus,
        ledger::Account,
        status::{RelayView, RequestSeconds},
    };

    fn sink(digest: Option<DigestView>) -> SinkView {
        let times = RequestSeconds { buckets: Default::default(), sum: 0.0 };
        SinkView {
            kind: "slack",
            state: LaneState::Running,
            ledger: Account::default(),
            streams: BTreeMap::new(),
            lag_seconds: 0.0,
            digest,
            requests: BTreeMap::new(),
            filter_errors: 0,
            last_error: None,
            request_seconds: times,
            figures: Vec::new(),
        }
    }

    #[test]
    fn a_digest_is_two_figures_of_the_sinks_that_have_one() {
        let stream = StreamStatus {
            bytes: 0,
            max_bytes: 0,
            first: 0,
            head: 0,
            received: 0,
            refused: 0,
            damaged: 0,
        };
        let status = Status {
            version: "1",
            relay: RelayView {
                address: String::new(),
                healthy: true,
                connected: BTreeMap::new(),
                gaps: 0,
                last_error: None,
            },
            journal: JournalStatus { streams: [stream; 3], writable: true, last_error: None },
            sinks: [
                ("chat".to_owned(), sink(Some(DigestView { open: 3, untold: 999 }))),
                ("siem".to_owned(), sink(None)),
            ]
            .into(),
        };
        let text = write(status).expect("OpenMetrics");
        for line in [
            "# TYPE sidearm_digest_open_incidents gauge",
            "sidearm_digest_open_incidents{sink=\"chat\"} 3",
            "# TYPE sidearm_digest_untold_events gauge",
            "sidearm_digest_untold_events{sink=\"chat\"} 999",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} in {text}");
        }
        assert_eq!(text.lines().filter(|line| line.starts_with("sidearm_digest_")).count(), 2);
    }
}
