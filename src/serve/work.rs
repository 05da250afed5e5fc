//! `bursar worker`: fills read models from Kafka in a process of its own. Several of them share the partitions; when one
//! ends, the others take over what it had. It answers how it is, and takes neither commands nor queries.

use std::io;

use event_store::kafka::InvalidOptions;
use event_store::kafka::membership::Membership;
use metrics_exporter_prometheus::BuildError;
use projections::feed::KafkaFeed;
use projections::worker::{Worker, WorkerOptions};

use super::listener::{self, ListenError};
use super::signals::StopSignals;
use super::{prometheus, routes, telemetry};
use crate::config::Configuration;

/// Why the worker did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    #[error("kafka_brokers is off: a worker reads events from Kafka. Give --kafka-brokers")]
    NoKafka,
    #[error("the system gives no signals: {0}")]
    Signals(io::Error),
    #[error("metrics cannot be collected: {0}")]
    Metrics(#[from] BuildError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the group of workers cannot be joined: {0}")]
    Group(#[from] InvalidOptions),
}

/// Works until a signal.
pub(crate) async fn work(configuration: Configuration) -> Result<(), WorkError> {
    telemetry::start(&configuration.telemetry);
    let kafka = configuration.stream.kafka.clone().ok_or(WorkError::NoKafka)?;
    let mut signals = StopSignals::take().map_err(WorkError::Signals)?;
    let metrics = prometheus::start()?;
    let listener = listener::bind(&configuration.http).await?;
    let upkeep = prometheus::upkeep(metrics.clone());
    let group = Membership::join(&kafka, &configuration.stream.group)?;
    let database = configuration.read_side.database.clone();
    let views = Worker::start(database, KafkaFeed::shared(kafka, group), WorkerOptions::default());
    let app = routes::of_worker(&configuration, views.monitor(), metrics);
    if let Ok(address) = listener.local_addr() {
        tracing::info!("answering on http://{address}");
    }
    let mut told = "nobody";
    let open = listener::answer(listener, app, &configuration.http, async { told = signals.next().await }).await;
    tracing::info!(signal = told, "stopping: what is being written is finished");
    views.stop().await;
    let hurry = async {
        signals.next().await;
    };
    open.finish(configuration.http.stop_timeout, hurry).await;
    upkeep.abort();
    tracing::info!("stopped");
    Ok(())
}
