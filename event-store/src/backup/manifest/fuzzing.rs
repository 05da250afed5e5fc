//! The decoder of a backup's manifest on any bytes; see `crate::fuzzing`.

use std::path::Path;

use super::{AFTER_CHECKSUM, CHECKSUM_DIGITS, Manifest};

/// The manifest of a backup.
pub fn backup_manifest(data: &[u8]) {
    try_manifest(data);
    let content = data.len().saturating_sub(CHECKSUM_DIGITS + AFTER_CHECKSUM.len());
    let crc = [&data[..content], &[b'0'; CHECKSUM_DIGITS], AFTER_CHECKSUM.as_bytes()]
        .iter()
        .fold(0, |crc, bytes| crc32c::crc32c_append(crc, bytes));
    let mended = [&data[..content], format!("{crc:08x}").as_bytes(), AFTER_CHECKSUM.as_bytes()].concat();
    try_manifest(&mended);
}

fn try_manifest(data: &[u8]) {
    let path = Path::new("backup.json");
    let Ok(read) = Manifest::decode(path, data) else { return };
    let _ = (read.last_position(), read.last_recorded_at_us(), read.transactions());
    for segment in &read.segments {
        let _ = segment.link();
    }
    let written = read.encode().expect("what was read can be written");
    assert_eq!(Manifest::decode(path, written.as_bytes()).expect("what is written can be read"), read);
}
