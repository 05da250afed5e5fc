//! Sending, for as long as it goes well: reads the log frame by frame, hands every event to the producer, and says
//! from time to time how far it is. The decisions are those of `lanes.rs`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::ids::Position;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::RelayOptions;
use crate::cloud_event::{Envelope, EventSource};
use crate::kafka::delivery::{Deliveries, Ending, Token, failure_of};
use crate::kafka::lanes::{Lanes, Place};
use crate::kafka::record::{event_headers, watermark_headers};
use crate::kafka::status::{RelayState, Shared};
use crate::kafka::topic::PartitionEnd;
use crate::log::Log;
use crate::log::reader::Frames;
use crate::transaction::record::{Entry, EventRecord};

/// After so many events it looks whether it should stop and what was acknowledged.
const EVENTS_BETWEEN_LOOKS: u64 = 2_000;
/// Longer than it seems needed: polling a full queue in short steps costs more than half of the throughput.
const FULL_QUEUE_POLL: Duration = Duration::from_millis(50);
/// While answers are awaited; new events wait no longer than this.
const ANSWERS_POLL: Duration = Duration::from_millis(2);
/// How often it looks whether librdkafka has something to say while there is nothing to send.
const IDLE_POLL: Duration = Duration::from_secs(1);
/// How long what was handed over may take to be acknowledged at a stop.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(3);

type Sending<'a> = BaseRecord<'a, [u8], [u8], usize>;

/// A producer and what it has been given.
pub(super) struct Pump<'a> {
    topic: &'a str,
    source: &'a EventSource,
    shared: &'a Shared,
    stopping: &'a watch::Receiver<bool>,
    watermark_interval: Duration,
    stall_max: Duration,
    producer: BaseProducer<Deliveries>,
    lanes: Lanes,
    frames: Frames,
    durable: watch::Receiver<Position>,
}

impl<'a> Pump<'a> {
    pub(super) fn start(
        log: &Log,
        source: &'a EventSource,
        options: &'a RelayOptions,
        shared: &'a Arc<Shared>,
        stopping: &'a watch::Receiver<bool>,
        ends: &[PartitionEnd],
    ) -> Result<Self, Ending> {
        let lanes = Lanes::resumed(&ends.iter().map(|end| end.last).collect::<Vec<_>>());
        let frames = log.frames_after(lanes.through()).map_err(|error| Ending::Again(error.to_string()))?;
        let deliveries = Deliveries::new(ends, Arc::clone(shared));
        let producer = options.kafka.producer_config().create_with_context(deliveries);
        let producer = producer.map_err(|error| Ending::Again(format!("making a producer: {error}")))?;
        tracing::info!(topic = options.kafka.topic, after = lanes.through().0, "the relay sends the log to Kafka");
        Ok(Self {
            topic: &options.kafka.topic,
            source,
            shared,
            stopping,
            watermark_interval: options.watermark_interval,
            stall_max: options.stall_max,
            producer,
            lanes,
            frames,
            durable: log.durable_watch(),
        })
    }

    /// Sends until something ends it.
    pub(super) fn run(mut self, runtime: &Runtime) -> Result<Infallible, Ending> {
        let mut next_round = Instant::now() + self.watermark_interval;
        let ended = loop {
            let through = *self.durable.borrow_and_update();
            let round = if through > self.lanes.through() {
                self.frames.extend(through);
                self.send_some().map(|()| self.producer.poll(Duration::ZERO))
            } else if self.is_awaiting() || !self.lanes.all_said() {
                self.producer.poll(ANSWERS_POLL.min(next_round.saturating_duration_since(Instant::now())));
                Ok(())
            } else {
                self.wait(runtime)
            };
            if let Err(ending) = round.and_then(|()| self.look()) {
                break ending;
            }
            if Instant::now() >= next_round {
                if let Err(ending) = self.send_watermarks() {
                    break ending;
                }
                next_round = Instant::now() + self.watermark_interval;
            }
        };
        if ended == Ending::Told && self.producer.context().heard.last().is_none() {
            // What is not acknowledged by then is sent again after the next start.
            let _ = self.producer.flush(LAST_ANSWERS_MAX);
            self.shared.position(self.producer.context().acknowledged(&self.lanes));
        }
        Err(ended)
    }

    /// Sends the next events, some thousands at most.
    fn send_some(&mut self) -> Result<(), Ending> {
        let until = self.lanes.through().0 + EVENTS_BETWEEN_LOOKS;
        let Self { topic, source, shared, stopping, stall_max, producer, lanes, frames, .. } = self;
        let unreadable = |error| Ending::Again(format!("reading the log: {error}"));
        while lanes.through().0 < until
            && let Some(frame) = frames.locate().map_err(unreadable)?
        {
            for entry in frame.entries() {
                if entry.last_position() <= lanes.through() {
                    continue;
                }
                let envelope = Envelope::of(entry, source);
                for event in entry.events() {
                    if let Some(place) = lanes.take(event.position, event.stream) {
                        let record = event_record(topic, &envelope, &entry, &event, place);
                        send(producer, record, || look(producer, lanes, shared, stopping, *stall_max))?;
                    }
                }
            }
            frames.pass();
        }
        Ok(())
    }

    fn send_watermarks(&mut self) -> Result<(), Ending> {
        // A few at most, once in a while.
        for place in self.lanes.watermarks().collect::<Vec<_>>() {
            let token = Token { position: place.position, is_event: false };
            let record = Sending::with_opaque_to(self.topic, token.to_number());
            let record = record.partition(place.partition.cast_signed()).headers(watermark_headers(self.source, place));
            send(&self.producer, record, || self.look())?;
        }
        Ok(())
    }

    fn is_awaiting(&self) -> bool {
        self.producer.in_flight_count() > 0
    }

    fn look(&self) -> Result<(), Ending> {
        look(&self.producer, &self.lanes, self.shared, self.stopping, self.stall_max)
    }

    /// Waits for new events, for a while, when all that was sent is acknowledged.
    fn wait(&mut self, runtime: &Runtime) -> Result<(), Ending> {
        let acknowledged = self.producer.context().acknowledged(&self.lanes);
        if acknowledged < self.lanes.through() {
            return Err(Ending::Again(format!("what was sent after position {acknowledged} was not acknowledged")));
        }
        let (sent, mut stopping) = (self.lanes.through(), self.stopping.clone());
        let durable = &mut self.durable;
        runtime.block_on(async {
            tokio::select! {
                more = durable.wait_for(|durable| *durable > sent) => more.map(drop).map_err(|_| Ending::Told),
                _ = stopping.wait_for(|stop| *stop) => Err(Ending::Told),
                () = tokio::time::sleep(IDLE_POLL) => Ok(()),
            }
        })?;
        self.producer.poll(Duration::ZERO);
        Ok(())
    }
}

fn event_record<'a>(
    topic: &'a str,
    envelope: &Envelope<'_>,
    entry: &Entry<'_>,
    event: &EventRecord<'a>,
    place: Place,
) -> Sending<'a> {
    let token = Token { position: event.position, is_event: true };
    Sending::with_opaque_to(topic, token.to_number())
        .partition(place.partition.cast_signed())
        .key(event.stream.as_bytes())
        .payload(event.data)
        .timestamp(entry.recorded_at_us().div_euclid(1000))
        .headers(event_headers(envelope, event, place))
}

/// Hands a record over; waits while there is no room for it.
fn send(
    producer: &BaseProducer<Deliveries>,
    mut record: Sending<'_>,
    look: impl Fn() -> Result<(), Ending>,
) -> Result<(), Ending> {
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(FULL_QUEUE_POLL);
                look()?;
            }
            Err((error, back)) => {
                // Why the producer takes nothing may have been said before.
                producer.poll(Duration::ZERO);
                look()?;
                let position = Position(back.delivery_opaque as u64 >> 1);
                let code = error.rdkafka_error_code();
                return Err(code.map_or(Ending::Again(error.to_string()), |code| failure_of(code, position)));
            }
        }
    }
}

/// What has come of it so far, and whether to go on.
fn look(
    producer: &BaseProducer<Deliveries>,
    lanes: &Lanes,
    shared: &Shared,
    stopping: &watch::Receiver<bool>,
    stall_max: Duration,
) -> Result<(), Ending> {
    let deliveries = producer.context();
    let in_flight = producer.in_flight_count();
    shared.position(deliveries.acknowledged(lanes));
    let state = match deliveries.heard.last() {
        Some(reason) if in_flight > 0 => RelayState::Waiting { reason },
        _ => RelayState::Running,
    };
    if shared.state(state.clone()) {
        match state {
            RelayState::Waiting { reason } => tracing::warn!(reason, "the relay waits for Kafka; commands go on"),
            _ => tracing::info!("the relay is running"),
        }
    }
    if let Some(ending) = deliveries.failure() {
        return Err(ending);
    }
    let stalled = deliveries.stalled_for(in_flight > 0);
    if stalled > stall_max {
        return Err(Ending::Again(format!("none of {in_flight} records was acknowledged for {} s", stalled.as_secs())));
    }
    if *stopping.borrow() { Err(Ending::Told) } else { Ok(()) }
}
