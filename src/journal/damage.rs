//! Damaged bytes: set aside for a person, told once by a gap record, and stepped over.
//!
//! The file a piece is set aside in is also the mark that it was told, so that a restart does not
//! tell it again.

use std::{collections::HashSet, path::PathBuf};

use sidearm_sinks::contract::Stream;
use tracing::{error, warn};

use super::{loss::Loss, shared::Shared};

/// What of one piece is set aside, in bytes.
pub(super) const MAX_PIECE_BYTES: u64 = 1 << 20;
/// What is set aside in all, in bytes; further pieces leave an empty file as their mark.
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
    /// When they came, as near as is known, in microseconds since 1970.
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
        let marks = self.disk.list(&folder).unwrap_or_default();
        if marks.iter().any(|(mark, _)| *mark == name) {
            return;
        }
        let loss =
            Loss { events: piece.events, from_us: piece.received_us, to_us: None, reason: REASON };
        let told = self.waiting().push_loss(piece.stream, loss);
        self.wake.notify_one();
        self.note_damaged_piece(piece.stream);
        error!(
            stream = %piece.stream, events = piece.events, offset = piece.offset,
            segment = piece.segment, set_aside = %folder.join(&name).display(),
            "a damaged part of the journal was skipped"
        );
        if told && marks.len() < MAX_MARKS {
            let room = MAX_SET_ASIDE_BYTES.saturating_sub(marks.iter().map(|(_, n)| n).sum());
            let fits = piece.bytes.len() as u64 <= room;
            self.set_aside(folder, &name, if fits { &piece.bytes } else { &[] });
        }
    }

    fn set_aside(&self, folder: PathBuf, name: &str, bytes: &[u8]) {
        let done = self
            .disk
            .create_folder(&folder)
            .and_then(|()| self.disk.replace(&folder.join(name), bytes, false));
        if let Err(error) = done {
            warn!(%error, name, "the damaged part of the journal could not be set aside");
        }
    }
}
