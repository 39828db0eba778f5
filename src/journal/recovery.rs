//! What is found in a stream's folder at start, and where writing goes on.
//!
//! Only the newest segment is read through; the others are checked when a lane reads them. A torn
//! tail is left behind, damage is reported, and nothing here refuses to start but a folder that
//! cannot be listed.

use std::{io, path::Path};

use sidearm_sinks::contract::Stream;
use tracing::{error, warn};

use super::{
    damage::{MAX_PIECE_BYTES, Piece},
    disk::Disk,
    segments::Segment,
    walk::{Step, Walk},
};

/// One stream, as it was found.
#[derive(Debug, Default)]
pub(super) struct Recovered {
    /// Its segments, oldest first, as far as they are whole.
    pub segments: Vec<Segment>,
    /// The sequence number of the next record.
    pub next: u64,
    /// The sequence number behind the last record there is: what lies between it and `next` is gone.
    /// None where no segment is left to tell.
    pub end: Option<u64>,
    /// Whether the newest segment is whole enough to be written on.
    pub continues: bool,
    pub damage: Vec<Piece>,
}

/// Looks through a stream's folder.
pub(super) fn recover(disk: &dyn Disk, folder: &Path, stream: Stream) -> io::Result<Recovered> {
    let mut segments = list(disk, folder)?;
    let mut found = Recovered::default();
    if let Some(newest) = segments.pop() {
        found.segments = segments;
        let mut scan = Scan { stream, segment: newest.first, found: &mut found, whole_bytes: 0 };
        scan.found.next = newest.first;
        let path = Segment::path(newest.first, folder);
        let done = disk
            .open_to_read(&path)
            .and_then(|file| scan.run(Walk::new(file, newest.bytes, 0, newest.first)));
        let whole = Segment { first: newest.first, bytes: scan.whole_bytes };
        found.end = match found.segments.last() {
            // What a cut has emptied may have stood behind a hole, and what told of it is gone too.
            Some(before) if done.is_ok() && whole.bytes == 0 => {
                end_of(disk, folder, *before).or(Some(found.next))
            }
            _ => Some(found.next),
        };
        found.finish(whole, newest.bytes, done, &path);
    }
    Ok(found)
}

/// The segments of a folder, oldest first, as their names and lengths say.
fn list(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<Segment>> {
    let mut segments = Vec::new();
    for (name, bytes) in disk.list(folder)? {
        match Segment::first_of(&name) {
            Some(first) => segments.push(Segment { first, bytes }),
            None => warn!(folder = %folder.display(), name, "not a segment: left alone"),
        }
    }
    segments.sort_by_key(|segment| segment.first);
    Ok(segments)
}

/// The sequence number behind the last record of a segment; none where it cannot be read.
fn end_of(disk: &dyn Disk, folder: &Path, segment: Segment) -> Option<u64> {
    let file = disk.open_to_read(&Segment::path(segment.first, folder)).ok()?;
    let mut walk = Walk::new(file, segment.bytes, 0, segment.first);
    loop {
        match walk.step().ok()? {
            Step::End | Step::Torn => return Some(walk.expected()),
            Step::Block { .. } | Step::Garbage { .. } => {}
        }
    }
}

impl Recovered {
    fn finish(&mut self, whole: Segment, found_bytes: u64, done: io::Result<()>, path: &Path) {
        if whole.bytes > 0 {
            self.segments.push(whole);
        }
        // Where nothing is whole, the next segment takes this one's place, name and all.
        self.continues = done.is_ok() && whole.bytes > 0;
        if let Err(error) = done {
            error!(file = %path.display(), %error, "a segment could not be read to its end");
            // What cannot be read is neither written over nor counted again.
            self.next = self.next.max(whole.first + 1);
            self.end = Some(self.next);
        } else if whole.bytes < found_bytes {
            let cut_bytes = found_bytes - whole.bytes;
            warn!(file = %path.display(), cut_bytes, "a segment's torn tail was cut");
        }
    }
}

/// A way through the newest segment.
struct Scan<'a> {
    stream: Stream,
    segment: u64,
    found: &'a mut Recovered,
    /// Up to the end of the last block.
    whole_bytes: u64,
}

impl Scan<'_> {
    fn run(&mut self, mut walk: Walk) -> io::Result<()> {
        let mut received_us = 0;
        loop {
            let (offset, end, events) = match walk.step()? {
                Step::End | Step::Torn => return Ok(()),
                Step::Block { header, offset } => {
                    received_us = header.received_us;
                    let is_whole = walk.block(&header, offset)?.is_some();
                    self.found.next = header.end();
                    self.whole_bytes = walk.at();
                    if is_whole {
                        continue;
                    }
                    (offset, walk.at(), u64::from(header.records))
                }
                Step::Garbage { offset, end, next } => {
                    (offset, end, next.map_or(0, |next| next - self.found.next))
                }
            };
            let bytes = walk.copy(offset, end, MAX_PIECE_BYTES)?;
            let (stream, segment) = (self.stream, self.segment);
            let piece = Piece { stream, segment, offset, bytes, events, received_us };
            self.found.damage.push(piece);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use sidearm_sinks::contract::Kind;

    use super::{
        super::{
            disk::RealDisk,
            format::{Encoder, push_record},
        },
        *,
    };

    const FIRST: u64 = 100;

    /// Three blocks of two records each, and where each of them ends.
    fn three_blocks() -> (Vec<u8>, [usize; 3]) {
        let mut encoder = Encoder::new();
        let mut bytes = Vec::new();
        let ends = [0, 1, 2].map(|block: u8| {
            let mut payload = Vec::new();
            push_record(&mut payload, Kind::Event, &[block; 50]);
            push_record(&mut payload, Kind::Event, &[block + 100; 70]);
            let first = FIRST + 2 * u64::from(block);
            bytes.extend_from_slice(encoder.encode(first, 2, 1_000, &payload));
            bytes.len()
        });
        (bytes, ends)
    }

    fn recovered(bytes: &[u8]) -> Recovered {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(Segment::path(FIRST, folder.path()), bytes).expect("a segment");
        recover(&RealDisk, folder.path(), Stream::Alert).expect("a folder that can be listed")
    }

    #[test]
    fn every_truncation_leaves_a_prefix() {
        let (bytes, ends) = three_blocks();
        for cut in 0..=bytes.len() {
            let found = recovered(&bytes[..cut]);
            let whole = ends.iter().filter(|end| **end <= cut).count();
            let whole_bytes = if whole == 0 { 0 } else { ends[whole - 1] as u64 };
            assert_eq!(found.next, FIRST + 2 * whole as u64, "cut at {cut}");
            assert_eq!(found.segments.iter().map(|s| s.bytes).sum::<u64>(), whole_bytes);
            assert_eq!(found.continues, whole > 0, "cut at {cut}");
            assert!(found.damage.is_empty(), "cut at {cut}");
        }
    }

    #[test]
    fn any_flipped_bit_is_reported_and_numbers_go_on() {
        let (bytes, ends) = three_blocks();
        for bit in (0..bytes.len() * 8).step_by(5) {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let found = recovered(&bytes);
            assert_eq!(found.damage.len(), 1, "bit {bit}");
            let is_last_header = (ends[1]..ends[1] + 40).contains(&(bit / 8));
            let (next, events) = if is_last_header { (4, 0) } else { (6, 2) };
            assert_eq!((found.next, found.damage[0].events), (FIRST + next, events), "bit {bit}");
        }
    }

    #[test]
    fn a_newest_segment_without_a_whole_block_gives_its_name_to_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let (bytes, ends) = three_blocks();
        fs::write(Segment::path(FIRST, folder.path()), &bytes[..ends[1]]).expect("a segment");
        fs::write(Segment::path(FIRST + 4, folder.path()), &bytes[ends[1]..ends[1] + 50])
            .expect("a torn segment");
        let found = recover(&RealDisk, folder.path(), Stream::Alert).expect("a folder");
        assert_eq!((found.next, found.end, found.continues), (FIRST + 4, Some(FIRST + 4), false));
        assert_eq!(found.segments, [Segment { first: FIRST, bytes: ends[1] as u64 }]);
    }

    #[test]
    fn a_hole_before_a_newest_segment_that_was_emptied_is_noticed() {
        let folder = tempfile::tempdir().expect("a folder");
        let (bytes, ends) = three_blocks();
        fs::write(Segment::path(FIRST, folder.path()), &bytes[..ends[1]]).expect("a segment");
        fs::write(Segment::path(FIRST + 20, folder.path()), b"").expect("an emptied segment");
        let found = recover(&RealDisk, folder.path(), Stream::Alert).expect("a folder");
        assert_eq!((found.next, found.end), (FIRST + 20, Some(FIRST + 4)));
    }

    #[test]
    fn an_empty_folder_begins_at_zero_and_strangers_are_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let stranger: PathBuf = folder.path().join("notes.txt");
        fs::write(&stranger, "x").expect("a file");
        let found = recover(&RealDisk, folder.path(), Stream::Log).expect("a folder");
        assert_eq!((found.next, found.segments.len(), found.continues), (0, 0, false));
        assert!(stranger.exists());
    }
}
