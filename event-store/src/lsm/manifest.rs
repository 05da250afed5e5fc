//! The manifest: which runs make up the store, and the caller's note. Encoding only; no file is opened here.

/// Version of the format of manifests.
const FORMAT_VERSION: u32 = 1;
const MAGIC: &[u8; 8] = b"BURSARMF";
const CHECKSUM_BYTES: usize = 4;

/// A manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The caller's format of values.
    pub(super) value_format: u32,
    pub(super) digest_key: u128,
    /// Counts the manifests of this store.
    pub(super) generation: u64,
    /// The number of the next run.
    pub(super) next_run: u64,
    pub(super) tables: Vec<String>,
    pub(super) note: Vec<u8>,
    /// Of every table, oldest first.
    pub(super) runs: Vec<ListedRun>,
}

/// A run as the manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ListedRun {
    pub(super) id: u64,
    pub(super) stamp: u64,
    pub(super) bytes: u64,
    pub(super) table: u32,
}

impl Manifest {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.value_format.to_le_bytes());
        bytes.extend_from_slice(&self.digest_key.to_le_bytes());
        bytes.extend_from_slice(&self.generation.to_le_bytes());
        bytes.extend_from_slice(&self.next_run.to_le_bytes());
        for count in [self.tables.len(), self.runs.len(), self.note.len(), 0] {
            bytes.extend_from_slice(&(count as u32).to_le_bytes());
        }
        for table in &self.tables {
            bytes.extend_from_slice(&(table.len() as u16).to_le_bytes());
            bytes.extend_from_slice(table.as_bytes());
        }
        bytes.extend_from_slice(&self.note);
        for run in &self.runs {
            bytes.extend_from_slice(&run.id.to_le_bytes());
            bytes.extend_from_slice(&run.stamp.to_le_bytes());
            bytes.extend_from_slice(&run.bytes.to_le_bytes());
            bytes.extend_from_slice(&run.table.to_le_bytes());
        }
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// The reason when the bytes are no manifest of this format.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or("it is too short")?;
        if crc32c::crc32c(content) != u32::from_le_bytes(*checksum) {
            return Err("its checksum is wrong".to_owned());
        }
        let mut rest = Rest(content);
        if rest.take(MAGIC.len()) != Some(MAGIC) {
            return Err("it does not begin as a manifest does".to_owned());
        }
        match rest.u32() {
            Some(FORMAT_VERSION) => {}
            Some(version) => {
                return Err(format!("it has format version {version}, this program writes {FORMAT_VERSION}"));
            }
            None => return Err("it is too short".to_owned()),
        }
        rest.manifest().ok_or_else(|| "it is shorter or longer than it says".to_owned())
    }
}

/// Bytes not yet read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(bytes)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// Everything behind the format version.
    fn manifest(&mut self) -> Option<Manifest> {
        let value_format = self.u32()?;
        let digest_key = u128::from_le_bytes(self.array()?);
        let (generation, next_run) = (self.u64()?, self.u64()?);
        let (tables, runs, note_bytes, _) = (self.u32()?, self.u32()?, self.u32()?, self.u32()?);
        let tables = (0..tables).map(|_| self.text()).collect::<Option<Vec<String>>>()?;
        let note = self.take(note_bytes as usize)?.to_vec();
        let runs = (0..runs)
            .map(|_| Some(ListedRun { id: self.u64()?, stamp: self.u64()?, bytes: self.u64()?, table: self.u32()? }))
            .collect::<Option<Vec<ListedRun>>>()?;
        let manifest = Manifest { value_format, digest_key, generation, next_run, tables, note, runs };
        self.0.is_empty().then_some(manifest)
    }

    fn text(&mut self) -> Option<String> {
        let length = u16::from_le_bytes(self.array()?);
        String::from_utf8(self.take(usize::from(length))?.to_vec()).ok()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_it_was_written_and_every_flip_is_noticed() {
        let manifest = Manifest {
            value_format: 7,
            digest_key: u128::MAX - 5,
            generation: 3,
            next_run: 9,
            tables: vec!["keys".to_owned(), String::new()],
            note: b"position 17".to_vec(),
            runs: vec![
                ListedRun { id: 1, stamp: 2, bytes: 3, table: 0 },
                ListedRun { id: 8, stamp: 5, bytes: 6, table: 1 },
            ],
        };
        let bytes = manifest.encode();
        assert_eq!(Manifest::decode(&bytes), Ok(manifest));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Manifest::decode(&flipped).is_err(), "{bit}");
        }
        for length in 0..bytes.len() {
            assert!(Manifest::decode(&bytes[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_newer_format_is_named() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&2_u32.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        assert_eq!(Manifest::decode(&bytes).unwrap_err(), "it has format version 2, this program writes 1");
    }
}
