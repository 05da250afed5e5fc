//! Bytes on their way to a file, gathered into large writes. What the bytes mean is not known here.

use std::io;
use std::sync::Arc;

use crate::disk::{DiskFile, write_all_at};

const BUFFER_BYTES: usize = 512 << 10;

/// Writes from an offset on, front to back.
#[derive(Debug)]
pub(super) struct Sink {
    file: Arc<dyn DiskFile>,
    buffer: Vec<u8>,
    /// Where the buffer's first byte goes.
    offset: u64,
}

impl Sink {
    pub(super) fn new(file: Arc<dyn DiskFile>, offset: u64) -> Self {
        Self { file, buffer: Vec::new(), offset }
    }

    /// Where the next byte goes.
    pub(super) fn position(&self) -> u64 {
        self.offset + self.buffer.len() as u64
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.buffer.len() + bytes.len() > BUFFER_BYTES {
            self.flush()?;
        }
        if bytes.len() > BUFFER_BYTES {
            write_all_at(self.file.as_ref(), bytes, self.offset)?;
            self.offset += bytes.len() as u64;
        } else {
            self.buffer.extend_from_slice(bytes);
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            write_all_at(self.file.as_ref(), &self.buffer, self.offset)?;
            self.offset += self.buffer.len() as u64;
            self.buffer.clear();
        }
        Ok(())
    }
}
