//! A batch whose commands stand for themselves: they are handed to the engine in chunks as they arrive, and each
//! line's answer goes out, in order, as soon as it is durable. Memory is bounded whatever the size of the batch: by the
//! chunks in flight and by the answers that the client has not read.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;

use axum::response::Response;
use futures::FutureExt;
use http_problem::Problem;
use tokio::sync::OwnedSemaphorePermit;

use super::incoming::{Arrival, Incoming};
use super::line::{self, Slot};
use super::outlet::{Gone, Outlet, outlet};
use super::{Batch, batch_empty, lines_response};
use crate::engine::{Mode, Outcome, Request, Submission, Unavailable};
use crate::http::head::Done;
use crate::http::{Commands, Surface, problem};

/// Takes the batch: answers at once with a body that is written while the batch is read.
pub(super) async fn take<C: Commands>(
    surface: Arc<Surface<C>>,
    batch: Batch,
    mut incoming: Incoming,
    place: OwnedSemaphorePermit,
) -> Result<Response, Problem> {
    let mut first = Arrival::More;
    while first == Arrival::More && !incoming.has_begun() {
        first = incoming.arrive().await;
    }
    if first == Arrival::End && !incoming.has_begun() {
        return Err(batch_empty());
    }
    if let Some(problem) = incoming.cut_short(first, Done::Nothing) {
        return Err(problem);
    }
    let (outlet, body) = outlet(surface.options.batch_answer_bytes_max, place);
    let run = async move {
        let mut run = Run {
            surface: &surface,
            batch,
            outlet,
            gathering: Chunk::default(),
            waiting: VecDeque::new(),
            in_flight: 0,
            answered: 0,
            given_up: None,
            scratch: Vec::new(),
        };
        // Who has gone away needs no answers; what was handed in is decided all the same.
        let (Ok(()) | Err(Gone)) = run.go(first, incoming).await;
    };
    // A task of its own, so that reading goes on while the client is slow to read.
    tokio::spawn(run);
    Ok(lines_response(body))
}

/// Lines that are handed in together.
#[derive(Debug, Default)]
struct Chunk {
    slots: Vec<Slot>,
    requests: Vec<Request>,
}

type Answer<'a> = Pin<Box<dyn Future<Output = Result<Vec<Outcome>, Unavailable>> + Send + 'a>>;

/// A chunk that the engine has.
struct Waiting<'a> {
    slots: Vec<Slot>,
    /// `None` where no line of the chunk could be read.
    answer: Option<Answer<'a>>,
}

struct Run<'a, C> {
    surface: &'a Surface<C>,
    batch: Batch,
    outlet: Outlet,
    gathering: Chunk,
    /// The chunks that the engine has, the oldest first.
    waiting: VecDeque<Waiting<'a>>,
    /// How many lines these chunks have.
    in_flight: usize,
    /// How many lines were answered.
    answered: u64,
    /// Why commands were not taken up, once that has happened: what comes after them is not handed in either, because it
    /// may build on them, and a refusal for want of them would be kept under its key.
    given_up: Option<Unavailable>,
    scratch: Vec<u8>,
}

impl<C: Commands> Run<'_, C> {
    async fn go(&mut self, first: Arrival, mut incoming: Incoming) -> Result<(), Gone> {
        let mut arrival = first;
        loop {
            self.gather(&mut incoming).await?;
            if arrival != Arrival::More {
                break;
            }
            arrival = match already_here(&mut incoming).await {
                Some(arrival) => arrival,
                None => {
                    // Nothing more is here yet, and what is here must not wait for it.
                    self.hand_in().await?;
                    self.arrive_or_answer(&mut incoming).await?
                }
            };
        }
        self.hand_in().await?;
        while !self.waiting.is_empty() {
            self.answer_oldest().await?;
        }
        let Some(problem) = incoming.cut_short(arrival, Done::TheLinesBefore) else { return Ok(()) };
        let mut out = Vec::new();
        line::write_problem(&mut out, self.answered, incoming.line(), &problem);
        self.outlet.put(out).await
    }

    /// Waits until more arrives, and sends answers out in the meantime.
    async fn arrive_or_answer(&mut self, incoming: &mut Incoming) -> Result<Arrival, Gone> {
        while let Some(Waiting { answer, .. }) = self.waiting.front_mut() {
            let outcomes = match answer {
                None => None,
                Some(answer) => tokio::select! {
                    arrival = incoming.arrive() => return Ok(arrival),
                    outcomes = answer => Some(outcomes),
                },
            };
            self.write_oldest(outcomes).await?;
        }
        Ok(incoming.arrive().await)
    }

    /// Reads what has arrived, and hands in every chunk that is full.
    async fn gather(&mut self, incoming: &mut Incoming) -> Result<(), Gone> {
        let line_bytes_max = incoming.line_bytes_max();
        while let Some(piece) = incoming.next_piece() {
            let (slot, request) = line::read(piece, &self.batch, line_bytes_max, &mut self.scratch);
            self.gathering.slots.push(slot);
            self.gathering.requests.extend(request);
            if self.gathering.slots.len() >= self.surface.options.batch_chunk_commands {
                self.hand_in().await?;
            }
        }
        Ok(())
    }

    /// Hands the gathered lines in, once there is room for another chunk in flight.
    async fn hand_in(&mut self) -> Result<(), Gone> {
        if self.gathering.slots.is_empty() {
            return Ok(());
        }
        while self.in_flight > 0
            && self.in_flight + self.gathering.slots.len() > self.surface.options.batch_commands_in_flight
        {
            self.answer_oldest().await?;
        }
        self.in_flight += self.gathering.slots.len();
        let Chunk { slots, requests } = std::mem::take(&mut self.gathering);
        let answer = (!requests.is_empty()).then(|| {
            if let Some(why) = &self.given_up {
                return Box::pin(std::future::ready(Err(why.clone()))) as Answer<'_>;
            }
            let submission = Submission { requests, mode: Mode::Independent, dry_run: self.batch.dry_run };
            let mut answer: Answer<'_> = Box::pin(self.surface.commands.submit(submission));
            // The first poll hands the commands in: chunks are decided in the order of the batch.
            match answer.as_mut().now_or_never() {
                Some(outcomes) => {
                    self.given_up = outcomes.as_ref().err().cloned();
                    Box::pin(std::future::ready(outcomes))
                }
                None => answer,
            }
        });
        self.waiting.push_back(Waiting { slots, answer });
        Ok(())
    }

    async fn answer_oldest(&mut self) -> Result<(), Gone> {
        let outcomes = match self.waiting.front_mut() {
            Some(Waiting { answer: Some(answer), .. }) => Some(answer.await),
            _ => None,
        };
        self.write_oldest(outcomes).await
    }

    /// Writes the answers of the oldest chunk, whose commands have these outcomes.
    async fn write_oldest(&mut self, outcomes: Option<Result<Vec<Outcome>, Unavailable>>) -> Result<(), Gone> {
        let Some(Waiting { slots, .. }) = self.waiting.pop_front() else { return Ok(()) };
        self.in_flight -= slots.len();
        let mut out = Vec::with_capacity(slots.len() * 400);
        let (outcomes, unavailable) = match outcomes {
            Some(Ok(outcomes)) => {
                if let Some(Outcome::NotTaken(why)) = outcomes.last() {
                    self.given_up.get_or_insert_with(|| why.clone());
                }
                (outcomes, None)
            }
            Some(Err(why)) => (Vec::new(), Some(problem::unavailable(&why))),
            None => (Vec::new(), None),
        };
        let mut outcomes = outcomes.iter();
        for Slot { line, read } in slots {
            let index = self.answered;
            self.answered += 1;
            match (read, &unavailable) {
                (Err(problem), _) => line::write_problem(&mut out, index, line, &problem),
                (Ok(_), Some(problem)) => line::write_problem(&mut out, index, line, problem),
                (Ok(asked_of), None) => {
                    let outcome = outcomes.next().expect("the engine gives an outcome for every command");
                    line::write(&mut out, index, line, outcome, asked_of);
                }
            }
        }
        self.outlet.put(out).await
    }
}

/// What has arrived without being waited for; the task that reads the connection gets a turn to bring it.
async fn already_here(incoming: &mut Incoming) -> Option<Arrival> {
    if let Some(arrival) = incoming.arrive().now_or_never() {
        return Some(arrival);
    }
    tokio::task::yield_now().await;
    incoming.arrive().now_or_never()
}
