//! Sending commands to a server: batches of NDJSON to `POST /v1/commands`, one after another, so that they are decided
//! in order. What gets no answer is sent again under the same keys, which makes that safe; not for ever.

use std::cell::Cell;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use tokio::time::Instant;

use super::command::Command;

/// How long a batch is tried before the import gives up: a server that answered before is being started again, one that
/// never did is most likely not there.
const PATIENCE: Duration = Duration::from_secs(120);
const PATIENCE_AT_FIRST: Duration = Duration::from_secs(10);
/// How long one attempt may take.
const ATTEMPT_MAX: Duration = Duration::from_secs(60);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Why an import cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    #[error(
        "{url} gave no answer for {} s: {last}. Start the server, or give its address with --url, and import the file \
         again: what was done already is not done twice",
        .after.as_secs()
    )]
    NoAnswer { url: String, after: Duration, last: String },
    #[error("{url} answered {status}: {detail}")]
    Refused { url: String, status: StatusCode, detail: String },
    #[error("{url} answered what is not the answer to a batch: {reason}")]
    Answer { url: String, reason: String },
    #[error("cannot prepare the connection: {0}")]
    Client(reqwest::Error),
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It was accepted, now or (`replayed`) under an earlier request.
    Accepted { replayed: bool, position: u64 },
    /// It was refused.
    Refused { code: String, detail: String },
}

/// A connection to a server.
#[derive(Debug)]
pub(crate) struct Sender {
    client: Client,
    url: String,
    patience: Cell<Duration>,
}

/// One line of the answer to a batch.
#[derive(Debug, Deserialize)]
struct Line {
    index: usize,
    status: u16,
    #[serde(default)]
    replayed: bool,
    #[serde(default)]
    position: Option<u64>,
    #[serde(default)]
    problem: Option<Problem>,
}

/// Why something was not done.
#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    detail: String,
    retryable: bool,
}

/// Why an attempt failed.
enum Attempt {
    /// Trying again may help, after a while.
    Again {
        reason: String,
        after: Option<Duration>,
    },
    Never(SendError),
}

impl Sender {
    /// A sender to the server at a base URL.
    pub(crate) fn new(url: &str) -> Result<Self, SendError> {
        let client = Client::builder().connect_timeout(Duration::from_secs(5)).timeout(ATTEMPT_MAX).tcp_nodelay(true);
        let client = client.build().map_err(SendError::Client)?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned(), patience: Cell::new(PATIENCE_AT_FIRST) })
    }

    /// Sends commands and answers what became of each, in order.
    pub(crate) async fn send(&self, commands: &[Command]) -> Result<Vec<Answer>, SendError> {
        let mut body = Vec::new();
        for command in commands {
            serde_json::to_writer(&mut body, command).expect("commands are made of strings and numbers");
            body.push(b'\n');
        }
        let url = format!("{}/v1/commands?mode=independent", self.url);
        self.until_answered(&url, async || {
            let request = self.client.post(&url).header(CONTENT_TYPE, "application/x-ndjson").body(body.clone());
            let text = self.text_of(&url, request.send().await).await?;
            read_answers(&url, &text, commands.len())
        })
        .await
    }

    /// Asks a query until it answers.
    pub(crate) async fn get<T: serde::de::DeserializeOwned>(&self, path: &str) -> Result<T, SendError> {
        let url = format!("{}{path}", self.url);
        self.until_answered(&url, async || {
            let text = self.text_of(&url, self.client.get(&url).send().await).await?;
            let answer = serde_json::from_str(&text);
            answer.map_err(|error| Attempt::Never(SendError::Answer { url: url.clone(), reason: error.to_string() }))
        })
        .await
    }

    async fn until_answered<T>(
        &self,
        url: &str,
        attempt: impl AsyncFn() -> Result<T, Attempt>,
    ) -> Result<T, SendError> {
        let began = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            let (reason, after) = match attempt().await {
                Ok(answer) => {
                    self.patience.set(PATIENCE);
                    return Ok(answer);
                }
                Err(Attempt::Never(error)) => return Err(error),
                Err(Attempt::Again { reason, after }) => (reason, after),
            };
            if began.elapsed() >= self.patience.get() {
                return Err(SendError::NoAnswer { url: url.to_owned(), after: began.elapsed(), last: reason });
            }
            tokio::time::sleep(after.unwrap_or(pause).min(PAUSE_MAX)).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// The body of an answer, where it is one to read.
    async fn text_of(&self, url: &str, response: Result<Response, reqwest::Error>) -> Result<String, Attempt> {
        let again = |error: reqwest::Error| Attempt::Again { reason: told(&error), after: None };
        let response = response.map_err(again)?;
        let status = response.status();
        let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let text = response.text().await.map_err(again)?;
        if status.is_success() {
            return Ok(text);
        }
        let detail = serde_json::from_str::<Problem>(&text).map_or(text, |problem| problem.detail);
        Err(match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => {
                Attempt::Again { reason: format!("{status}: {detail}"), after: after.map(Duration::from_secs) }
            }
            _ => Attempt::Never(SendError::Refused { url: url.to_owned(), status, detail }),
        })
    }
}

/// Reads one line per command; a line that says "try again" makes the whole batch be tried again.
fn read_answers(url: &str, text: &str, commands: usize) -> Result<Vec<Answer>, Attempt> {
    let strange = |reason: String| Attempt::Never(SendError::Answer { url: url.to_owned(), reason });
    let mut answers = Vec::with_capacity(commands);
    for text in text.lines() {
        let line: Line = serde_json::from_str(text).map_err(|error| strange(format!("{error} in {text}")))?;
        if line.index != answers.len() {
            return Err(strange(format!("the answer to command {} instead of {}", line.index, answers.len())));
        }
        answers.push(match (line.position, line.problem) {
            (Some(position), None) => Answer::Accepted { replayed: line.replayed, position },
            (_, Some(problem)) if problem.retryable => {
                return Err(Attempt::Again { reason: format!("{}: {}", line.status, problem.detail), after: None });
            }
            (_, Some(Problem { code, detail, .. })) => Answer::Refused { code, detail },
            (None, None) => return Err(strange(format!("neither a position nor a problem: {text}"))),
        });
    }
    if answers.len() == commands {
        return Ok(answers);
    }
    let reason = format!("the answer ended after {} of {commands} commands", answers.len());
    Err(Attempt::Again { reason, after: None })
}

/// An error with its causes: the outermost alone says only that something could not be sent.
fn told(error: &reqwest::Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    std::iter::once(error.to_string()).chain(causes.map(ToString::to_string)).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn read(text: &str, commands: usize) -> Result<Vec<Answer>, String> {
        read_answers("http://x", text, commands).map_err(|attempt| match attempt {
            Attempt::Again { reason, .. } => format!("again: {reason}"),
            Attempt::Never(error) => error.to_string(),
        })
    }

    #[test]
    fn every_command_has_its_line() {
        let text = concat!(
            r#"{"index":0,"status":201,"result":{},"position":7,"replayed":false}"#,
            "\n",
            r#"{"index":1,"status":200,"position":3,"replayed":true}"#,
            "\n",
            r#"{"index":2,"line":3,"status":422,"problem":{"code":"insufficient_funds","detail":"too little","retryable":false}}"#,
            "\n",
        );
        let refused = Answer::Refused { code: "insufficient_funds".to_owned(), detail: "too little".to_owned() };
        let expected = vec![
            Answer::Accepted { replayed: false, position: 7 },
            Answer::Accepted { replayed: true, position: 3 },
            refused,
        ];
        assert_eq!(read(text, 3), Ok(expected));
        assert_eq!(read(text, 4), Err("again: the answer ended after 3 of 4 commands".to_owned()));
    }

    #[test]
    fn a_line_that_may_succeed_later_is_tried_again_with_its_batch() {
        let text = r#"{"index":0,"status":503,"problem":{"code":"queue_full","detail":"full","retryable":true}}"#;
        assert_eq!(read(text, 1), Err("again: 503: full".to_owned()));
    }

    #[test]
    fn answers_out_of_order_are_not_taken() {
        let text = r#"{"index":1,"status":200,"position":3}"#;
        let error = "http://x answered what is not the answer to a batch: the answer to command 1 instead of 0";
        assert_eq!(read(text, 2), Err(error.to_owned()));
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_given_up_with_advice() {
        let sender = Sender::new("http://127.0.0.1:9/").unwrap();
        sender.patience.set(Duration::from_millis(300));
        let error = sender.get::<serde_json::Value>("/v1/accounts/a").await.unwrap_err().to_string();
        assert!(error.starts_with("http://127.0.0.1:9/v1/accounts/a gave no answer for 0 s: "), "{error}");
        assert!(error.contains("what was done already is not done twice"), "{error}");
    }
}
