//! The writer's blocking half: numbers blocks, compresses and writes them, and lets lanes see them.
//!
//! Alerts first, run by run. A block gets its numbers as it is written, so what lanes see has no
//! holes. What could not be written goes back to the head of its line.

use std::{io, sync::Arc};

use sidearm_sinks::contract::Stream;
use tracing::error;

use super::{
    active::Active, block::Sealed, format::Encoder, retention, shared::Shared, waiting::Run,
};
use crate::config::SyncPolicy;

/// How long one turn may last before the writer looks up, in runs.
const RUNS_PER_TURN: usize = 16;

/// What became of a turn.
pub(super) enum Turn {
    /// Nothing waits.
    Idle,
    /// More may wait.
    More,
    /// The disk would not take it.
    Trouble {
        stream: Stream,
        error: io::Error,
        /// Whether anything was written before.
        progress: bool,
        /// Whether room was made by giving up what is oldest.
        shed: bool,
    },
}

/// Writes what waits.
pub(super) struct Scribe {
    pub(super) shared: Arc<Shared>,
    pub(super) actives: [Active; 3],
    encoder: Encoder,
}

impl Scribe {
    pub(super) fn new(shared: Arc<Shared>, actives: [Active; 3]) -> Self {
        Self { shared, actives, encoder: Encoder::new() }
    }

    /// Writes some of what waits.
    pub(super) fn turn(&mut self) -> Turn {
        for written in 0..RUNS_PER_TURN {
            let Some(mut run) = self.shared.waiting().next_run() else { return Turn::Idle };
            let stream = run.stream;
            let done = self.write(&mut run);
            self.shared.waiting().put_back(run);
            if let Err(error) = done {
                let shed = retention::is_full(&error) && self.shed_for(stream);
                return Turn::Trouble { stream, error, progress: written > 0, shed };
            }
        }
        Turn::More
    }

    /// Writes a run as far as it goes; what is left in it was not written.
    fn write(&mut self, run: &mut Run) -> io::Result<()> {
        let stream = run.stream;
        self.begin_segment_if_full(stream);
        let whole_bytes = self.actives[stream.index()].segment().bytes;
        let mut next = self.shared.stream(stream).head();
        let mut count = 0;
        let mut done = Ok(());
        for sealed in &run.sealed {
            done = self.append(stream, next, sealed);
            if done.is_err() {
                break;
            }
            next += u64::from(sealed.records);
            count += 1;
        }
        if count > 0 {
            if let Err(error) = self.make_safe(stream) {
                self.actives[stream.index()].cut(whole_bytes);
                return Err(error);
            }
            self.publish(stream, run.sealed.drain(..count));
        }
        done
    }

    fn append(&mut self, stream: Stream, first: u64, sealed: &Sealed) -> io::Result<()> {
        let block = self.encoder.encode(first, sealed.records, sealed.received_us, &sealed.payload);
        let active = &mut self.actives[stream.index()];
        retention::keep_budget(&self.shared, stream, active.segment(), block.len() as u64)?;
        active.append(&*self.shared.disk, block)
    }

    /// Under `always` nothing counts before it is safe; under a time, `sync.rs` comes by.
    fn make_safe(&self, stream: Stream) -> io::Result<()> {
        match (self.shared.sync, self.actives[stream.index()].file()) {
            (SyncPolicy::Always, Some(file)) => file.sync(),
            (SyncPolicy::Every(_), Some(file)) => {
                self.shared.unsynced.add(stream, file);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn begin_segment_if_full(&mut self, stream: Stream) {
        let active = &mut self.actives[stream.index()];
        if !active.is_full() {
            return;
        }
        if let Some(file) = self.shared.unsynced.take(stream)
            && let Err(error) = file.sync()
        {
            error!(%stream, %error, "a finished segment could not be made safe from a power cut");
            self.shared.health().erred(error);
        }
        active.begin(self.shared.stream(stream).head());
    }

    fn publish(&self, stream: Stream, written: impl Iterator<Item = Sealed>) {
        let state = self.shared.stream(stream);
        state.segments().written(self.actives[stream.index()].segment());
        let mut head = state.head();
        let mut events = 0;
        let mut told = Vec::new();
        for sealed in written {
            events += u64::from(sealed.events);
            self.shared.waiting().written(stream, sealed.memory_bytes());
            told.extend(sealed.tells.as_ref().and_then(|loss| loss.mark.clone()));
            let block = Arc::new(sealed.into_block(head));
            head = block.end();
            state.newest().push(block);
        }
        state.publish(head, events);
        self.shared.changed();
        told.iter().for_each(|mark| self.shared.mark_told(mark));
    }
}
