//! Damaged bytes: set aside for a person, told once by a gap record, and stepped over.
//!
//! The file a piece is set aside in is also the mark that it was told, so that a restart does not
//! tell it again.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
};

use sidearm_sinks::contract::Stream;
use tracing::{error, warn};

use super::{loss::Loss, shared::Shared};

/// What of one piece is set aside, in bytes.
pub(super) const MAX_PIECE_BYTES: u64 = 1 << 20;
/// What is set aside in all, in bytes; of further pieces only the name.
const MAX_SET_ASIDE_BYTES: u64 = 64 << 20;
/// Pieces that are marked; further ones are told again after each restart.
const MAX_MARKS: usize = 1_000;

const REASON: &str = "a damaged part of the journal was skipped";

/// A damaged piece of a segment.
#[derive(Debug)]
pub(super) struct Piece {
    pub stream: Stream,
    /// The segment's first sequence number.
    pub segment: u64,
    /// Where in it the piece begins.
    pub offset: u64,
    /// What stands there, as far as it is set aside.
    pub bytes: Vec<u8>,
    /// Events in it; 0 where nobody can know.
    pub events: u64,
    /// When what stands before it came, in microseconds since 1970; 0 where nobody can know.
    pub received_us: u64,
}

/// The pieces met since the journal was opened.
#[derive(Debug, Default)]
pub(super) struct Damage {
    seen: HashSet<String>,
}

impl Damage {
    /// Whether this piece is met for the first time.
    fn is_new(&mut self, name: &str) -> bool {
        if self.seen.len() == MAX_MARKS {
            self.seen.clear();
        }
        self.seen.insert(name.to_owned())
    }
}

impl Shared {
    /// Sets a piece aside and tells of it, unless that was done before. Blocks.
    pub(super) fn note_damage(&self, piece: Piece) {
        let name = format!("{}-{:020}-{}.block", piece.stream, piece.segment, piece.offset);
        if !self.damage().is_new(&name) {
            return;
        }
        let folder = self.folder.join("damaged");
        let aside = self.disk.list(&folder).unwrap_or_default();
        if aside.iter().any(|(told, _)| *told == name) {
            return;
        }
        let mark = folder.join(&name);
        error!(
            stream = %piece.stream, events = piece.events, segment = piece.segment,
            offset = piece.offset, set_aside = %mark.display(),
            "a damaged part of the journal was skipped"
        );
        self.note_damaged_piece(piece.stream);
        let room = MAX_SET_ASIDE_BYTES.saturating_sub(aside.iter().map(|(_, bytes)| bytes).sum());
        let fits = piece.bytes.len() as u64 <= room;
        let is_aside = aside.len() < MAX_MARKS
            && self.set_aside(&folder, &untold(&mark), if fits { &piece.bytes } else { &[] });
        let loss = Loss {
            events: piece.events,
            from_us: piece.received_us,
            to_us: None,
            reason: REASON,
            mark: is_aside.then_some(mark),
        };
        if !self.waiting().push_loss(piece.stream, loss) {
            warn!(stream = %piece.stream, "no gap record tells of the damage: too much waits");
        }
        self.wake.notify_one();
    }

    /// A gap record tells of the piece now: a restart does not tell it again. Blocks.
    pub(super) fn mark_told(&self, mark: &Path) {
        if let Err(error) = self.disk.rename(&untold(mark), mark) {
            warn!(%error, file = %mark.display(), "a damaged part cannot be marked as told");
        }
    }

    fn set_aside(&self, folder: &Path, file: &Path, bytes: &[u8]) -> bool {
        let done =
            self.disk.create_folder(folder).and_then(|()| self.disk.replace(file, bytes, false));
        if let Err(error) = &done {
            warn!(%error, file = %file.display(), "a damaged part cannot be set aside");
        }
        done.is_ok()
    }
}

/// What a piece is called until a gap record tells of it.
fn untold(mark: &Path) -> PathBuf {
    mark.with_extension("untold")
}
