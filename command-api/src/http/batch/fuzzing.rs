//! The pieces of a batch that arrives in parts; see `http/fuzzing.rs`.

use super::split::{Piece, Splitter};

/// The line of every piece with its text, or what is wrong with it.
pub(in crate::http) fn pieces(body: &[u8], part_bytes: usize, bytes_max: usize) -> Vec<(u64, Result<Vec<u8>, String>)> {
    let mut splitter = Splitter::new(bytes_max);
    let mut found = Vec::new();
    for part in body.chunks(part_bytes) {
        splitter.push(part);
        take(&mut splitter, &mut found);
    }
    splitter.finish();
    take(&mut splitter, &mut found);
    assert!(splitter.next_piece().is_none(), "there is nothing after the end");
    found
}

fn take(splitter: &mut Splitter, found: &mut Vec<(u64, Result<Vec<u8>, String>)>) {
    while let Some(piece) = splitter.next_piece() {
        found.push(match piece {
            Piece::Command { line, text } => (line, Ok(text.to_vec())),
            Piece::Wrong { line, wrong } => (line, Err(format!("{wrong:?}"))),
        });
    }
}
