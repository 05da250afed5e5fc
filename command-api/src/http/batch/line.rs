//! One line of the answer to a batch, and what stands behind it: what became of one line of the request.

use axum::http::StatusCode;
use http_problem::Problem;

use super::Batch;
use super::split::{Piece, Wrong};
use crate::engine::{Outcome, Request};
use crate::http::problem::AskedOf;
use crate::http::{answer, catalogue, read, single};

/// A line of the request: a command that is with the engine, or one that could not be read.
#[derive(Debug)]
pub(super) struct Slot {
    /// The line that it begins on, counted from 1.
    pub(super) line: u64,
    /// What it asks, or why it cannot be asked.
    pub(super) read: Result<AskedOf, Box<Problem>>,
}

/// Reads a piece of the body: its slot, and its command if it could be read. `scratch` is overwritten.
pub(super) fn read(
    piece: Piece<'_>,
    batch: &Batch,
    line_bytes_max: usize,
    scratch: &mut Vec<u8>,
) -> (Slot, Option<Request>) {
    let (line, taken) = match piece {
        Piece::Command { line, text } => (line, catalogue::line(text, scratch)),
        Piece::Wrong { line, wrong } => (line, Err(told(wrong, line_bytes_max))),
    };
    match taken {
        Ok(mut taken) => {
            let asked_of = single::asked_of(&taken.command);
            let key = taken.key.take().expect("a line without a key is not taken");
            (Slot { line, read: Ok(asked_of) }, Some(single::engine_request(taken, key, batch.caller.clone())))
        }
        Err(problem) => (Slot { line, read: Err(Box::new(problem)) }, None),
    }
}

fn told(wrong: Wrong, line_bytes_max: usize) -> Problem {
    let sentence = match wrong {
        Wrong::TooLong => {
            let detail =
                format!("the command is longer than {line_bytes_max} bytes; send it with fewer lines or less text");
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "line_too_long", detail)
                .figure("bytes_max", line_bytes_max);
        }
        Wrong::Empty => "there is no command between two commas of the array, or after the last one",
        Wrong::AfterEnd => "there is text after the ] that ends the array; write one array, or one command per line",
        Wrong::NoEnd => "the array does not end; a ] is missing, so its last element was not taken",
    };
    read::malformed(sentence.to_owned())
}

/// Writes the line of a command's outcome.
pub(super) fn write(out: &mut Vec<u8>, index: u64, line: u64, outcome: &Outcome, asked_of: AskedOf) {
    match outcome {
        Outcome::Accepted(accepted) => {
            write_head(out, index, line, answer::status(accepted));
            out.push(b',');
            answer::write_members(out, accepted);
            out.extend_from_slice(b"}\n");
        }
        other => write_problem(out, index, line, &single::not_accepted(other, asked_of, "key")),
    }
}

/// Writes the line of a problem.
pub(super) fn write_problem(out: &mut Vec<u8>, index: u64, line: u64, problem: &Problem) {
    write_head(out, index, line, problem.status);
    out.extend_from_slice(b",\"problem\":");
    out.extend_from_slice(&problem.to_json(None));
    out.extend_from_slice(b"}\n");
}

fn write_head(out: &mut Vec<u8>, index: u64, line: u64, status: StatusCode) {
    out.extend_from_slice(b"{\"index\":");
    answer::write_number(out, index);
    out.extend_from_slice(b",\"line\":");
    answer::write_number(out, line);
    out.extend_from_slice(b",\"status\":");
    out.extend_from_slice(status.as_str().as_bytes());
}
