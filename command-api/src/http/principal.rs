//! Who asks. There is no sign-in: everybody is the same principal. This is the one place that says so.

use std::sync::{Arc, LazyLock};

use axum::http::Extensions;

static ANONYMOUS: LazyLock<Arc<str>> = LazyLock::new(|| Arc::from("anonymous"));

/// The principal of a request.
pub(super) fn principal(_: &Extensions) -> Arc<str> {
    Arc::clone(&ANONYMOUS)
}
