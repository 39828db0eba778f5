//! The segment of a stream that is being written.
//!
//! Remembers how far it is whole. After any error the file is let go, and cut back to that length
//! when it is opened again, so that half a block never stands before a whole one.

use std::{io, path::PathBuf, sync::Arc};

use super::{
    disk::{Disk, DiskFile},
    segments::Segment,
};

const MIB: u64 = 1 << 20;
/// A segment is a sixteenth of the budget, so that retention gives up little at a time.
const SEGMENTS_IN_BUDGET: u64 = 16;

/// The newest segment; its file appears with its first block.
pub(super) struct Active {
    folder: PathBuf,
    full_bytes: u64,
    segment: Segment,
    file: Option<Arc<dyn DiskFile>>,
}

impl Active {
    /// Goes on with `segment`, in the folder of a stream that may take `max_bytes`.
    pub(super) fn new(folder: PathBuf, max_bytes: u64, segment: Segment) -> Self {
        let full_bytes = (max_bytes / SEGMENTS_IN_BUDGET).clamp(MIB, 64 * MIB);
        Self { folder, full_bytes, segment, file: None }
    }

    /// What it is called and how long it is.
    pub(super) fn segment(&self) -> Segment {
        self.segment
    }

    /// Whether the next block goes to another segment.
    pub(super) fn is_full(&self) -> bool {
        self.segment.bytes >= self.full_bytes
    }

    /// Adds a whole block, or nothing.
    pub(super) fn append(&mut self, disk: &dyn Disk, block: &[u8]) -> io::Result<()> {
        let file = match self.file.take() {
            Some(file) => file,
            None => disk.open_to_append(
                &Segment::path(self.segment.first, &self.folder),
                self.segment.bytes,
            )?,
        };
        file.append(block)?;
        self.segment.bytes += block.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Takes back what was appended after it had `bytes`.
    pub(super) fn cut(&mut self, bytes: u64) {
        self.segment.bytes = bytes;
        self.file = None;
    }

    /// Begins another segment.
    pub(super) fn begin(&mut self, first: u64) {
        self.segment = Segment { first, bytes: 0 };
        self.file = None;
    }

    /// The open file, to make it safe from a power cut.
    pub(super) fn file(&self) -> Option<&Arc<dyn DiskFile>> {
        self.file.as_ref()
    }
}
