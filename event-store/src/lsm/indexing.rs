//! The second half of writing a run: its blocks are read back, checked, and fences, filter, summary and footer are
//! written behind them. Now the numbers of records and blocks are known, so each has its exact size, and both are written
//! from front to back with two small buffers, however long the run is.

use std::path::PathBuf;
use std::sync::Arc;

use super::cursor::Cursor;
use super::draft::RunName;
use super::fault::DiskFault;
use super::fences::{FENCES_PER_PAGE, Fences};
use super::filter::{Line, Probe, line_of};
use super::footer::Footer;
use super::run::RunFile;
use super::sink::Sink;
use crate::disk::DiskFile;

/// A run whose blocks are written.
#[derive(Debug)]
pub(super) struct Indexing {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    footer: Footer,
    cursor: Cursor,
    page: Fences,
    fences: Sink,
    line: Line,
    line_number: u64,
    filter: Sink,
    summary: Vec<u128>,
}

impl Indexing {
    pub(super) fn new(
        name: RunName,
        file: Arc<dyn DiskFile>,
        path: PathBuf,
        records: u64,
        blocks: u64,
        blocks_end: u64,
    ) -> Self {
        let RunName { id, table, stamp } = name;
        let footer = Footer { table, id, stamp, records, blocks, blocks_end, summary_checksum: 0 };
        Self {
            cursor: Cursor::new(Arc::clone(&file), path.clone(), stamp, blocks_end),
            page: Fences::default(),
            fences: Sink::new(Arc::clone(&file), footer.fences_offset()),
            line: Line::EMPTY,
            line_number: 0,
            filter: Sink::new(Arc::clone(&file), footer.filter_offset()),
            summary: Vec::new(),
            file,
            path,
            footer,
        }
    }

    /// Goes on by about so many bytes of blocks; true when all are done.
    pub(super) fn step(&mut self, bytes: u64) -> Result<bool, DiskFault> {
        let until = self.cursor.place().offset.saturating_add(bytes);
        while self.cursor.advance()? {
            let key = self.cursor.key();
            if self.cursor.opens_block() {
                let place = self.cursor.place();
                if self.page.len() as u64 == FENCES_PER_PAGE {
                    self.close_page()?;
                }
                self.page.push(key, place);
            }
            let line = line_of(key, self.footer.filter_lines());
            while self.line_number < line {
                self.close_line()?;
            }
            self.line.insert(&Probe::of(key));
            if self.cursor.ends_block() && self.cursor.place().offset >= until {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes what is left and makes the run durable, except for its entry in the folder.
    pub(super) fn finish(mut self) -> Result<RunFile, DiskFault> {
        self.close_page()?;
        while self.line_number < self.footer.filter_lines() {
            self.close_line()?;
        }
        let path = self.path.clone();
        let writing = || DiskFault::when("writing", &path);
        self.fences.flush().map_err(writing())?;
        let mut tail = Vec::with_capacity(self.summary.len() * 16);
        for key in &self.summary {
            tail.extend_from_slice(&key.to_le_bytes());
        }
        self.footer.summary_checksum = crc32c::crc32c(&tail);
        tail.extend_from_slice(&self.footer.encode());
        self.filter.put(&tail).map_err(writing())?;
        self.filter.flush().map_err(writing())?;
        self.file.sync().map_err(DiskFault::when("syncing", &self.path))?;
        Ok(RunFile::new(self.file, self.path, self.footer, self.summary))
    }

    fn close_page(&mut self) -> Result<(), DiskFault> {
        let offset = self.fences.position();
        if let Some((first_key, page)) = self.page.seal_page(self.footer.stamp, offset) {
            self.summary.push(first_key);
            self.fences.put(&page).map_err(DiskFault::when("writing", &self.path))?;
        }
        Ok(())
    }

    fn close_line(&mut self) -> Result<(), DiskFault> {
        let line = self.line.encode(self.footer.stamp, self.filter.position());
        self.filter.put(&line).map_err(DiskFault::when("writing", &self.path))?;
        (self.line, self.line_number) = (Line::EMPTY, self.line_number + 1);
        Ok(())
    }
}
