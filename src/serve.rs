//! `bursar serve`: puts the parts together, in the order in which they need each other, and takes them apart again in
//! the other order. A file for each concern stands in `serve/`; `bursar worker` is `serve/work.rs`.

mod app;
mod health;
mod leftover;
mod listener;
mod meter;
mod patience;
mod prometheus;
mod routes;
mod signals;
mod telemetry;
mod watch;
pub(crate) mod work;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use command_api::engine::{self, Running, StartError};
use event_store::kafka::InvalidOptions;
use event_store::kafka::membership::Membership;
use event_store::kafka::relay::{self, Relay, RelayOptions};
use event_store::log::recovery::OpenError;
use event_store::log::writer::LogFailed;
use event_store::log::{self, Log};
use metrics_exporter_prometheus::BuildError;
use projections::feed::{KafkaFeed, LogFeed};
use projections::worker::{Worker, WorkerOptions};
use tokio::task::JoinHandle;

use self::listener::ListenError;
use self::signals::StopSignals;
use crate::config::Configuration;
use crate::config::kafka::{Stream, ViewFeed};
use crate::config::write_side::WriteSide;

/// How long answers may take to leave once the log has failed.
const LAST_ANSWERS_MAX: Duration = Duration::from_secs(1);
/// How long deciding, writing and syncing what waits may take at a stop.
const CLOSE_MAX: Duration = Duration::from_secs(30);

/// Why the server did not start, or ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("the system gives no signals: {0}")]
    Signals(io::Error),
    #[error("metrics cannot be collected: {0}")]
    Metrics(#[from] BuildError),
    #[error(transparent)]
    Listen(#[from] ListenError),
    #[error("the log in {} cannot be opened: {source}", .folder.display())]
    OpenLog { folder: PathBuf, source: Box<OpenError> },
    #[error("the log in {} cannot be used: {source}", .folder.display())]
    Start { folder: PathBuf, source: Box<StartError> },
    #[error(transparent)]
    Relay(#[from] relay::StartError),
    #[error("the group of workers cannot be joined: {0}")]
    Group(#[from] InvalidOptions),
    #[error("the system gives no thread to read the log again: {0}")]
    Scrubber(io::Error),
    #[error("the thread that opens the log ended without an answer")]
    OpenerGone,
    #[error(transparent)]
    LogFailed(#[from] LogFailed),
    #[error("the log was not closed within {} s; the next start finds out what was kept", CLOSE_MAX.as_secs())]
    NotClosed,
}

/// Why the server stops answering.
enum Stop {
    Told(&'static str),
    LogFailed(LogFailed),
}

/// Serves until a signal, or until the log fails. The read models are filled, and events are read for those who ask for
/// them, on the runtime of `views`.
pub(crate) async fn serve(configuration: Configuration, views: &tokio::runtime::Handle) -> Result<(), ServeError> {
    telemetry::start(&configuration.telemetry);
    let mut signals = StopSignals::take().map_err(ServeError::Signals)?;
    let metrics = prometheus::start()?;
    let listener = listener::bind(&configuration.http).await?;
    let running = tokio::select! {
        started = start(configuration.write_side.clone()) => started?,
        signal = signals.next() => {
            tracing::info!(signal, "stopped while the log was being read; nothing had been taken up");
            return Ok(());
        }
    };
    let engine = running.engine.clone();
    let scrub = configuration.write_side.scrub.map(|options| engine.log().scrub(options));
    let scrubber = scrub.transpose().map_err(ServeError::Scrubber)?;
    let upkeep = prometheus::upkeep(metrics.clone());
    let watch = watch::room(engine.log().clone());
    let apart = views;
    let views = {
        let _on_their_own_thread = apart.enter();
        fill_views(&configuration, engine.log())?
    };
    let relay =
        configuration.stream.kafka.clone().map(|kafka| Relay::start(engine.log().clone(), RelayOptions::new(kafka)));
    let relay = relay.transpose()?;
    let sending = relay.as_ref().map(Relay::monitor);
    let watched = sending.clone().map(watch::relay);
    let (app, streams) =
        routes::all(&configuration, engine.clone(), (views.as_ref().map(Worker::monitor), apart), sending, metrics);
    if let Ok(address) = listener.local_addr() {
        tracing::info!("answering on http://{address}");
    }
    let mut stop = Stop::Told("nobody");
    let open = listener::answer(listener, app, &configuration.http, async {
        stop = tokio::select! {
            signal = signals.next() => Stop::Told(signal),
            failed = engine.failed() => Stop::LogFailed(failed),
        };
    })
    .await;
    // They go on for ever by themselves, and no connection ends before its answer.
    streams.end();
    let signal = match stop {
        Stop::Told(signal) => signal,
        Stop::LogFailed(failed) => {
            // Everybody who waited was told "unknown"; nothing is tried over a log that has failed.
            tracing::error!(error = %failed, "ending, because the log has failed");
            open.finish(LAST_ANSWERS_MAX, std::future::pending()).await;
            return Err(failed.into());
        }
    };
    tracing::info!(signal, "stopping: requests on their way are finished");
    let cut_off = open
        .finish(configuration.http.stop_timeout, async {
            signals.next().await;
        })
        .await;
    if cut_off > 0 {
        tracing::warn!(connections = cut_off, "connections were cut off");
    }
    drop(scrubber);
    // Rows that were not written yet are written after the next start, and events that were not sent are sent then.
    let relayed = tokio::task::spawn_blocking(move || relay.map(Relay::stop));
    let (closed, (), _) = tokio::join!(close(running), stop_views(views), relayed);
    closed?;
    watched.inspect(JoinHandle::abort);
    upkeep.abort();
    watch.abort();
    tracing::info!("stopped");
    Ok(())
}

/// Starts filling the read models, where this process does.
fn fill_views(configuration: &Configuration, log: &Log) -> Result<Option<Worker>, InvalidOptions> {
    let Stream { kafka, group, view_feed } = &configuration.stream;
    let (database, options) = (configuration.read_side.database.clone(), WorkerOptions::default());
    Ok(match (view_feed, kafka) {
        (ViewFeed::None, _) => None,
        (ViewFeed::Kafka, Some(kafka)) => {
            let feed = KafkaFeed::shared(kafka.clone(), Membership::join(kafka, group)?);
            Some(Worker::start(database, feed.with_head(log.durable_watch()), options))
        }
        _ => Some(Worker::start(database, LogFeed::new(log.clone()), options)),
    })
}

async fn stop_views(views: Option<Worker>) {
    if let Some(views) = views {
        views.stop().await;
    }
}

/// Opens the log and rebuilds all state from it. Takes as long as reading the log takes.
async fn start(settings: WriteSide) -> Result<Running, ServeError> {
    let started = tokio::task::spawn_blocking(move || {
        let WriteSide {
            data: folder,
            segment_bytes,
            commands_in_flight_max,
            states_in_memory_max,
            snapshot_events,
            scrub: _,
        } = settings;
        let options = log::Options { segment_bytes, ..log::Options::default() };
        let opened = Log::open(&folder, options)
            .map_err(|source| ServeError::OpenLog { folder: folder.clone(), source: Box::new(source) })?;
        let found = &opened.recovery;
        tracing::info!(log = %found.log_id, segments = found.segments, last_position = found.last_position.0, "opened the log");
        if let Some(torn) = &found.torn {
            let (segment, bytes, kept_in) = (torn.segment, torn.bytes, torn.kept_in.display());
            tracing::warn!(segment, bytes, %kept_in, "cut off a write that a crash had torn; it was never acknowledged");
        }
        let checkpoints = engine::Limits {
            states_in_memory: states_in_memory_max,
            events_between_snapshots: snapshot_events,
            ..engine::Limits::default()
        };
        let options = engine::Options { commands_in_flight_max, checkpoints, ..engine::Options::default() };
        let running = engine::start(opened.log, opened.appender, &options)
            .map_err(|source| ServeError::Start { folder, source: Box::new(source) })?;
        let rebuilt = &running.rebuilt;
        if let Some(reason) = &rebuilt.discarded {
            tracing::warn!(reason, "the saved state could not be used; all state was made again from the log");
        }
        let (checkpoint, events) = (rebuilt.checkpoint.0, rebuilt.events);
        tracing::info!(checkpoint, events, "all state is there: the last checkpoint, and the events after it");
        Ok(running)
    });
    started.await.map_err(|_| ServeError::OpenerGone)?
}

/// Decides, writes and syncs what waits, and closes the log.
async fn close(running: Running) -> Result<(), ServeError> {
    let closed = tokio::task::spawn_blocking(move || running.stop());
    match tokio::time::timeout(CLOSE_MAX, closed).await {
        Ok(Ok(closed)) => Ok(closed?),
        Ok(Err(_)) | Err(_) => Err(ServeError::NotClosed),
    }
}
