//! Every route of the log, on one screen, and what they share.

use std::sync::Arc;
use std::time::Duration;

use event_store::log::Log;
use http_problem::Problem;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problems::too_many;
use crate::reading::Desk;
use crate::{page, schemas, stream};

#[derive(OpenApi)]
#[openapi(tags((name = "events", description = "Everything that has happened, straight from the log.")))]
struct Description;

/// Bounds of reading.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many pages and streams may be under way at once; this bounds their memory.
    pub readers_max: usize,
    /// After how long without an event a stream says that it lives.
    pub heartbeat: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers_max: 64, heartbeat: Duration::from_secs(15) }
    }
}

/// The streams that are open. Dropping it ends them too.
#[derive(Debug)]
pub struct Streams(watch::Sender<bool>);

impl Streams {
    /// Ends them all, each after a whole event, and any that begins later at once.
    pub fn end(&self) {
        self.0.send_replace(true);
    }
}

/// What every handler has.
pub(super) struct Surface {
    pub(super) desk: Desk,
    pub(super) options: Options,
    pub(super) ended: watch::Receiver<bool>,
    pub(super) streams: metrics::Gauge,
    pub(super) sent: metrics::Counter,
    places: Arc<Semaphore>,
}

impl Surface {
    /// The right to read, held as long as something of it waits to be sent.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit, Problem> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| too_many(self.options.readers_max))
    }
}

/// The routes of the log, with their OpenAPI document. Events are read on `runtime`, which must not be the one that
/// answers requests.
pub fn router(log: Log, runtime: Handle, options: Options) -> (OpenApiRouter, Streams) {
    metrics::describe_gauge!("bursar_event_streams", "Streams of events that are open.");
    metrics::describe_counter!("bursar_events_sent_total", "Events handed to readers of /v1/events and its stream.");
    let (end, ended) = watch::channel(false);
    let surface = Surface {
        desk: Desk::new(log, runtime),
        ended,
        streams: metrics::gauge!("bursar_event_streams"),
        sent: metrics::counter!("bursar_events_sent_total"),
        places: Arc::new(Semaphore::new(options.readers_max)),
        options,
    };
    let router = OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(page::page)) //              GET /v1/events
        .routes(routes!(stream::stream)) //          GET /v1/events/stream
        .routes(routes!(schemas::list)) //           GET /v1/schemas
        .routes(routes!(schemas::one)) //            GET /v1/schemas/{type}/{version}
        .with_state(Arc::new(surface));
    (router, Streams(end))
}
