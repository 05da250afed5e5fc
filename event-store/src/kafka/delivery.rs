//! What brokers acknowledge, partition by partition, and what they refuse for good.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use domain::ids::Position;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::producer::{DeliveryResult, ProducerContext};

use super::client::{Heard, tell};
use super::lanes::Lanes;
use super::status::Shared;
use super::topic::PartitionEnd;

/// Why the relay does not go on as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It was told to stop, or the log was closed.
    Told,
    /// It begins anew from the last records of the partitions.
    Again(String),
    /// Beginning anew would not help.
    Stop(String),
}

/// What a record was, carried through librdkafka in the place of a pointer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) position: Position,
    pub(crate) is_event: bool,
}

impl Token {
    /// As one number: the position above, what it is below. Positions stay far below 2^63.
    pub(crate) const fn to_number(self) -> usize {
        (self.position.0 << 1) as usize | self.is_event as usize
    }

    const fn of_number(number: usize) -> Self {
        Self { position: Position(number as u64 >> 1), is_event: number & 1 == 1 }
    }
}

/// The producer's context: it hears of every record once, on the thread that polls.
#[derive(Debug)]
pub(crate) struct Deliveries {
    pub(crate) heard: Heard,
    /// The position of the last acknowledged record, and the offset that the next one gets at least.
    partitions: Vec<(AtomicU64, AtomicI64)>,
    /// Under a mutex because it is a text; taken after every poll.
    failed: Mutex<Option<Ending>>,
    shared: Arc<Shared>,
    /// When something was acknowledged last, or nothing was on its way; and how many had been acknowledged by then.
    progress: Mutex<(Instant, u64)>,
}

impl Deliveries {
    pub(crate) fn new(ends: &[PartitionEnd], shared: Arc<Shared>) -> Self {
        let partitions = ends.iter().map(|end| (AtomicU64::new(end.last.0), AtomicI64::new(end.next_offset))).collect();
        let progress = Mutex::new((Instant::now(), 0));
        Self { heard: Heard::default(), partitions, failed: Mutex::new(None), shared, progress }
    }

    /// What ended it, if anything.
    pub(crate) fn failure(&self) -> Option<Ending> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything at or before this position is acknowledged. What is on its way in one partition says nothing of the
    /// others, so the partitions that have nothing on its way do not count.
    pub(crate) fn acknowledged(&self, lanes: &Lanes) -> Position {
        let behind = self.partitions.iter().zip(0..).filter_map(|((acknowledged, _), partition)| {
            let acknowledged = Position(acknowledged.load(Ordering::Relaxed));
            (acknowledged < lanes.last(partition)).then_some(acknowledged)
        });
        behind.min().map_or(lanes.through(), |least| least.min(lanes.through()))
    }

    /// For how long records have been on their way and none was acknowledged.
    pub(crate) fn stalled_for(&self, in_flight: bool) -> Duration {
        let acknowledged = self.shared.acknowledged_total();
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if !in_flight || progress.1 != acknowledged {
            *progress = (Instant::now(), acknowledged);
        }
        progress.0.elapsed()
    }

    /// The first failure is the cause of those after it, but what stops the relay for good counts more.
    fn fail(&self, ending: Ending) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        if failed.is_none() || matches!((&*failed, &ending), (Some(Ending::Again(_)), Ending::Stop(_))) {
            *failed = Some(ending);
        }
    }

    fn delivered(&self, partition: i32, offset: i64, token: Token) {
        let Some((acknowledged, next_offset)) = self.partitions.get(partition as usize) else { return };
        // Brokers that answer a repeated request may not know the offset any more.
        if offset >= 0 {
            let expected = next_offset.load(Ordering::Relaxed);
            if offset < expected {
                self.fail(Ending::Stop(format!(
                    "partition {partition} has lost records: offset {offset} was given where {expected} or more was \
                     expected. The topic was deleted and made again, or its brokers lost what they had acknowledged. \
                     Delete the topic, and restart: it is filled again from the log"
                )));
            }
            next_offset.store(offset + 1, Ordering::Relaxed);
        }
        acknowledged.store(token.position.0, Ordering::Relaxed);
        let counter = if token.is_event { &self.shared.events_total } else { &self.shared.watermarks_total };
        counter.fetch_add(1, Ordering::Relaxed);
        self.heard.forget();
    }

    fn refused(&self, error: &KafkaError, token: Token) {
        match error.rdkafka_error_code() {
            // The producer has failed and says why apart, or is being thrown away, when nobody asks any more.
            Some(RDKafkaErrorCode::PurgeQueue | RDKafkaErrorCode::PurgeInflight) => {
                let heard = self.heard.last().unwrap_or_default();
                self.fail(Ending::Again(format!("the producer gave up what it had been given: {heard}")));
            }
            Some(code) => self.fail(failure_of(code, token.position)),
            None => self.fail(Ending::Again(error.to_string())),
        }
    }
}

/// What it means that a record was refused.
pub(crate) fn failure_of(code: RDKafkaErrorCode, position: Position) -> Ending {
    match code {
        RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidMessage | RDKafkaErrorCode::InvalidRecord => {
            Ending::Stop(format!(
                "the event at position {position} was refused: {code}. Raise the topic's max.message.bytes (and \
                 message.max.bytes in kafka_options), and restart"
            ))
        }
        code => Ending::Again(format!("the record for position {position} was refused: {code}")),
    }
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, line: &str) {
        tell(level, facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::Fatal) {
            self.fail(Ending::Again(format!("the producer cannot go on: {reason}")));
        }
        self.heard.hear(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = usize;

    fn delivery(&self, delivered: &DeliveryResult<'_>, number: usize) {
        let token = Token::of_number(number);
        match delivered {
            Ok(message) => self.delivered(message.partition(), message.offset(), token),
            Err((error, _)) => self.refused(error, token),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deliveries(ends: &[(u64, i64)]) -> Deliveries {
        let end = |(last, next_offset): &(u64, i64)| PartitionEnd {
            last: Position(*last),
            next_offset: *next_offset,
            emptied: false,
        };
        Deliveries::new(&ends.iter().map(end).collect::<Vec<_>>(), Arc::new(Shared::new()))
    }

    #[test]
    fn a_token_goes_through_a_number() {
        for (position, is_event) in [(0, false), (1, true), (u64::MAX >> 1, true)] {
            let token = Token { position: Position(position), is_event };
            assert_eq!(Token::of_number(token.to_number()), token);
        }
    }

    #[test]
    fn acknowledged_is_what_every_partition_has() {
        let streams = |partition: u32| {
            let of = |stream: &String| super::super::partitioner::partition_of(stream.as_bytes(), 2) == partition;
            (0..).map(|number| format!("account-{number}")).find(of).unwrap_or_default()
        };
        let deliveries = deliveries(&[(0, 0), (0, 0)]);
        let mut lanes = Lanes::resumed(&[Position(0), Position(0)]);
        assert_eq!(deliveries.acknowledged(&lanes), Position(0));
        for (position, partition) in [(1, 0), (2, 0), (3, 1), (4, 0)] {
            lanes.take(Position(position), &streams(partition));
        }
        let token = |position| Token { position: Position(position), is_event: true };
        deliveries.delivered(0, 0, token(1));
        assert_eq!(deliveries.acknowledged(&lanes), Position(0), "3 is not there");
        deliveries.delivered(1, 0, token(3));
        assert_eq!(deliveries.acknowledged(&lanes), Position(1));
        deliveries.delivered(0, 1, token(2));
        deliveries.delivered(0, 2, token(4));
        assert_eq!(deliveries.acknowledged(&lanes), Position(4));
        assert_eq!(deliveries.shared.status().events_total, 4);
        assert_eq!(deliveries.failure(), None);
    }

    #[test]
    fn an_offset_that_goes_back_stops_the_relay() {
        let deliveries = deliveries(&[(9, 100)]);
        let token = Token { position: Position(10), is_event: false };
        deliveries.delivered(0, -1, token);
        deliveries.delivered(0, 103, token);
        assert_eq!(deliveries.failure(), None);
        deliveries.refused(&KafkaError::MessageProduction(RDKafkaErrorCode::NotEnoughReplicas), token);
        assert!(matches!(deliveries.failure(), Some(Ending::Again(_))));
        deliveries.delivered(0, 0, token);
        assert!(matches!(deliveries.failure(), Some(Ending::Stop(reason)) if reason.contains("offset 0")));
    }
}
