//! A batch whose commands are accepted all together or not at all: one submission, and nothing of it where a line
//! cannot be read.

use std::collections::HashMap;

use axum::http::StatusCode;
use axum::response::Response;
use domain::ids::Position;
use http_problem::{FieldError, Problem};
use serde_json::{Value, json};

use super::incoming::{Arrival, Incoming};
use super::line::{self, Slot};
use super::{Batch, batch_empty, lines_response};
use crate::engine::{Mode, Outcome, Request, Submission};
use crate::http::explain::FAULTS_MAX;
use crate::http::head::Done;
use crate::http::problem::AskedOf;
use crate::http::{Commands, answer, problem, single};

/// Takes the batch.
///
/// # Errors
/// `batch_malformed` with every line that cannot be read; the problem of the command that was refused, for all.
pub(super) async fn take<C: Commands>(commands: &C, batch: Batch, mut incoming: Incoming) -> Result<Response, Problem> {
    let mut slots = Vec::new();
    let mut requests = Vec::new();
    let mut scratch = Vec::new();
    let line_bytes_max = incoming.line_bytes_max();
    loop {
        let arrival = incoming.arrive().await;
        while let Some(piece) = incoming.next_piece() {
            let (slot, request) = line::read(piece, &batch, line_bytes_max, &mut scratch);
            slots.push(slot);
            requests.extend(request);
        }
        if let Some(problem) = incoming.cut_short(arrival, Done::Nothing) {
            return Err(problem);
        }
        if arrival == Arrival::End {
            break;
        }
    }
    let slots = all_read(slots)?;
    if let Some((earlier, index)) = key_doubled(&requests) {
        return Err(problem::key_doubled(index, slots[index].0, slots[earlier].0));
    }
    let submission = Submission { requests, mode: Mode::Atomic, dry_run: batch.dry_run };
    let outcomes = commands.submit(submission).await.map_err(|why| problem::unavailable(&why))?;
    let refused = outcomes.iter().position(|o| !matches!(o, Outcome::Accepted(_) | Outcome::NotDecided { .. }));
    match refused {
        None => Ok(accepted(&slots, &outcomes)),
        Some(refused) => Ok(single::positioned(refusal(&slots, &outcomes, refused))),
    }
}

/// A line that could be read: its number, and what it is asked of.
type Asked = (u64, AskedOf);

fn all_read(slots: Vec<Slot>) -> Result<Vec<Asked>, Problem> {
    if slots.is_empty() {
        return Err(batch_empty());
    }
    let lines = slots.len();
    let mut asked = Vec::with_capacity(lines);
    let mut faults = Vec::new();
    let mut malformed = 0;
    for Slot { line, read } in slots {
        match read {
            Ok(asked_of) => asked.push((line, asked_of)),
            Err(problem) => {
                malformed += 1;
                faults.extend(of_line(line, &problem).into_iter().take(FAULTS_MAX - faults.len().min(FAULTS_MAX)));
            }
        }
    }
    if malformed == 0 {
        return Ok(asked);
    }
    let detail = format!(
        "{malformed} of {lines} commands cannot be read, so nothing of this atomic batch was done; errors says what \
         is wrong, line by line"
    );
    Err(Problem::new(StatusCode::BAD_REQUEST, "batch_malformed", detail)
        .errors(faults)
        .figure("malformed", malformed)
        .figure("commands", lines))
}

/// What is wrong with a line, with its number in front.
fn of_line(line: u64, problem: &Problem) -> Vec<FieldError> {
    if problem.errors.is_empty() {
        return vec![FieldError::new(format!("line {line}"), problem.code, problem.detail.clone())];
    }
    let named = problem.errors.iter().map(|fault| FieldError {
        param: format!("line {line}: {}", fault.param),
        code: fault.code.clone(),
        detail: fault.detail.clone(),
    });
    named.collect()
}

/// The first command that has the key of an earlier one, behind that one.
fn key_doubled(requests: &[Request]) -> Option<(usize, usize)> {
    let mut first = HashMap::with_capacity(requests.len());
    let mut requests = requests.iter().enumerate();
    requests.find_map(|(index, request)| first.insert(&*request.key, index).map(|earlier| (earlier, index)))
}

fn accepted(slots: &[Asked], outcomes: &[Outcome]) -> Response {
    let mut out = Vec::with_capacity(outcomes.len() * 400);
    let mut last = None;
    for (index, ((line, asked_of), outcome)) in slots.iter().zip(outcomes).enumerate() {
        line::write(&mut out, index as u64, *line, outcome, *asked_of);
        if let Outcome::Accepted(accepted) = outcome {
            last = last.max(accepted.position);
        }
    }
    let mut response = lines_response(out);
    if let Some(Position(position)) = last {
        response.headers_mut().insert(single::POSITION, position.into());
    }
    response
}

/// The problem of the one command that was refused, for the whole batch.
fn refusal(slots: &[Asked], outcomes: &[Outcome], refused: usize) -> Problem {
    let (line, asked_of) = slots[refused];
    let mut problem = single::not_accepted(&outcomes[refused], asked_of, &format!("line {line}: key"));
    problem.detail = format!(
        "the command with index {refused} (line {line}) was not accepted, so nothing of this atomic batch was done: {}",
        problem.detail
    );
    let each = slots.iter().zip(outcomes).enumerate().map(|(index, ((line, asked_of), outcome))| match outcome {
        Outcome::Accepted(accepted) => {
            json!({"index": index, "line": line, "status": answer::status(accepted).as_u16(), "replayed": true})
        }
        other => {
            let Problem { status, code, .. } = single::not_accepted(other, *asked_of, "key");
            json!({"index": index, "line": line, "status": status.as_u16(), "code": code})
        }
    });
    let each: Vec<Value> = each.collect();
    problem.figure("refused_index", refused).figure("refused_line", line).figure("lines", each)
}
