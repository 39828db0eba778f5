//! Steps through the blocks of one segment file, and over what is damaged.
//!
//! Holds a window of the file in memory, so that small blocks cost one read for many. What to do
//! about damage is the caller's: `recovery.rs` at start, `reader.rs` later.

use std::{io, sync::Arc};

use super::{
    block::Block,
    disk::DiskFile,
    format::{self, HEADER_BYTES, Header},
};

/// What is read at once, in bytes, unless a block is larger.
const WINDOW_BYTES: u64 = 128 << 10;
/// A compressed record takes at least one byte for so many: bounds what a number may jump.
const MAX_RECORDS_PER_BYTE: u64 = 255;

/// What stands at a place.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A block, whose records are not yet looked at.
    Block { header: Header, offset: u64 },
    /// Bytes that are no block. `next` is the number of the first record behind them, where there
    /// is one.
    Garbage { offset: u64, end: u64, next: Option<u64> },
    /// The beginning of a block that was never finished.
    Torn,
    /// The end.
    End,
}

/// A way through a segment.
pub(super) struct Walk {
    file: Arc<dyn DiskFile>,
    bytes: u64,
    at: u64,
    expected: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl Walk {
    /// Walks `file` from `at` up to its length `bytes`; no record there is below `expected`.
    pub(super) fn new(file: Arc<dyn DiskFile>, bytes: u64, at: u64, expected: u64) -> Self {
        Self { file, bytes, at, expected, window: Vec::new(), window_at: 0 }
    }

    /// Where the next step begins.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// The sequence number no record from there on is below.
    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    /// What stands here; and goes behind it.
    pub(super) fn step(&mut self) -> io::Result<Step> {
        let offset = self.at;
        let left = self.bytes - offset;
        if left == 0 {
            return Ok(Step::End);
        }
        if left < HEADER_BYTES as u64 {
            return Ok(Step::Torn);
        }
        match Header::read(self.window(offset, HEADER_BYTES as u64)?) {
            Some(header) if header.first >= self.expected => {
                if header.block_bytes() > left {
                    return Ok(Step::Torn);
                }
                self.at += header.block_bytes();
                self.expected = header.end();
                Ok(Step::Block { header, offset })
            }
            _ => self.over_garbage(offset),
        }
    }

    /// The whole block at `offset`; none where it is damaged.
    pub(super) fn block(&mut self, header: &Header, offset: u64) -> io::Result<Option<Block>> {
        let bytes = self.window(offset, header.block_bytes())?;
        Ok(format::decode(header, bytes).map(|payload| Block::new(header, payload)))
    }

    /// At most `max` bytes of what stands from `offset` to `end`.
    pub(super) fn copy(&mut self, offset: u64, end: u64, max: u64) -> io::Result<Vec<u8>> {
        self.window(offset, (end - offset).min(max)).map(<[u8]>::to_vec)
    }

    fn over_garbage(&mut self, offset: u64) -> io::Result<Step> {
        let next = self.find_block(offset)?;
        let (end, first) = next.map_or((self.bytes, None), |(at, first)| (at, Some(first)));
        self.at = end;
        self.expected = first.unwrap_or(self.expected);
        Ok(Step::Garbage { offset, end, next: first })
    }

    /// The next whole block behind `offset`: its place and its first sequence number.
    fn find_block(&mut self, offset: u64) -> io::Result<Option<(u64, u64)>> {
        let mut at = offset + 1;
        while at + HEADER_BYTES as u64 <= self.bytes {
            let window = self.window(at, WINDOW_BYTES.min(self.bytes - at))?;
            let Some(found) = format::find_header(window) else {
                at += (window.len() - HEADER_BYTES + 1) as u64;
                continue;
            };
            let header = Header::read(&window[found..]).expect("it was just found");
            at += found as u64;
            // A message may hold bytes that look like a block; its numbers rarely fit.
            let most = self.expected.saturating_add((at - offset) * MAX_RECORDS_PER_BYTE);
            let fits = (self.expected..=most).contains(&header.first)
                && header.block_bytes() <= self.bytes - at;
            if fits {
                return Ok(Some((at, header.first)));
            }
            at += 1;
        }
        Ok(None)
    }

    fn window(&mut self, offset: u64, length: u64) -> io::Result<&[u8]> {
        let held = self.window_at..self.window_at + self.window.len() as u64;
        if !(held.start <= offset && offset + length <= held.end) {
            let load = length.max(WINDOW_BYTES).min(self.bytes - offset);
            self.window.clear();
            self.window.resize(load as usize, 0);
            self.window_at = offset;
            if let Err(error) = self.file.read_at(&mut self.window, offset) {
                self.window.clear();
                return Err(error);
            }
        }
        let start = (offset - self.window_at) as usize;
        Ok(&self.window[start..start + length as usize])
    }
}
