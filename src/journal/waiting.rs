//! Sealed blocks that wait to be written, within a limit of bytes that all streams share.
//!
//! Pure. Where there is no room the newest is refused and counted, and a gap record follows as
//! soon as there is room again. No stream is refused for the sake of one that stands behind it in
//! precedence: what waits of logs gives way to an alert.

use std::collections::VecDeque;

use sidearm_sinks::contract::Stream;

use super::{
    block::Sealed,
    loss::{Loss, now_us},
};

const REFUSED: &str = "the journal's disk was full or too slow: the newest events were refused";
const TOO_LARGE: &str = "a message larger than 16 MiB was refused";

/// What the writer takes at once, in bytes of records: behind a run of logs an alert waits no
/// longer than it takes to write this.
const MAX_RUN_BYTES: usize = 1 << 20;

/// Sealed blocks that wait.
pub(super) struct Waiting {
    max_bytes: usize,
    lines: [Line; 3],
    appenders: Appenders,
}

/// One stream's blocks.
#[derive(Default)]
struct Line {
    sealed: VecDeque<Sealed>,
    /// Bytes that wait and bytes the writer has in hand.
    held_bytes: usize,
    /// What was refused and is not yet told.
    untold: Option<Loss>,
    refused: u64,
}

#[derive(Default)]
struct Appenders {
    live: usize,
    ever: bool,
}

/// Blocks of one stream that are written together.
pub(super) struct Run {
    pub stream: Stream,
    pub sealed: VecDeque<Sealed>,
}

impl Waiting {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, lines: Default::default(), appenders: Appenders::default() }
    }

    /// Takes a sealed block, or refuses it.
    pub(super) fn push(&mut self, stream: Stream, sealed: Sealed) {
        let place = stream.index();
        let held: usize = self.lines[..=place].iter().map(|line| line.held_bytes).sum();
        if held > 0 && held + sealed.memory_bytes() > self.max_bytes {
            return self.lines[place].refuse(sealed);
        }
        self.lines[place].tell();
        self.lines[place].push(sealed);
        self.make_way(place);
    }

    /// Takes a gap record for something lost elsewhere. False where there is no room for it.
    pub(super) fn push_loss(&mut self, stream: Stream, loss: Loss) -> bool {
        let gap = Sealed::gap(loss, now_us());
        let line = &mut self.lines[stream.index()];
        let room = line.held_bytes + gap.memory_bytes() <= self.max_bytes;
        if room {
            line.push(gap);
        }
        room
    }

    /// Counts an event that no block can hold.
    pub(super) fn refuse_too_large(&mut self, stream: Stream) {
        let now = now_us();
        let line = &mut self.lines[stream.index()];
        line.refused += 1;
        line.lose(Loss { events: 1, from_us: now, to_us: None, reason: TOO_LARGE, mark: None });
    }

    /// The blocks to write next, of the stream that goes before all others.
    pub(super) fn next_run(&mut self) -> Option<Run> {
        Stream::ALL.into_iter().find_map(|stream| {
            let line = &mut self.lines[stream.index()];
            if line.sealed.is_empty() {
                line.tell();
            }
            let mut sealed: VecDeque<Sealed> = line.sealed.pop_front().into_iter().collect();
            let mut bytes = sealed.front()?.memory_bytes();
            while let Some(next) = line.sealed.front() {
                bytes += next.memory_bytes();
                if bytes > MAX_RUN_BYTES {
                    break;
                }
                sealed.extend(line.sealed.pop_front());
            }
            Some(Run { stream, sealed })
        })
    }

    /// Takes back what of a run could not be written.
    pub(super) fn put_back(&mut self, run: Run) {
        for sealed in run.sealed.into_iter().rev() {
            self.lines[run.stream.index()].sealed.push_front(sealed);
        }
    }

    /// A block of a run was written.
    pub(super) fn written(&mut self, stream: Stream, sealed_bytes: usize) {
        self.lines[stream.index()].held_bytes -= sealed_bytes;
    }

    /// Events of a stream that were refused since the journal was opened.
    pub(super) fn refused(&self, stream: Stream) -> u64 {
        self.lines[stream.index()].refused
    }

    /// Blocks that nobody could write, of all streams.
    pub(super) fn left_over(&self) -> usize {
        self.lines.iter().map(|line| line.sealed.len()).sum()
    }

    pub(super) fn appender_made(&mut self) {
        self.appenders.live += 1;
        self.appenders.ever = true;
    }

    pub(super) fn appender_gone(&mut self) {
        self.appenders.live -= 1;
    }

    /// Whether nothing waits, and nothing can come.
    pub(super) fn is_done(&self) -> bool {
        let empty = |line: &Line| line.sealed.is_empty() && line.untold.is_none();
        self.closed() && self.lines.iter().all(empty)
    }

    /// Whether there were appenders and none is left.
    pub(super) fn closed(&self) -> bool {
        self.appenders.ever && self.appenders.live == 0
    }

    /// Refuses the newest of the streams behind `place` until all fits.
    fn make_way(&mut self, place: usize) {
        for behind in (place + 1..self.lines.len()).rev() {
            while self.lines.iter().map(|line| line.held_bytes).sum::<usize>() > self.max_bytes {
                let line = &mut self.lines[behind];
                let Some(newest) = line.sealed.pop_back() else { break };
                line.held_bytes -= newest.memory_bytes();
                line.refuse(newest);
            }
        }
    }
}

impl Line {
    fn push(&mut self, sealed: Sealed) {
        self.held_bytes += sealed.memory_bytes();
        self.sealed.push_back(sealed);
    }

    fn refuse(&mut self, sealed: Sealed) {
        let events = u64::from(sealed.events);
        self.refused += events;
        let came =
            Loss { events, from_us: sealed.received_us, to_us: None, reason: REFUSED, mark: None };
        self.lose(sealed.tells.unwrap_or(came));
    }

    fn lose(&mut self, loss: Loss) {
        self.untold = Some(match self.untold.take() {
            Some(before) => before.with(&loss),
            None => loss,
        });
    }

    fn tell(&mut self) {
        if let Some(loss) = self.untold.take() {
            self.push(Sealed::gap(loss, now_us()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(bytes: usize, events: u32) -> Sealed {
        let payload = vec![0; bytes];
        Sealed { received_us: 5, records: events, events, tells: None, payload }
    }

    fn drain(waiting: &mut Waiting) -> Vec<(Stream, u32, Option<u64>)> {
        let mut seen = Vec::new();
        while let Some(run) = waiting.next_run() {
            for sealed in run.sealed {
                waiting.written(run.stream, sealed.memory_bytes());
                seen.push((run.stream, sealed.events, sealed.tells.map(|loss| loss.events)));
            }
        }
        seen
    }

    #[test]
    fn alerts_go_first_and_in_order() {
        let mut waiting = Waiting::new(1 << 20);
        waiting.push(Stream::Log, sealed(10, 1));
        waiting.push(Stream::Alert, sealed(10, 2));
        waiting.push(Stream::Alert, sealed(10, 3));
        let expected = [(Stream::Alert, 2, None), (Stream::Alert, 3, None), (Stream::Log, 1, None)];
        assert_eq!(drain(&mut waiting), expected);
    }

    #[test]
    fn the_newest_is_refused_counted_and_told_once_there_is_room() {
        let mut waiting = Waiting::new(2_500);
        for events in 1..=4 {
            waiting.push(Stream::Alert, sealed(1_000, events));
        }
        assert_eq!(waiting.refused(Stream::Alert), 3 + 4);
        assert_eq!(
            drain(&mut waiting),
            [(Stream::Alert, 1, None), (Stream::Alert, 2, None), (Stream::Alert, 0, Some(7))]
        );
        assert!(waiting.lines.iter().all(|line| line.held_bytes == 0));
    }

    #[test]
    fn the_gap_stands_where_the_events_are_missing() {
        let mut waiting = Waiting::new(2_500);
        for events in [1, 2, 3] {
            waiting.push(Stream::Alert, sealed(1_000, events));
        }
        let run = waiting.next_run().expect("two blocks wait");
        assert_eq!(run.sealed.len(), 2);
        run.sealed.iter().for_each(|s| waiting.written(Stream::Alert, s.memory_bytes()));
        waiting.push(Stream::Alert, sealed(1_000, 4));
        assert_eq!(drain(&mut waiting), [(Stream::Alert, 0, Some(3)), (Stream::Alert, 4, None)]);
    }

    #[test]
    fn logs_give_way_to_alerts_and_never_the_other_way_round() {
        let mut waiting = Waiting::new(2_500);
        waiting.push(Stream::Log, sealed(1_000, 1));
        waiting.push(Stream::Log, sealed(1_000, 2));
        waiting.push(Stream::Alert, sealed(1_000, 3));
        waiting.push(Stream::Message, sealed(1_500, 4));
        assert_eq!([Stream::Alert, Stream::Message].map(|s| waiting.refused(s)), [0, 4]);
        assert_eq!(waiting.refused(Stream::Log), 2);
        let told = drain(&mut waiting);
        assert_eq!(told[0], (Stream::Alert, 3, None));
        assert_eq!(told[1], (Stream::Message, 0, Some(4)));
        assert_eq!(told[2..], [(Stream::Log, 1, None), (Stream::Log, 0, Some(2))]);
    }

    #[test]
    fn a_refused_gap_is_told_all_the_same() {
        let mut waiting = Waiting::new(1_200);
        waiting.push(Stream::Log, sealed(900, 1));
        waiting.push(Stream::Log, sealed(900, 2));
        let run = waiting.next_run().expect("one block waits");
        waiting.written(Stream::Log, run.sealed[0].memory_bytes());
        waiting.push(Stream::Log, sealed(10, 3));
        waiting.push(Stream::Alert, sealed(1_100, 4));
        assert_eq!(waiting.refused(Stream::Log), 2 + 3);
        assert_eq!(drain(&mut waiting), [(Stream::Alert, 4, None), (Stream::Log, 0, Some(5))]);
    }

    #[test]
    fn what_could_not_be_written_keeps_its_place() {
        let mut waiting = Waiting::new(1 << 20);
        (1..=3).for_each(|events| waiting.push(Stream::Log, sealed(10, events)));
        let run = waiting.next_run().expect("blocks wait");
        waiting.push(Stream::Log, sealed(10, 4));
        waiting.put_back(run);
        let order: Vec<u32> =
            drain(&mut waiting).into_iter().map(|(_, events, _)| events).collect();
        assert_eq!(order, [1, 2, 3, 4]);
    }
}
