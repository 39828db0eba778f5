//! What became of each record of one attempt, gathered as the reports come in.

use std::sync::{Arc, Mutex, PoisonError};

use rdkafka::types::RDKafkaErrorCode;
use tokio::sync::oneshot;

/// What became of one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// Never handed over, or taken back before it was sent.
    NotSent,
    /// Handed over, and nothing was heard of it.
    Awaited,
    /// As many brokers as were asked for have it.
    Delivered,
    /// Refused by the client library itself, so for what it is alone.
    RefusedHere(RDKafkaErrorCode),
    /// Ended in an error on its way, perhaps together with others.
    Failed(RDKafkaErrorCode),
}

/// One attempt.
#[derive(Debug)]
pub(super) struct Call {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    reports: Vec<Report>,
    left: usize,
    done: Option<oneshot::Sender<()>>,
}

/// A record's place in its attempt: goes with it through the client library.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) call: Arc<Call>,
    pub(super) index: usize,
}

impl Call {
    /// One of so many records, and what hears of its end.
    pub(super) fn new(records: usize) -> (Arc<Self>, oneshot::Receiver<()>) {
        let (done, hears) = oneshot::channel();
        let reports = vec![Report::NotSent; records];
        let state = Mutex::new(State { reports, left: records, done: Some(done) });
        (Arc::new(Self { state }), hears)
    }

    /// A record is with the client library.
    pub(super) fn handed_over(&self, index: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        // Its report may have been faster.
        if state.reports[index] == Report::NotSent {
            state.reports[index] = Report::Awaited;
        }
    }

    /// A record's final report.
    pub(super) fn report(&self, index: usize, report: Report) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.reports[index] = report;
        state.left = state.left.saturating_sub(1);
        if state.left == 0
            && let Some(done) = state.done.take()
        {
            // Nobody waits where the lane was stopped.
            let _ = done.send(());
        }
    }

    /// The reports as they stand.
    pub(super) fn take(&self) -> Vec<Report> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).reports.clone()
    }
}
