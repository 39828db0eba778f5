//! Reading: from memory where a lane keeps up, else from the disk, a little ahead.
//!
//! What was given up meanwhile, and what is damaged, is stepped over to the next block there is.

use std::{io, sync::Arc, time::Duration};

use sidearm_sinks::contract::Stream;
use tracing::error;

use super::{
    block::Block,
    blocking::blocking,
    damage::{MAX_PIECE_BYTES, Piece},
    segments::{Place, Segment},
    shared::Shared,
    walk::{Step, Walk},
};

/// What one visit to the disk reads ahead, in bytes of records.
const VISIT_BYTES: usize = 512 << 10;
/// A segment that cannot be read so often is skipped.
const ATTEMPTS: u32 = 5;
/// How long the second and later attempts wait.
const WAIT: Duration = Duration::from_millis(500);

/// The block of `stream` that holds `at`, or the next one behind it; none at the head.
pub(super) async fn read(shared: &Arc<Shared>, stream: Stream, at: u64) -> Option<Arc<Block>> {
    let state = shared.stream(stream);
    let mut at = at;
    let mut failures = 0;
    loop {
        at = at.max(state.first());
        if at >= state.head() {
            return None;
        }
        if let Some(block) = state.newest().get(at) {
            return Some(block);
        }
        if let Some(block) = state.ahead().get(at) {
            return Some(block);
        }
        let visiting = Arc::clone(shared);
        match blocking(move || visit(&visiting, stream, at)).await {
            Ok(Some(block)) => return Some(block),
            // Nothing readable is left on disk at or behind `at`, or retention took it just now.
            Ok(None) if at >= state.first() => return state.newest().next(at),
            Ok(None) => {}
            Err(_) if failures == 0 => failures += 1,
            Err(error) if failures < ATTEMPTS => {
                failures += 1;
                shared.health().erred(error);
                tokio::time::sleep(WAIT).await;
            }
            Err(error) => {
                failures = 0;
                at = skip_segment(shared, stream, at, &error);
            }
        }
    }
}

/// Reads the block wanted and some behind it. Blocks.
fn visit(shared: &Shared, stream: Stream, at: u64) -> io::Result<Option<Arc<Block>>> {
    let state = shared.stream(stream);
    let mut at = at;
    loop {
        let Some(place) = state.segments().find(at) else { return Ok(None) };
        let blocks = read_ahead(shared, stream, &place, at)?;
        if let Some(block) = blocks.first() {
            state.ahead().keep(&blocks);
            return Ok(Some(Arc::clone(block)));
        }
        let Some(next) = place.next else { return Ok(None) };
        at = at.max(next);
    }
}

/// The whole blocks of one segment from the one that holds `at` on, as many as a visit takes.
fn read_ahead(
    shared: &Shared,
    stream: Stream,
    place: &Place,
    at: u64,
) -> io::Result<Vec<Arc<Block>>> {
    let state = shared.stream(stream);
    let Segment { first: segment, bytes } = place.segment;
    let file = shared.disk.open_to_read(&Segment::path(segment, &state.folder))?;
    let mut walk = Walk::new(file, bytes, place.offset, place.expected);
    let mut blocks = Vec::new();
    let mut memory_bytes = 0;
    let mut received_us = 0;
    while memory_bytes < VISIT_BYTES {
        let expected = walk.expected();
        let (offset, events) = match walk.step()? {
            Step::End | Step::Torn => break,
            Step::Block { header, .. } if header.end() <= at => continue,
            Step::Block { header, offset } => {
                received_us = header.received_us;
                if let Some(block) = walk.block(&header, offset)? {
                    memory_bytes += block.memory_bytes();
                    blocks.push(Arc::new(block));
                    continue;
                }
                (offset, u64::from(header.records))
            }
            Step::Garbage { offset, next, .. } => {
                let next = next.or(place.next).unwrap_or_else(|| state.head());
                (offset, next.saturating_sub(expected))
            }
        };
        let bytes = walk.copy(offset, walk.at(), MAX_PIECE_BYTES)?;
        shared.note_damage(Piece { stream, segment, offset, bytes, events, received_us });
    }
    state.segments().hint(segment, walk.at(), walk.expected());
    Ok(blocks)
}

/// Gives up on the rest of the segment that holds `at`: where to go on.
fn skip_segment(shared: &Shared, stream: Stream, at: u64, error: &io::Error) -> u64 {
    let state = shared.stream(stream);
    let place = state.segments().find(at);
    let next = place.as_ref().and_then(|place| place.next).unwrap_or_else(|| state.head());
    error!(%stream, %error, from = at, to = next, "a segment cannot be read and is skipped");
    shared.health().erred(error);
    if let Some(Place { segment, offset, .. }) = place {
        let events = next.saturating_sub(at);
        let segment = segment.first;
        shared.note_damage(Piece {
            stream,
            segment,
            offset,
            bytes: vec![],
            events,
            received_us: 0,
        });
    }
    next
}
