//! Which events a reader wants: a range of positions, a stream, some types. Read from the request with every mistake
//! told by name.

use std::str::FromStr;

use domain::event::Event;
use domain::ids::{Position, StreamId};
use event_store::transaction::record::EventRecord;
use http_problem::{Asked, nearest};
use utoipa::IntoParams;

/// What can be asked of events, as the OpenAPI document says it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "it stands for its description in the OpenAPI document")]
pub(super) struct Selecting {
    /// Only up to and with this position of the log.
    #[param(example = 4711, minimum = 1)]
    to: Option<u64>,
    /// Only of this stream: account-ID, product-ID, order-ID, payment-ID or rejections.
    #[param(example = "account-acct-ann")]
    stream: Option<String>,
    /// Only of these types, with commas between them. `GET /v1/schemas` lists them.
    #[param(example = "funds_deposited,funds_withdrawn")]
    r#type: Option<String>,
}

/// A place in the log that a client names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(pub(super) Position);

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A position is a number that SQL and JavaScript can tell, too.
        let position = text.parse::<u64>().ok().filter(|position| (1..=i64::MAX as u64).contains(position));
        position.map(|position| Self(Position(position))).ok_or("use a position of the log: a whole number from 1 on")
    }
}

/// Types of events, with commas between them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Types(Vec<&'static str>);

impl FromStr for Types {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = |word: &str| Event::types().map(|(name, _)| name).find(|name| *name == word);
        let types = text.split(',').map(|word| {
            known(word).ok_or_else(|| {
                let meant = nearest(word, Event::types().map(|(name, _)| name));
                let meant = meant.map_or_else(String::new, |name| format!("; did you mean {name}?"));
                format!("there is no such type of event{meant} GET /v1/schemas lists them all")
            })
        });
        types.collect::<Result<_, _>>().map(Self)
    }
}

/// Which events a reader wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Selection {
    /// The last position that is wanted.
    pub(super) to: Option<Position>,
    /// The only stream that is wanted.
    pub(super) stream: Option<StreamId>,
    types: Option<Vec<&'static str>>,
}

impl Selection {
    /// Takes `to`, `stream` and `type`; `from` is where reading begins.
    pub(super) fn asked(asked: &mut Asked, from: Position) -> Self {
        let to: Option<Place> = asked.optional("to");
        if let Some(Place(to)) = to.filter(|Place(to)| *to < from) {
            asked.wrong("to", &to.to_string(), &format!("it stands before from, which is {from}"));
        }
        let stream = asked.optional("stream");
        let types = asked.optional("type").map(|Types(types)| types);
        Self { to: to.map(|Place(to)| to), stream, types }
    }

    /// Whether an event of the wanted stream, in the wanted range, is wanted.
    pub(super) fn wants(&self, event: &EventRecord<'_>) -> bool {
        self.types.as_ref().is_none_or(|types| types.contains(&event.event_type))
    }

    /// The last position to read when the log ends at `end`.
    pub(super) fn last(&self, end: Position) -> Position {
        self.to.map_or(end, |to| to.min(end))
    }
}
