//! The newest blocks of a stream, in memory: lanes that keep up never read the disk.

use std::{collections::VecDeque, sync::Arc};

use super::block::Block;

/// Blocks in order, within a limit of bytes; the newest is always there.
#[derive(Debug)]
pub(super) struct Newest {
    max_bytes: usize,
    bytes: usize,
    blocks: VecDeque<Arc<Block>>,
}

impl Newest {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, bytes: 0, blocks: VecDeque::new() }
    }

    /// Adds the newest, and lets go of the oldest.
    pub(super) fn push(&mut self, block: Arc<Block>) {
        self.bytes += block.memory_bytes();
        self.blocks.push_back(block);
        while self.bytes > self.max_bytes && self.blocks.len() > 1 {
            self.pop_oldest();
        }
    }

    /// Lets go of blocks that are wholly below `first`.
    pub(super) fn forget_below(&mut self, first: u64) {
        while self.blocks.front().is_some_and(|block| block.end() <= first) {
            self.pop_oldest();
        }
    }

    /// The block that holds `at`; none where it is older than all of them, or not yet there.
    pub(super) fn get(&self, at: u64) -> Option<Arc<Block>> {
        self.blocks.front().filter(|oldest| oldest.first() <= at)?;
        self.next(at)
    }

    /// The block that holds `at`, or the next one behind it.
    pub(super) fn next(&self, at: u64) -> Option<Arc<Block>> {
        self.blocks.get(self.blocks.partition_point(|block| block.end() <= at)).cloned()
    }

    fn pop_oldest(&mut self) {
        if let Some(oldest) = self.blocks.pop_front() {
            self.bytes -= oldest.memory_bytes();
        }
    }
}

/// Blocks read from the disk a little ahead of the lanes that ask for them; shared by all.
#[derive(Debug)]
pub(super) struct Ahead {
    max_bytes: usize,
    bytes: usize,
    blocks: VecDeque<Arc<Block>>,
}

impl Ahead {
    pub(super) fn new(max_bytes: usize) -> Self {
        Self { max_bytes, bytes: 0, blocks: VecDeque::new() }
    }

    /// Keeps blocks, in place of those that were kept first.
    pub(super) fn keep(&mut self, blocks: &[Arc<Block>]) {
        for block in blocks {
            if self.get(block.first()).is_none() {
                self.bytes += block.memory_bytes();
                self.blocks.push_back(Arc::clone(block));
            }
        }
        while self.bytes > self.max_bytes {
            let Some(oldest) = self.blocks.pop_front() else { break };
            self.bytes -= oldest.memory_bytes();
        }
    }

    /// The block that holds `at`.
    pub(super) fn get(&self, at: u64) -> Option<Arc<Block>> {
        let holds = |block: &&Arc<Block>| block.first() <= at && at < block.end();
        self.blocks.iter().find(holds).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::block::Sealed, *};

    fn block(first: u64, bytes: usize) -> Arc<Block> {
        let payload = vec![0; bytes];
        let sealed = Sealed { received_us: 0, records: 10, events: 10, tells: None, payload };
        Arc::new(sealed.into_block(first))
    }

    fn first(found: Option<Arc<Block>>) -> Option<u64> {
        found.map(|block| block.first())
    }

    #[test]
    fn the_newest_stay_within_the_limit() {
        let mut newest = Newest::new(3_000);
        (0..10).for_each(|place| newest.push(block(place * 10, 900)));
        assert_eq!(first(newest.get(69)), None);
        assert_eq!(first(newest.next(69)), Some(70));
        assert_eq!(first(newest.get(79)), Some(70));
        assert_eq!(first(newest.get(99)), Some(90));
        assert_eq!(first(newest.get(100)), None);
        newest.push(block(100, 9_000));
        assert_eq!(first(newest.get(100)), Some(100));
        newest.forget_below(110);
        assert_eq!((newest.bytes, first(newest.next(0))), (0, None));
    }

    #[test]
    fn what_is_read_ahead_stays_within_the_limit() {
        let mut ahead = Ahead::new(3_000);
        ahead.keep(&[block(0, 900), block(10, 900), block(20, 900)]);
        ahead.keep(&[block(20, 900), block(30, 900)]);
        assert_eq!(
            [5, 15, 25, 35, 45].map(|at| first(ahead.get(at))),
            [None, Some(10), Some(20), Some(30), None]
        );
    }
}
