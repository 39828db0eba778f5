//! What makes way: the oldest segments of a stream that exceeds its budget, and of any stream that
//! stands behind in precedence when the disk itself is full.
//!
//! Never asks what lanes have settled: they see `first` advance and count what they lost as shed.

use std::io;

use sidearm_sinks::contract::Stream;
use tracing::{debug, error};

use super::{scribe::Scribe, segments::Segment, shared::Shared};

/// Whether a disk, or our share of it, has no room left.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Makes room for `more_bytes` in a stream's budget by giving up what is oldest, but never the
/// segment `active`, which is being written.
pub(super) fn keep_budget(
    shared: &Shared,
    stream: Stream,
    active: Segment,
    more_bytes: u64,
) -> io::Result<()> {
    let state = shared.stream(stream);
    loop {
        let (oldest, finished_bytes) = {
            let segments = state.segments();
            (segments.oldest(), segments.bytes_besides(active.first))
        };
        let Some(oldest) = oldest.filter(|oldest| oldest.first != active.first) else {
            return Ok(());
        };
        if finished_bytes + active.bytes + more_bytes <= state.max_bytes {
            return Ok(());
        }
        give_up(shared, stream, oldest)?;
        debug!(%stream, first = state.first(), "the budget was reached: the oldest made way");
    }
}

impl Scribe {
    /// Gives up one segment so that a full disk may take more of `stream`: of logs first, then of
    /// messages, then of alerts, but nothing that goes before `stream` itself. False where there
    /// is nothing to give up.
    pub(super) fn shed_for(&mut self, stream: Stream) -> bool {
        let victims = Stream::ALL.into_iter().rev().filter(|victim| *victim >= stream);
        for victim in victims {
            let active = self.actives[victim.index()].segment();
            let Some(oldest) = self.shared.stream(victim).segments().oldest() else { continue };
            let is_active = oldest.first == active.first;
            if is_active && victim == stream {
                continue;
            }
            if let Err(error) = give_up(&self.shared, victim, oldest) {
                error!(%victim, %error, "a segment could not be removed from a full disk");
                continue;
            }
            if is_active {
                self.shared.unsynced.take(victim);
                let head = self.shared.stream(victim).head();
                self.actives[victim.index()].begin(head);
            }
            error!(
                stream = %victim, bytes = oldest.bytes, first = self.shared.stream(victim).first(),
                "the disk is full: the journal gave up its oldest events"
            );
            return true;
        }
        false
    }
}

fn give_up(shared: &Shared, stream: Stream, segment: Segment) -> io::Result<()> {
    let state = shared.stream(stream);
    match shared.disk.remove(&Segment::path(segment.first, &state.folder)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    state.segments().forget(segment.first);
    let first = state.first();
    state.newest().forget_below(first);
    shared.changed();
    Ok(())
}
