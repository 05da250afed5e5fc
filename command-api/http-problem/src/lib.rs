//! What an error looks like over HTTP: the problem value, the request id that it carries, the page that explains its
//! code; and how parameters are read, so that every mistake in them is told in that form. No rules: nothing here knows
//! why anything is refused.

mod asked;
mod pages;
mod panics;
mod problem;
mod request_id;
mod routing;
mod spelling;

pub use asked::Asked;
pub use pages::{Explanation, explanation, explanations, pages};
pub use panics::catch_panics;
pub use problem::{FieldError, Problem, Recorded};
pub use request_id::{REQUEST_ID_BYTES_MAX, RequestId, current_request_id, with_request_id};
pub use routing::{KnownRoutes, completed, dressed};
pub use spelling::nearest;
