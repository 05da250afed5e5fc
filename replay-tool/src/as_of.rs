//! `as-of`: the state of one aggregate at a moment, rebuilt from its events by the rules themselves.
//! How a state is shown stands in `as_of/state.rs`.

mod state;

use std::io::Write;
use std::path::Path;

use chrono::{DateTime, Utc};
use domain::account::Account;
use domain::aggregate::Versioned;
use domain::event::Event;
use domain::ids::{Position, StreamId, Version};
use domain::order::Order;
use domain::payment::Payment;
use domain::product::Product;
use event_store::log::reader::LogReader;
use serde::Serialize;
use serde_json::Value;

use crate::Format;
use crate::failure::Failure;
use crate::moment::Moment;
use crate::output;
use crate::progress::Counter;
use crate::recorded::{decode, time};

/// A stream that has a state.
///
/// # Errors
/// A sentence that says which streams have one.
pub(crate) fn aggregate(text: &str) -> Result<StreamId, String> {
    match text.parse() {
        Ok(StreamId::Rejections) => Err("refusals have no state; ask for their history".to_owned()),
        Ok(stream) => Ok(stream),
        Err(error) => Err(error.to_string()),
    }
}

/// What was true at a moment.
#[derive(Debug, Serialize)]
struct Answer {
    stream: StreamId,
    at: String,
    /// The last event of the stream by then.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_event: Option<LastEvent>,
    /// Null where there was nothing of that name yet.
    state: Value,
}

#[derive(Debug, Serialize)]
struct LastEvent {
    position: Position,
    version: Version,
    recorded_at: DateTime<Utc>,
}

/// The aggregate under reconstruction.
enum Rebuilt {
    Account(Versioned<Account>),
    Product(Versioned<Product>),
    Order(Versioned<Order>),
    Payment(Versioned<Payment>),
}

/// Writes the state of a stream at a moment.
pub(crate) fn answer(folder: &Path, format: Format, stream: &StreamId, at: Moment) -> Result<(), Failure> {
    let name = stream.to_string();
    let mut rebuilt = Rebuilt::nothing_of(stream);
    let mut last_event = None;
    let mut counter = Counter::start("reading events");
    let mut frames = LogReader::open(folder)?.frames_after(Position::START)?;
    'log: while let Some(frame) = frames.next_frame()? {
        for record in frame.events() {
            if !at.has(&record) {
                break 'log;
            }
            counter.step();
            if record.stream == name {
                let version = rebuilt.evolve(&decode(&record)?);
                let recorded_at = time(record.entry.recorded_at_us());
                last_event = version.map(|version| LastEvent { position: record.position, version, recorded_at });
            }
        }
    }
    drop(counter);
    let answer = Answer { stream: stream.clone(), at: at.to_string(), last_event, state: rebuilt.state() };
    let mut out = output::stdout();
    match format {
        Format::Json => output::json_line(&mut out, &answer)?,
        Format::Table => output::pairs(&mut out, answer.rows())?,
    }
    out.flush()?;
    Ok(())
}

impl Rebuilt {
    fn nothing_of(stream: &StreamId) -> Self {
        match stream {
            StreamId::Account(_) | StreamId::Rejections => Self::Account(Versioned::default()),
            StreamId::Product(_) => Self::Product(Versioned::default()),
            StreamId::Order(_) => Self::Order(Versioned::default()),
            StreamId::Payment(_) => Self::Payment(Versioned::default()),
        }
    }

    fn evolve(&mut self, event: &Event) -> Option<Version> {
        match (self, event) {
            (Self::Account(account), Event::Account(event)) => Some(account.evolve(event)),
            (Self::Product(product), Event::Product(event)) => Some(product.evolve(event)),
            (Self::Order(order), Event::Order(event)) => Some(order.evolve(event)),
            (Self::Payment(payment), Event::Payment(event)) => Some(payment.evolve(event)),
            _ => None,
        }
    }

    fn state(&self) -> Value {
        match self {
            Self::Account(account) => account.state.as_ref().map_or(Value::Null, state::account),
            Self::Product(product) => product.state.as_ref().map_or(Value::Null, state::product),
            Self::Order(order) => order.state.as_ref().map_or(Value::Null, state::order),
            Self::Payment(payment) => payment.state.as_ref().map_or(Value::Null, state::payment),
        }
    }
}

impl Answer {
    fn rows(&self) -> Vec<(String, String)> {
        let row = |name: &str, value: String| (name.to_owned(), value);
        let mut rows = vec![row("stream", self.stream.to_string()), row("at", self.at.clone())];
        match &self.last_event {
            None => rows.push(row("state", "there was nothing of that name yet".to_owned())),
            Some(last) => {
                let LastEvent { position, version, recorded_at } = last;
                let told = format!("version {version} at position {position}, recorded {}", recorded_at.to_rfc3339());
                rows.push(row("last event", told));
                state::flatten("", &self.state, &mut rows);
            }
        }
        rows
    }
}
