//! The closed set of commands, each with the aggregate that it is meant for.

use crate::account::AccountCommand;
use crate::ids::{AccountId, OrderId, PaymentId, ProductId, StreamId, TransferId};
use crate::order::OrderCommand;
use crate::payment::PaymentCommand;
use crate::product::ProductCommand;
use crate::text::Text;

/// Something that is asked of one aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Asked of an account.
    Account(AccountId, AccountCommand),
    /// Asked of a product.
    Product(ProductId, ProductCommand),
    /// Asked of an order.
    Order(OrderId, OrderCommand),
    /// Asked of a payment.
    Payment(PaymentId, PaymentCommand),
    /// Undoes a transfer; which accounts that concerns is known when the command is taken up.
    ReverseTransfer {
        /// The transfer's name.
        transfer_id: TransferId,
        /// Why.
        reason: Text,
    },
}

impl Command {
    /// The stream whose version an `expected_version` speaks of; none for a reversal, which concerns two accounts.
    #[must_use]
    pub fn stream(&self) -> Option<StreamId> {
        match self {
            Self::Account(id, _) => Some(StreamId::Account(id.clone())),
            Self::Product(id, _) => Some(StreamId::Product(id.clone())),
            Self::Order(id, _) => Some(StreamId::Order(id.clone())),
            Self::Payment(id, _) => Some(StreamId::Payment(id.clone())),
            Self::ReverseTransfer { .. } => None,
        }
    }
}
