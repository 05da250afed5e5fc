//! The body of a batch as it arrives.

use std::time::Duration;

use axum::body::Body;
use http_body_util::BodyExt;
use http_problem::Problem;
use tokio::time::timeout;

use super::split::{Piece, Splitter};
use crate::http::Options;
use crate::http::head::{self, Done};

/// What has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// Some more of the body.
    More,
    /// The end: the body is complete.
    End,
    /// More than a body may have; the rest is not read.
    TooLarge,
    /// The body broke off; what is incomplete counts for nothing.
    Broken,
    /// Nothing more came for too long; what is incomplete counts for nothing.
    TooSlow,
}

/// The body of a batch, cut into commands.
pub(super) struct Incoming {
    body: Body,
    splitter: Splitter,
    received_bytes: usize,
    bytes_max: usize,
    line_bytes_max: usize,
    pause_max: Duration,
}

impl Incoming {
    pub(super) fn new(body: Body, options: &Options) -> Self {
        Self {
            body,
            splitter: Splitter::new(options.body_bytes_max),
            received_bytes: 0,
            bytes_max: options.batch_bytes_max,
            line_bytes_max: options.body_bytes_max,
            pause_max: options.body_read_timeout,
        }
    }

    /// Waits until more has arrived. It can be given up while it waits, and nothing is lost.
    pub(super) async fn arrive(&mut self) -> Arrival {
        let Ok(frame) = timeout(self.pause_max, self.body.frame()).await else { return Arrival::TooSlow };
        match frame {
            None => {
                self.splitter.finish();
                Arrival::End
            }
            Some(Err(_)) => Arrival::Broken,
            Some(Ok(frame)) => {
                let Ok(bytes) = frame.into_data() else { return Arrival::More };
                self.received_bytes += bytes.len();
                if self.received_bytes > self.bytes_max {
                    return Arrival::TooLarge;
                }
                self.splitter.push(&bytes);
                Arrival::More
            }
        }
    }

    /// The next piece of what has arrived.
    pub(super) fn next_piece(&mut self) -> Option<Piece<'_>> {
        self.splitter.next_piece()
    }

    /// Whether there will be a piece. To be asked before the first is taken.
    pub(super) fn has_begun(&mut self) -> bool {
        self.splitter.has_begun()
    }

    /// The line that comes next, counted from 1.
    pub(super) fn line(&self) -> u64 {
        self.splitter.line()
    }

    /// The longest line that is taken, in bytes.
    pub(super) fn line_bytes_max(&self) -> usize {
        self.line_bytes_max
    }

    /// Why the body did not come to its end, where it did not.
    pub(super) fn cut_short(&self, by: Arrival, done: Done) -> Option<Problem> {
        match by {
            Arrival::More | Arrival::End => None,
            Arrival::TooLarge => Some(head::body_too_large(self.bytes_max)),
            Arrival::TooSlow => Some(head::body_too_slow(self.pause_max, done)),
            Arrival::Broken => Some(head::body_incomplete(done)),
        }
    }
}
