//! One stream, supervised: open, receive, end, record the gap, wait, open again, until stopped.
//!
//! Any end is an outage, status OK included: relays end streams so when they stop, and when an
//! event cannot be encoded. What may have been missed stands in the journal as one gap record per
//! outage, before the first event that follows it.

mod session;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use buffa::Message as _;
use sidearm_proto::sidearm::Gap;
use sidearm_sinks::contract::{Kind, Stream};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::session::{End, Session};
use super::{Connect, RelayStatus, Timing, codec::Shared};
use crate::journal::Appender;

/// Ends without a single event, status OK, in a row, after which the configuration is suspected.
const EMPTY_ENDS_TOLD: u32 = 3;

/// A supervised subscription to one stream.
pub struct Watch {
    stream: Stream,
    connect: Arc<dyn Connect>,
    appender: Shared,
    status: Arc<RelayStatus>,
    timing: Timing,
    /// What will be missed once the stream is open again; none while it is, and before it ever was.
    outage: Mutex<Option<Outage>>,
}

/// A time in which events may be missed, so far without an end.
struct Outage {
    from_us: i64,
    reason: String,
}

impl Watch {
    /// Receives `stream` into `appender`. `whole_until_us` is when an earlier run last received
    /// something of this stream, in microseconds since 1970: what came after it is missing, and a
    /// gap record will say so. None for a stream that was never received.
    pub fn new(
        stream: Stream,
        connect: Arc<dyn Connect>,
        appender: Appender,
        whole_until_us: Option<u64>,
        status: Arc<RelayStatus>,
    ) -> Self {
        let outage = whole_until_us.map(|us| Outage {
            from_us: i64::try_from(us).unwrap_or(i64::MAX),
            reason: "sidearm was not running".to_owned(),
        });
        Self {
            stream,
            connect,
            appender: Shared::new(appender),
            status,
            timing: Timing::default(),
            outage: Mutex::new(outage),
        }
    }

    /// With other waits than the usual ones.
    pub fn with_timing(self, timing: Timing) -> Self {
        Self { timing, ..self }
    }

    /// Runs until `stop`, and only until then. The appender is sealed and dropped at the end.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.supervise()).await;
        self.status.set_connected(self.stream, false);
        self.appender.lock().seal();
    }

    async fn supervise(&self) {
        let mut waits = self.timing.backoff();
        let mut empty_ends = 0;
        loop {
            let end = Session::new(self).run().await;
            self.status.set_connected(self.stream, false);
            if end.lived >= self.timing.settled {
                waits = self.timing.backoff();
            }
            empty_ends = if end.empty { empty_ends + 1 } else { 0 };
            let wait = waits.next().expect("the backoff has no end");
            let earliest = end.opened.map(|opened| opened + self.timing.apart(self.stream));
            let next = earliest.unwrap_or_else(Instant::now).max(Instant::now() + wait);
            self.tell(&end, empty_ends, next);
            self.note_outage(end);
            sleep_until(next).await;
        }
    }

    fn tell(&self, end: &End, empty_ends: u32, next: Instant) {
        let (stream, address) = (self.stream.name(), self.status.address());
        let again_in = next.duration_since(Instant::now());
        let reason = &end.reason;
        if empty_ends >= EMPTY_ENDS_TOLD {
            tracing::warn!(
                stream,
                address,
                times = empty_ends,
                ?again_in,
                "the stream ends before its first event, again and again: is this address \
                 KubeArmor's relay or agent?"
            );
            self.status.set_error(&format!(
                "{stream} stream: {address} ended it {empty_ends} times in a row before its first \
                 event; is this KubeArmor's relay or agent?"
            ));
        } else {
            tracing::warn!(stream, address, reason, ?again_in, "not receiving");
            self.status.set_error(&format!("{stream} stream: {reason}"));
        }
    }

    /// The outage begins where the stream was last known to be whole. Attempts that fail belong
    /// to the outage they are to end.
    fn note_outage(&self, end: End) {
        if let Some(from_us) = end.whole_us {
            *self.outage() = Some(Outage { from_us, reason: end.reason });
        }
    }

    /// The stream is open again: the gap goes to the journal, ahead of what comes next.
    fn end_outage(&self, now_us: i64) {
        let Some(outage) = self.outage().take() else { return };
        let gap = Gap {
            FromMicros: outage.from_us.min(now_us),
            ToMicros: now_us,
            Reason: outage.reason,
            Lost: 0,
        };
        self.appender.lock().append(Kind::Gap, &gap.encode_to_vec());
        self.status.add_gap();
    }

    fn outage(&self) -> MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
