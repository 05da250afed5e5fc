//! `history`: what happened to one stream, who asked for it under which request and key, and which commands meant for
//! it were refused. Rows are written as they are found; nothing is collected.

use std::io::Write;
use std::path::Path;

use chrono::{DateTime, SecondsFormat, Utc};
use domain::event::{COMMAND_REJECTED, Event};
use domain::ids::{Position, StreamId, Version};
use event_store::log::reader::LogReader;
use event_store::transaction::record::EventRecord;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::Format;
use crate::failure::Failure;
use crate::output::{self, harmless};
use crate::progress::Counter;
use crate::recorded::{decode, time};

/// One event of the history.
#[derive(Debug, Serialize)]
struct Row<'a> {
    position: Position,
    stream: &'a str,
    version: Version,
    #[serde(rename = "type")]
    event_type: &'a str,
    schema_version: u16,
    recorded_at: DateTime<Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective_at: Option<DateTime<Utc>>,
    principal: &'a str,
    request_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    correlation_id: &'a str,
    command: &'a str,
    idempotency_key: &'a str,
    data: &'a RawValue,
}

/// Writes the history of a stream, with refusals where they are wanted.
pub(crate) fn answer(folder: &Path, format: Format, stream: &StreamId, rejections: bool) -> Result<(), Failure> {
    let name = stream.to_string();
    let mut out = output::stdout();
    if format == Format::Table {
        writeln!(
            out,
            "{:>10} {:>7} {:<24} {:<36} {:<12} TYPE, COMMAND, KEY, DATA",
            "POSITION", "VERSION", "RECORDED", "REQUEST", "PRINCIPAL"
        )?;
    }
    let mut counter = Counter::start("reading events");
    let mut frames = LogReader::open(folder)?.frames_after(Position::START)?;
    let mut found = 0_u64;
    while let Some(frame) = frames.next_frame()? {
        for record in frame.events() {
            counter.step();
            if record.stream == name || (rejections && was_meant_for(&record, stream)?) {
                found += 1;
                write(&mut out, format, &record)?;
            }
        }
    }
    out.flush()?;
    if found == 0 {
        eprintln!("there is nothing about {name} in this log");
    }
    Ok(())
}

fn was_meant_for(record: &EventRecord<'_>, stream: &StreamId) -> Result<bool, Failure> {
    if record.event_type != COMMAND_REJECTED.0 {
        return Ok(false);
    }
    Ok(matches!(decode(record)?, Event::Rejected(rejected) if rejected.stream == *stream))
}

fn write(out: &mut impl Write, format: Format, record: &EventRecord<'_>) -> Result<(), Failure> {
    let entry = record.entry;
    let broken = |error: &dyn std::fmt::Display| Failure::Broken {
        position: record.position,
        reason: format!("the event's body is not JSON: {error}"),
    };
    let data = std::str::from_utf8(record.data).map_err(|error| broken(&error))?;
    let row = Row {
        position: record.position,
        stream: record.stream,
        version: record.version,
        event_type: record.event_type,
        schema_version: record.schema_version,
        recorded_at: time(entry.recorded_at_us()),
        effective_at: entry.effective_at_us().map(time),
        principal: entry.principal(),
        request_id: entry.request_id(),
        correlation_id: entry.correlation_id(),
        command: entry.command(),
        idempotency_key: entry.idempotency_key(),
        data: serde_json::from_str(data).map_err(|error| broken(&error))?,
    };
    match format {
        Format::Json => output::json_line(out, &row)?,
        Format::Table => row.write_line(out)?,
    }
    Ok(())
}

impl Row<'_> {
    fn write_line(&self, out: &mut impl Write) -> std::io::Result<()> {
        let shown = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Millis, true);
        let (recorded, request, principal) =
            (shown(self.recorded_at), harmless(self.request_id), harmless(self.principal));
        // A refusal has a number in the stream of refusals only.
        let version = if self.event_type == COMMAND_REJECTED.0 { "-".to_owned() } else { self.version.to_string() };
        write!(
            out,
            "{:>10} {version:>7} {recorded:<24} {request:<36} {principal:<12} {}",
            self.position, self.event_type
        )?;
        write!(out, " by {} key {}", self.command, harmless(self.idempotency_key))?;
        if let Some(at) = self.effective_at {
            write!(out, " effective {}", shown(at))?;
        }
        writeln!(out, " {}", harmless(self.data.get()))
    }
}
