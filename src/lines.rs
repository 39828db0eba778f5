//! What the file sink and the dead letters know of a file of lines: where its last whole one ends.
//!
//! A process killed in the middle of a write leaves half a line, which would spoil the next one.

use std::{fs::File, io, os::unix::fs::FileExt as _, path::Path};

/// No torn line is longer: batches are smaller.
const MAX_TORN_BYTES: u64 = 64 * 1024 * 1024;
/// A torn line's beginning is looked for in steps of this size.
pub(crate) const STEP_BYTES: usize = 64 * 1024;

/// How many of a file's bytes are whole lines. Nothing where it looks like another's file: no line
/// end at all, and not the beginning of one of our objects.
pub(crate) fn whole_lines(file: &File, bytes: u64) -> io::Result<Option<u64>> {
    let mut end = bytes;
    let mut step = vec![0; 1];
    while end > 0 && bytes - end < MAX_TORN_BYTES {
        let start = end.saturating_sub(step.len() as u64);
        let part = &mut step[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        if let Some(place) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(start + place as u64 + 1));
        }
        let is_ours = start > 0 || part.first() == Some(&b'{');
        if !is_ours {
            return Ok(None);
        }
        end = start;
        // The last byte mostly says it all.
        step.resize(STEP_BYTES, 0);
    }
    Ok((end == 0).then_some(0))
}

/// The folder of a file; nothing where it is the working folder.
pub(crate) fn folder_of(path: &Path) -> Option<&Path> {
    path.parent().filter(|folder| !folder.as_os_str().is_empty())
}
