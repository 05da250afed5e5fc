//! The decoders of the store of derived data on any bytes; see `crate::fuzzing`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::block::{BLOCK_HEADER_BYTES, find, read_header, seed};
use super::fences::{FENCE_BYTES, PAGE_BYTES, PAGE_HEADER_BYTES};
use super::filter::{LINE_BYTES, Probe};
use super::footer::{FOOTER_BYTES, Footer};
use super::manifest::Manifest;
use super::run::{Run, RunFile, run_path};
use crate::disk::simulated::SimulatedDisk;
use crate::disk::{Disk, write_all_at};

/// The manifest of derived data.
pub fn manifest(data: &[u8]) {
    try_manifest(data);
    let content = data.len().saturating_sub(4);
    let mut mended = data[..content].to_vec();
    mended.extend_from_slice(&crc32c::crc32c(&mended).to_le_bytes());
    try_manifest(&mended);
}

fn try_manifest(data: &[u8]) {
    if let Ok(read) = Manifest::decode(data) {
        let written = read.encode();
        assert_eq!(written.len(), data.len());
        assert_eq!(Manifest::decode(&written), Ok(read));
    }
}

/// The file of a run: opened, its index loaded, walked through, and asked for keys with its index and without.
pub fn run(data: &[u8]) {
    try_run(data, true);
    if let Some(mended) = mended(data) {
        // Its parts need not agree with each other any more.
        try_run(&mended, false);
    }
    let _ = find(data, data.first().map_or(0, |byte| u128::from(*byte) << 120));
}

fn try_run(data: &[u8], agrees: bool) {
    let (disk, folder) = (SimulatedDisk::new(), Path::new("/derived"));
    disk.create_folder(folder).expect("the simulated disk takes it");
    let file = disk.create(&run_path(folder, 1)).expect("the simulated disk takes it");
    write_all_at(file.as_ref(), data, 0).expect("the simulated disk takes it");
    let Ok(file) = RunFile::open(&disk, folder, 1) else { return };
    assert_eq!(file.footer().run_bytes(), data.len() as u64);
    let loaded_bytes = Arc::new(AtomicU64::new(0));
    let index = file.load_index(&loaded_bytes);
    let mut keys = vec![0, u128::MAX];
    let mut cursor = file.cursor();
    while cursor.advance().is_ok_and(|there_is_one| there_is_one) {
        keys.push(cursor.key());
        let _ = (cursor.value().len(), cursor.place(), cursor.opens_block(), cursor.ends_block());
    }
    keys.truncate(64);
    let file = Arc::new(file);
    let on_disk = Run { file: Arc::clone(&file), index: None };
    let in_memory = index.ok().map(|index| Run { file, index: Some(Arc::new(index)) });
    let (mut block, mut value, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for key in keys {
        let probe = Probe::of(key);
        value.clear();
        let found = on_disk.get(&probe, &mut block, &mut value).ok();
        let Some(run) = &in_memory else { continue };
        other.clear();
        if run.may_contain(&probe)
            && agrees
            && let (Some(found), Ok(again)) = (found, run.get(&probe, &mut block, &mut other))
        {
            assert_eq!((found, &value), (again, &other), "with and without its index in memory, key {key}");
        }
    }
    drop(in_memory);
    assert_eq!(loaded_bytes.load(Ordering::Relaxed), 0);
}

/// The same run with the checksums of its blocks, fences, filter, summary and footer put right.
fn mended(data: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = data.to_vec();
    let seal_footer = |bytes: &mut [u8]| {
        let at = bytes.len() - FOOTER_BYTES;
        let crc = crc32c::crc32c(&bytes[at..bytes.len() - 4]);
        let end = bytes.len();
        bytes[end - 4..].copy_from_slice(&crc.to_le_bytes());
    };
    if bytes.len() < FOOTER_BYTES {
        return None;
    }
    seal_footer(&mut bytes);
    let footer = Footer::decode(bytes.last_chunk::<FOOTER_BYTES>()?, data.len() as u64).ok()?;
    let mut at = 0_usize;
    while let Some((_, length)) = bytes.get(at..footer.blocks_end as usize).and_then(read_header) {
        let Some(block) = bytes.get_mut(at..at + length as usize).filter(|block| block.len() > BLOCK_HEADER_BYTES)
        else {
            break;
        };
        let crc = crc32c::crc32c_append(seed(footer.stamp, at as u64), &block[4..]);
        block[..4].copy_from_slice(&crc.to_le_bytes());
        // The fence of a block has its checksum too.
        mend_fence(&mut bytes, &footer, at as u64, crc);
        at += length as usize;
    }
    for (from, to, piece_bytes) in [
        (footer.fences_offset(), footer.filter_offset(), PAGE_BYTES),
        (footer.filter_offset(), footer.summary_offset(), LINE_BYTES),
    ] {
        for offset in (from..to).step_by(piece_bytes) {
            let piece = bytes.get_mut(offset as usize..offset as usize + piece_bytes)?;
            let crc = crc32c::crc32c_append(seed(footer.stamp, offset), &piece[4..]);
            piece[..4].copy_from_slice(&crc.to_le_bytes());
        }
    }
    let summary = crc32c::crc32c(bytes.get(footer.summary_offset() as usize..footer.offset() as usize)?);
    let footer_at = footer.offset() as usize;
    bytes[footer_at + 56..footer_at + 60].copy_from_slice(&summary.to_le_bytes());
    seal_footer(&mut bytes);
    Some(bytes)
}

fn mend_fence(bytes: &mut [u8], footer: &Footer, block: u64, crc: u32) {
    let (from, to) = (footer.fences_offset() as usize, footer.filter_offset() as usize);
    let Some(pages) = bytes.get_mut(from..to) else { return };
    for page in pages.chunks_exact_mut(PAGE_BYTES) {
        for fence in page[PAGE_HEADER_BYTES..].chunks_exact_mut(FENCE_BYTES) {
            if fence[16..24] == block.to_le_bytes() {
                fence[28..32].copy_from_slice(&crc.to_le_bytes());
                return;
            }
        }
    }
}
