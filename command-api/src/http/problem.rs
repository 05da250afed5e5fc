//! What a command's refusal looks like over HTTP: the status of every code, in one table, and the problem that is made
//! of a refusal. Why things are refused is the domain's.

use axum::http::StatusCode;
use domain::ids::Position;
use domain::rejection::Rejection;
use http_problem::{Problem, Recorded};
use serde_json::Value;

use crate::engine::Unavailable;

/// The status of every refusal. 404: what was named does not exist. 409: a name is taken, or what was named is not, or
/// no longer, in a state for this. 422: the rules refuse it.
const STATUSES: &[(&str, StatusCode)] = {
    const NOT_FOUND: StatusCode = StatusCode::NOT_FOUND;
    const CONFLICT: StatusCode = StatusCode::CONFLICT;
    const REFUSED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;
    &[
        ("amount_not_positive", REFUSED),
        ("amount_overflow", REFUSED),
        ("effective_in_future", REFUSED),
        ("version_conflict", CONFLICT),
        ("account_exists", CONFLICT),
        ("reserved_account_id", REFUSED),
        ("account_not_found", NOT_FOUND),
        ("account_closed", REFUSED),
        ("account_frozen", REFUSED),
        ("not_frozen", CONFLICT),
        ("currency_mismatch", REFUSED),
        ("insufficient_funds", REFUSED),
        ("balance_not_zero", REFUSED),
        ("holds_open", REFUSED),
        ("same_account", REFUSED),
        ("transfer_exists", CONFLICT),
        ("transfer_not_found", NOT_FOUND),
        ("already_reversed", CONFLICT),
        ("hold_exists", CONFLICT),
        ("hold_not_found", NOT_FOUND),
        ("hold_closed", CONFLICT),
        ("capture_exceeds_hold", REFUSED),
        ("hold_belongs_to_payment", REFUSED),
        ("product_exists", CONFLICT),
        ("unknown_product", REFUSED),
        ("product_discontinued", REFUSED),
        ("price_negative", REFUSED),
        ("tax_rate_out_of_range", REFUSED),
        ("quantity_not_positive", REFUSED),
        ("quantity_out_of_range", REFUSED),
        ("insufficient_stock", REFUSED),
        ("order_exists", CONFLICT),
        ("order_not_found", NOT_FOUND),
        ("invalid_order_state", CONFLICT),
        ("empty_order", REFUSED),
        ("item_not_found", NOT_FOUND),
        ("too_many_lines", REFUSED),
        ("duplicate_line", REFUSED),
        ("no_lines", REFUSED),
        ("total_changed", REFUSED),
        ("nothing_to_ship", CONFLICT),
        ("quantity_exceeds_ordered", REFUSED),
        ("quantity_exceeds_shipped", REFUSED),
        ("shipment_exists", CONFLICT),
        ("shipment_not_found", NOT_FOUND),
        ("already_delivered", CONFLICT),
        ("return_exists", CONFLICT),
        ("return_not_found", NOT_FOUND),
        ("return_closed", CONFLICT),
        ("payment_exists", CONFLICT),
        ("payment_not_found", NOT_FOUND),
        ("payment_exceeds_outstanding", REFUSED),
        ("payment_not_capturable", CONFLICT),
        ("payment_not_voidable", CONFLICT),
        ("capture_exceeds_authorized", REFUSED),
        ("refund_exceeds_captured", REFUSED),
        ("duplicate_operation", CONFLICT),
    ]
};

/// What a command was asked of, as far as the status of its refusal depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedOf {
    /// A product: that it does not exist is 404.
    Product,
    /// Anything else: that a product does not exist, which the command names, is 422.
    Other,
}

fn status(code: &str, asked_of: AskedOf) -> StatusCode {
    if code == "unknown_product" && asked_of == AskedOf::Product {
        return StatusCode::NOT_FOUND;
    }
    let known = STATUSES.iter().find(|(known, _)| *known == code);
    known.map_or(StatusCode::UNPROCESSABLE_ENTITY, |(_, status)| *status)
}

/// A command was refused.
pub(super) fn refused(rejection: &Rejection, position: Option<Position>, replayed: bool, asked_of: AskedOf) -> Problem {
    let code = rejection.code();
    let mut problem = Problem::new(status(code, asked_of), code, rejection.to_string());
    if let Ok(Value::Object(mut figures)) = serde_json::to_value(rejection) {
        figures.remove("code");
        problem.figures = figures;
    }
    problem.recorded = Some(Box::new(Recorded { position: position.map(|Position(p)| p), replayed }));
    problem
}

/// The key, which stands in this field, was used before for a different command.
pub(super) fn key_reused(field: &str) -> Problem {
    let detail = "this idempotency key was used before for a different command; use a new key for a new command, or \
                  send the first command again, unchanged, to get its answer";
    Problem::new(StatusCode::CONFLICT, "idempotency_key_reused", detail).param(field)
}

/// Two commands of an atomic batch, which begin on these lines, have the same key.
pub(super) fn key_doubled(index: usize, line: u64, earlier_line: u64) -> Problem {
    let detail = format!(
        "line {line} has the same key as line {earlier_line}, so nothing of this atomic batch was done; give each of \
         its commands a key of its own"
    );
    Problem::new(StatusCode::CONFLICT, "idempotency_key_reused", detail)
        .param(format!("line {line}: key"))
        .figure("refused_index", index)
        .figure("refused_line", line)
}

/// A command of an atomic batch was not decided, because another was refused.
pub(super) fn not_decided(refused_index: usize) -> Problem {
    let detail = format!(
        "the command with index {refused_index} was refused, so nothing of this atomic batch was done; correct or \
         leave that one out and send the batch again"
    );
    Problem::new(StatusCode::FAILED_DEPENDENCY, "not_decided", detail).figure("refused_index", refused_index)
}

/// An atomic batch has keys that were used before and keys that were not.
pub(super) fn batch_differs() -> Problem {
    let detail = "some keys of this atomic batch were used before and some were not, so it is not the batch that was \
                  sent before; send that one again unchanged, or use new keys for all commands";
    Problem::new(StatusCode::CONFLICT, "batch_differs", detail)
}

/// Nothing was taken up, or nobody knows what became of it.
pub(super) fn unavailable(why: &Unavailable) -> Problem {
    const LATER: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
    let detail = why.to_string();
    match why {
        Unavailable::QueueFull { queued } => {
            Problem::new(LATER, "queue_full", detail).retry_after(1).figure("queued", *queued)
        }
        Unavailable::DiskFull { .. } => Problem::new(LATER, "disk_full", detail).retry_after(30),
        Unavailable::NotReady { .. } => Problem::new(LATER, "storage_not_ready", detail).retry_after(5),
        Unavailable::Stopping => Problem::new(LATER, "stopping", detail).retry_after(5),
        Unavailable::TooLarge { .. } => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "transaction_too_large", detail),
        Unavailable::Unknown { .. } => {
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "outcome_unknown", detail).retry_after(5)
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_refusal_has_a_status_and_a_page_that_says_the_same() {
        let listed: BTreeSet<&str> = STATUSES.iter().map(|(code, _)| *code).collect();
        let known: BTreeSet<&str> = Rejection::CODES.iter().copied().collect();
        assert_eq!(listed, known);
        assert_eq!(STATUSES.len(), known.len(), "a code stands twice");
        for code in Rejection::CODES {
            let page = http_problem::explanation(code);
            let page = page.unwrap_or_else(|| panic!("docs/errors.md does not explain {code}"));
            let statuses = [AskedOf::Product, AskedOf::Other].map(|asked_of| status(code, asked_of).as_u16());
            let statuses: Vec<u16> = BTreeSet::from(statuses).into_iter().collect();
            assert_eq!(page.statuses, statuses, "{code}");
        }
    }

    #[test]
    fn every_other_problem_of_a_command_has_a_page_with_its_status() {
        let unavailable = [
            Unavailable::QueueFull { queued: 1 },
            Unavailable::DiskFull { detail: String::new() },
            Unavailable::NotReady { detail: String::new() },
            Unavailable::TooLarge { detail: String::new() },
            Unavailable::Stopping,
            Unavailable::Unknown { reason: String::new() },
        ];
        let others = [key_reused("key"), key_doubled(1, 2, 1), not_decided(0), batch_differs()];
        for problem in unavailable.iter().map(super::unavailable).chain(others) {
            let page = http_problem::explanation(problem.code).unwrap_or_else(|| panic!("{}", problem.code));
            assert_eq!(page.statuses, [problem.status.as_u16()], "{}", problem.code);
        }
    }

    #[test]
    fn a_refusal_has_its_figures_and_where_it_is_recorded() {
        let rejection = Rejection::InsufficientStock { product_id: "p".parse().unwrap(), requested: 2, available: 1 };
        let problem = refused(&rejection, Some(Position(7)), true, AskedOf::Other);
        assert_eq!(problem.detail, "product p has 1 available, 2 was asked");
        assert_eq!(
            Value::from(problem.figures),
            serde_json::json!({"product_id": "p", "requested": 2, "available": 1})
        );
        assert_eq!(problem.recorded, Some(Box::new(Recorded { position: Some(7), replayed: true })));
    }
}
