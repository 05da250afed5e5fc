//! What is appended: the body of a transaction as bytes, made here and nowhere else. `transaction/record.rs` reads
//! the same bytes. Frames, checksums and files are the business of `log/`.

pub mod decode;
pub mod record;

use domain::ids::{StreamId, Version};

/// Bytes of an entry before its texts; `docs/log-format.md` draws them.
pub(crate) const ENTRY_HEAD_BYTES: usize = 56;
/// Bytes of an event before its texts.
pub(crate) const EVENT_HEAD_BYTES: usize = 16;
/// Set in an entry's flags when it has an effective time.
pub(crate) const FLAG_EFFECTIVE_AT: u8 = 1;

/// What became of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Outcome {
    /// It made something new.
    Created = 1,
    /// It changed something, or found it as wanted.
    Done = 2,
    /// A rule refused it.
    Refused = 3,
}

impl Outcome {
    pub(crate) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Created),
            2 => Some(Self::Done),
            3 => Some(Self::Refused),
            _ => None,
        }
    }
}

/// What is recorded once per command, next to its events and its result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntryHeader<'a> {
    /// When the command was accepted, in microseconds since 1970-01-01 UTC.
    pub recorded_at_us: i64,
    /// When the command counts from, where that differs, in microseconds since 1970-01-01 UTC.
    pub effective_at_us: Option<i64>,
    /// Who sent the command.
    pub principal: &'a str,
    /// The sender's key for the command; scope: the principal.
    pub idempotency_key: &'a str,
    /// A digest over the whole command, to tell a repeated key from a reused one.
    pub fingerprint: u128,
    /// The request that carried the command.
    pub request_id: &'a str,
    /// The sender's own mark for what belongs together; may be empty.
    pub correlation_id: &'a str,
    /// The command's type, such as `send_transfer`.
    pub command: &'a str,
    /// What became of the command.
    pub outcome: Outcome,
}

/// A text is longer than its length field can say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the {what} has {bytes} bytes; the log takes at most {bytes_max}")]
pub struct TextTooLong {
    /// Which text.
    pub what: &'static str,
    /// Its length in bytes.
    pub bytes: usize,
    /// The longest the log takes, in bytes.
    pub bytes_max: usize,
}

/// Writes an entry up to its first event. Its length, event count and result length are filled in by [`end_entry`].
pub(crate) fn begin_entry(buffer: &mut Vec<u8>, header: &EntryHeader<'_>) -> Result<(), TextTooLong> {
    let texts = [
        ("principal", header.principal),
        ("idempotency key", header.idempotency_key),
        ("request id", header.request_id),
        ("correlation id", header.correlation_id),
        ("command type", header.command),
    ];
    let mut head = [0; ENTRY_HEAD_BYTES];
    head[8..16].copy_from_slice(&header.recorded_at_us.to_le_bytes());
    head[16..24].copy_from_slice(&header.effective_at_us.unwrap_or(0).to_le_bytes());
    head[24..40].copy_from_slice(&header.fingerprint.to_le_bytes());
    for (index, (what, text)) in texts.into_iter().enumerate() {
        let length = u16::try_from(text.len()).map_err(|_| TextTooLong {
            what,
            bytes: text.len(),
            bytes_max: usize::from(u16::MAX),
        })?;
        head[44 + 2 * index..46 + 2 * index].copy_from_slice(&length.to_le_bytes());
    }
    head[54] = header.outcome as u8;
    head[55] = if header.effective_at_us.is_some() { FLAG_EFFECTIVE_AT } else { 0 };
    buffer.extend_from_slice(&head);
    for (_, text) in texts {
        buffer.extend_from_slice(text.as_bytes());
    }
    Ok(())
}

/// Writes one event; `write` adds its JSON.
pub(crate) fn put_event(
    buffer: &mut Vec<u8>,
    stream: &StreamId,
    version: Version,
    event_type: &str,
    schema_version: u16,
    write: impl FnOnce(&mut Vec<u8>),
) -> Result<(), TextTooLong> {
    let (kind, id) = stream.parts();
    let stream_bytes = kind.len() + id.map_or(0, |id| id.len() + 1);
    let head_at = buffer.len();
    buffer.extend_from_slice(&[0; 4]);
    buffer.extend_from_slice(&schema_version.to_le_bytes());
    buffer.push(short(stream_bytes, "stream name")?);
    buffer.push(short(event_type.len(), "event type")?);
    buffer.extend_from_slice(&version.0.to_le_bytes());
    buffer.extend_from_slice(kind.as_bytes());
    if let Some(id) = id {
        buffer.push(b'-');
        buffer.extend_from_slice(id.as_bytes());
    }
    buffer.extend_from_slice(event_type.as_bytes());
    let data_at = buffer.len();
    write(buffer);
    let data_bytes = long(buffer.len() - data_at, "event data")?;
    buffer[head_at..head_at + 4].copy_from_slice(&data_bytes.to_le_bytes());
    Ok(())
}

/// Writes the result and completes the entry that starts at `entry_at`.
pub(crate) fn end_entry(
    buffer: &mut Vec<u8>,
    entry_at: usize,
    event_count: u32,
    write: impl FnOnce(&mut Vec<u8>),
) -> Result<(), TextTooLong> {
    let result_at = buffer.len();
    write(buffer);
    let result_bytes = long(buffer.len() - result_at, "result")?;
    let entry_bytes = long(buffer.len() - entry_at, "entry")?;
    buffer[entry_at..entry_at + 4].copy_from_slice(&entry_bytes.to_le_bytes());
    buffer[entry_at + 4..entry_at + 8].copy_from_slice(&event_count.to_le_bytes());
    buffer[entry_at + 40..entry_at + 44].copy_from_slice(&result_bytes.to_le_bytes());
    Ok(())
}

fn short(bytes: usize, what: &'static str) -> Result<u8, TextTooLong> {
    u8::try_from(bytes).map_err(|_| TextTooLong { what, bytes, bytes_max: usize::from(u8::MAX) })
}

fn long(bytes: usize, what: &'static str) -> Result<u32, TextTooLong> {
    u32::try_from(bytes).map_err(|_| TextTooLong { what, bytes, bytes_max: u32::MAX as usize })
}
