//! Reading the file: once for what its products are called and cost, once for its invoices. Memory is bounded by the
//! largest invoice and the number of products.

use std::fs::File;
use std::path::{Path, PathBuf};

use csv::{ByteRecord, Reader, ReaderBuilder};

use super::catalogue::Catalogue;
use super::mapping::Problem;
use super::row::{Columns, HeaderError, Row};

/// Why the file cannot be imported at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    #[error("cannot open {path}: {source}", path = path.display())]
    Open { path: PathBuf, source: std::io::Error },
    #[error("{path} is not the Online Retail data set: {source}", path = path.display())]
    Header { path: PathBuf, source: HeaderError },
    #[error("cannot read {path} to its end: {source}", path = path.display())]
    Read { path: PathBuf, source: csv::Error },
}

/// What the first pass over the file finds.
#[derive(Debug)]
pub(crate) struct Survey {
    /// The products.
    pub catalogue: Catalogue,
    /// How many lines there are below the header.
    pub lines: u64,
}

/// Lines of one invoice that stand together.
#[derive(Debug, Default)]
pub(crate) struct Invoice {
    /// Those that could be read.
    pub rows: Vec<Row>,
    /// Those that could not.
    pub problems: Vec<Problem>,
    /// How many lines these are.
    pub lines: u64,
}

/// The invoices of a file, in its order.
#[derive(Debug)]
pub(crate) struct Invoices {
    path: PathBuf,
    reader: Reader<File>,
    columns: Columns,
    /// The record that ended the last invoice.
    next: ByteRecord,
    has_next: bool,
}

/// Reads the whole file for its products.
pub(crate) fn survey(path: &Path) -> Result<Survey, FileError> {
    let mut invoices = Invoices::open(path)?;
    let mut survey = Survey { catalogue: Catalogue::default(), lines: 0 };
    while let Some(invoice) = invoices.next()? {
        survey.lines += invoice.lines;
        invoice.rows.iter().for_each(|row| survey.catalogue.note(row));
    }
    Ok(survey)
}

impl Invoices {
    /// Opens the file and finds its columns.
    pub(crate) fn open(path: &Path) -> Result<Self, FileError> {
        let path = path.to_owned();
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(source) => return Err(FileError::Open { path, source }),
        };
        let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
        let columns = match Columns::find(&mut reader) {
            Ok(columns) => columns,
            Err(source) => return Err(FileError::Header { path, source }),
        };
        let mut invoices = Self { path, reader, columns, next: ByteRecord::new(), has_next: false };
        invoices.advance()?;
        Ok(invoices)
    }

    /// The next lines that stand together with the same invoice number.
    pub(crate) fn next(&mut self) -> Result<Option<Invoice>, FileError> {
        if !self.has_next {
            return Ok(None);
        }
        let number = self.columns.invoice(&self.next);
        let mut invoice = Invoice::default();
        while self.has_next && self.columns.invoice(&self.next) == number {
            invoice.lines += 1;
            match self.columns.read(&self.next) {
                Ok(row) => invoice.rows.push(row),
                Err(why) => {
                    let line = self.next.position().map_or(0, csv::Position::line);
                    invoice.problems.push(Problem { line, reason: why.to_string() });
                }
            }
            self.advance()?;
        }
        Ok(Some(invoice))
    }

    fn advance(&mut self) -> Result<(), FileError> {
        let read = self.reader.read_byte_record(&mut self.next);
        self.has_next = read.map_err(|source| FileError::Read { path: self.path.clone(), source })?;
        Ok(())
    }
}
