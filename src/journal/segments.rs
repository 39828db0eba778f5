//! Which segment files a stream has, and roughly where in them a sequence number stands.
//!
//! Pure. Blocks are not indexed one by one, since there can be a million of them: the last places
//! that readers came to are kept as hints, and from the nearest a reader walks on.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
};

/// How many places are kept for a stream. A reader leaves one each time it goes to the disk.
const MAX_HINTS: usize = 128;

/// One file of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Segment {
    /// The sequence number of its first record, and its name.
    pub first: u64,
    /// Its length up to the last block that may be read.
    pub bytes: u64,
}

impl Segment {
    /// Where it lies in its stream's folder.
    pub(super) fn path(first: u64, folder: &Path) -> PathBuf {
        folder.join(format!("{first:020}.seg"))
    }

    /// The sequence number in a file's name; none where it is not a segment's.
    pub(super) fn first_of(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".seg")?;
        let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse().ok())?
    }
}

/// A place at which a block begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hint {
    sequence: u64,
    segment: u64,
    offset: u64,
}

/// Where to begin looking for a sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub segment: Segment,
    /// Where a block begins, or the segment ends.
    pub offset: u64,
    /// The sequence number no block from there on is below.
    pub expected: u64,
    /// The first sequence number of the next segment.
    pub next: Option<u64>,
}

/// The segments of one stream, oldest first.
#[derive(Debug, Default)]
pub(super) struct Segments {
    list: VecDeque<Segment>,
    hints: VecDeque<Hint>,
}

impl Segments {
    pub(super) fn new(list: Vec<Segment>) -> Self {
        Self { list: list.into(), hints: VecDeque::new() }
    }

    /// The oldest sequence number there may be.
    pub(super) fn first(&self) -> Option<u64> {
        self.list.front().map(|segment| segment.first)
    }

    /// Bytes of all of them.
    pub(super) fn bytes(&self) -> u64 {
        self.list.iter().map(|segment| segment.bytes).sum()
    }

    /// Bytes of all of them but one.
    pub(super) fn bytes_besides(&self, first: u64) -> u64 {
        self.list.iter().filter(|segment| segment.first != first).map(|segment| segment.bytes).sum()
    }

    /// The newest has grown, or a new one was begun.
    pub(super) fn written(&mut self, grown: Segment) {
        match self.list.back_mut().filter(|last| last.first == grown.first) {
            Some(last) => last.bytes = grown.bytes,
            None => self.list.push_back(grown),
        }
    }

    /// The oldest.
    pub(super) fn oldest(&self) -> Option<Segment> {
        self.list.front().copied()
    }

    /// Forgets one whose file is gone.
    pub(super) fn forget(&mut self, first: u64) {
        self.list.retain(|segment| segment.first != first);
        self.hints.retain(|hint| hint.segment != first);
    }

    /// Where to look for `at`, or for what comes next behind it; none where there is nothing.
    pub(super) fn find(&self, at: u64) -> Option<Place> {
        let behind = self.list.partition_point(|segment| segment.first <= at);
        let index = behind.saturating_sub(1);
        let segment = *self.list.get(index)?;
        let next = self.list.get(index + 1).map(|segment| segment.first);
        let hint = self
            .hints
            .iter()
            .filter(|hint| hint.segment == segment.first && hint.sequence <= at)
            .max_by_key(|hint| hint.sequence);
        let (offset, expected) =
            hint.map_or((0, segment.first), |hint| (hint.offset, hint.sequence));
        Some(Place { segment, offset, expected, next })
    }

    /// Keeps the place where a reader left off: all blocks from `offset` on are at or above
    /// `sequence`.
    pub(super) fn hint(&mut self, segment: u64, offset: u64, sequence: u64) {
        let hint = Hint { sequence, segment, offset };
        if self.hints.contains(&hint) {
            return;
        }
        if self.hints.len() == MAX_HINTS {
            self.hints.pop_front();
        }
        self.hints.push_back(hint);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segments() -> Segments {
        Segments::new([(10, 500), (20, 600)].map(|(first, bytes)| Segment { first, bytes }).into())
    }

    #[test]
    fn names_are_numbers_and_nothing_else() {
        let path = Segment::path(42, Path::new("alerts"));
        let name = path.file_name().and_then(|name| name.to_str()).expect("it has a name");
        assert_eq!(Segment::first_of(name), Some(42));
        for other in ["42.seg", "00000000000000000042", "+0000000000000000042.seg", "x.seg"] {
            assert_eq!(Segment::first_of(other), None, "{other}");
        }
    }

    #[test]
    fn a_reader_begins_at_the_nearest_hint_of_the_right_segment() {
        let mut segments = segments();
        let place =
            |segments: &Segments, at| segments.find(at).map(|p| (p.segment.first, p.offset));
        assert_eq!(place(&segments, 3), Some((10, 0)));
        assert_eq!(place(&segments, 19), Some((10, 0)));
        assert_eq!(place(&segments, 99), Some((20, 0)));
        segments.hint(10, 50, 12);
        segments.hint(10, 90, 15);
        assert_eq!(place(&segments, 14), Some((10, 50)));
        assert_eq!(place(&segments, 15), Some((10, 90)));
        assert_eq!(place(&segments, 25), Some((20, 0)));
        segments.forget(10);
        assert_eq!(place(&segments, 14), Some((20, 0)));
        assert_eq!((segments.first(), segments.bytes()), (Some(20), 600));
    }

    #[test]
    fn hints_are_limited() {
        let mut segments = segments();
        (0..1_000).for_each(|at| segments.hint(20, at, 20 + at));
        assert_eq!(segments.hints.len(), MAX_HINTS);
    }
}
