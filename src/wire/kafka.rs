//! Kafka: a batch is handed over whole, and its delivery reports are awaited.
//!
//! Owns the sessions: a producer each, thrown away when the brokers refuse us, cannot be reached
//! at all, or end it (a fatal error). Within a session the client library repeats what got lost,
//! and the brokers refuse copies; across sessions `deliver.rs` sends again. Whatever blocks
//! (opening, purging, closing a producer) runs on threads that may. Requests come from
//! `deliver.rs`, which judges the outcomes.

mod context;
mod figures;
mod properties;
mod reports;
mod session;
mod token;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::Duration,
};

use sidearm_sinks::contract::{Kafka, KafkaConnection, KafkaReply, KafkaRequest, Produced};
use tokio::{
    task::{spawn_blocking, yield_now},
    time::{sleep, timeout},
};

use super::{Attempt, Figure, Wire, WireError, tls};
use reports::{Call, Report};
use session::{End, Session, Sets};

/// Records handed over before others get their turn: about a fraction of a millisecond.
const RECORDS_A_TURN: usize = 256;
/// How long to wait where the producer's queue is full.
const FULL_FOR: Duration = Duration::from_millis(5);
/// How long the reports of a purged producer may take.
const PURGED_WITHIN: Duration = Duration::from_secs(5);

/// The way to one cluster; several attempts may be under way at once.
#[derive(Debug)]
pub struct KafkaWire {
    sink: Arc<str>,
    connection: Arc<KafkaConnection>,
    /// Records of all attempts travel together.
    shared: Mutex<Option<Arc<Session>>>,
    /// Each record travels alone: what is refused here is at fault itself. Opened once a set was
    /// refused.
    alone: Mutex<Option<Arc<Session>>>,
    /// Whether a set was ever refused.
    careful: AtomicBool,
}

impl KafkaWire {
    /// Opens a producer, which reads the certificate files; `sink` is the sink's name.
    ///
    /// # Errors
    /// [`WireError::Unusable`] says which file or property cannot be used.
    pub fn new(sink: &str, connection: &KafkaConnection) -> Result<Self, WireError> {
        let (sink, connection) = (Arc::from(sink), Arc::new(connection.clone()));
        let session = Session::open(&sink, &connection, Sets::Shared)?;
        Ok(Self {
            sink,
            connection,
            shared: Mutex::new(Some(Arc::new(session))),
            alone: Mutex::default(),
            careful: AtomicBool::new(false),
        })
    }

    async fn produce(&self, request: KafkaRequest) -> Result<KafkaReply, WireError> {
        let alone = request.len() == 1 && self.careful.load(Relaxed);
        let sets = if alone { Sets::OfOne } else { Sets::Shared };
        let session = self.session(sets).await?;
        let (call, mut done) = Call::new(request.len());
        let ended = tokio::select! {
            biased;
            end = session.ended() => Some(end),
            () = hand_over(&session, &request, &call) => None,
        };
        let ended = match ended {
            Some(end) => Some(end),
            None => tokio::select! {
                biased;
                _ = &mut done => session.end(),
                end = session.ended() => Some(end),
            },
        };
        if let Some(end) = &ended {
            tracing::warn!(sink = %self.sink, reason = %end, "the Kafka producer is made anew");
            self.retire(&session, sets).await;
            // Reports that do not come even so tell nothing: their records are unsettled.
            let _ = timeout(PURGED_WITHIN, done).await;
        }
        let reports = call.take();
        if reports.iter().any(|report| session.is_refused_set(report)) {
            self.careful.store(true, Relaxed);
        }
        self.reply(&session, &reports, ended.as_ref())
    }

    fn reply(
        &self,
        session: &Session,
        reports: &[Report],
        ended: Option<&End>,
    ) -> Result<KafkaReply, WireError> {
        let untouched = reports.iter().all(|report| *report == Report::NotSent);
        match ended {
            Some(End::Unreachable(why) | End::Fatal(why)) if untouched => {
                return Err(WireError::NotSent(why.clone()));
            }
            _ => {}
        }
        let outcomes: Vec<Produced> =
            reports.iter().map(|report| session.outcome(report, ended)).collect();
        Ok(KafkaReply { outcomes })
    }

    /// The session of this kind, opened where there is none, or where a certificate file has
    /// changed.
    async fn session(&self, sets: Sets) -> Result<Arc<Session>, WireError> {
        let place = self.place(sets);
        let current = place.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let has_files = self.connection.tls.as_ref().is_some_and(tls::has_files);
        let current = match current {
            Some(session) if !has_files => return Ok(session),
            current => current,
        };
        let (sink, connection) = (self.sink.clone(), self.connection.clone());
        let opened = spawn_blocking(move || match current {
            Some(session) if session.is_current(&connection) => Ok(session),
            Some(session) => match Session::open(&sink, &connection, sets) {
                Ok(new) => Ok(Arc::new(new)),
                Err(error) => {
                    tracing::warn!(%sink, %error, "changed certificate files cannot be used yet");
                    Ok(session)
                }
            },
            None => Session::open(&sink, &connection, sets).map(Arc::new),
        });
        let opened = opened.await.map_err(|_| WireError::NotSent("shutting down".to_owned()))??;
        let mut place = place.lock().unwrap_or_else(PoisonError::into_inner);
        match &*place {
            // Another attempt was faster: its session serves both, and ours is closed.
            Some(session) if session.is_newer(&opened) => Ok(session.clone()),
            _ => {
                *place = Some(opened.clone());
                Ok(opened)
            }
        }
    }

    /// Ends a session: no further attempt gets it, and what it holds is reported.
    async fn retire(&self, session: &Arc<Session>, sets: Sets) {
        {
            let mut place = self.place(sets).lock().unwrap_or_else(PoisonError::into_inner);
            if place.as_ref().is_some_and(|current| Arc::ptr_eq(current, session)) {
                *place = None;
            }
        }
        let session = session.clone();
        // It fails only where the runtime ends, and everything with it.
        let _ = spawn_blocking(move || session.purge()).await;
    }

    fn place(&self, sets: Sets) -> &Mutex<Option<Arc<Session>>> {
        match sets {
            Sets::Shared => &self.shared,
            Sets::OfOne => &self.alone,
        }
    }
}

impl Wire<Kafka> for KafkaWire {
    fn call(&self, request: KafkaRequest) -> Attempt<'_, Kafka> {
        Box::pin(self.produce(request))
    }

    fn figures(&self) -> Vec<Figure> {
        let sessions = [&self.shared, &self.alone]
            .map(|place| place.lock().unwrap_or_else(PoisonError::into_inner).clone());
        figures::of(sessions.iter().flatten().map(|session| session.statistics()))
    }
}

/// Hands every record to the producer. Where its queue is full, the rest waits.
async fn hand_over(session: &Session, request: &KafkaRequest, call: &Arc<Call>) {
    let stream = request.stream();
    for (index, record) in request.records().enumerate() {
        while !session.hand_over(stream, &record, call, index) {
            sleep(FULL_FOR).await;
        }
        if index % RECORDS_A_TURN == RECORDS_A_TURN - 1 {
            yield_now().await;
        }
    }
}

#[cfg(test)]
mod tests;
