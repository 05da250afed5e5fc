//! Commands as an import writes them: one line of NDJSON for `POST /v1/commands` each. What the fields mean is said by
//! the HTTP contract; which commands an import needs is said by its mapping.

use chrono::{DateTime, Utc};
use domain::currency::Currency;
use domain::ids::{AccountId, CustomerId, OrderId, OwnerId, PaymentId, ProductId, ReturnId, ShipmentId, TransferId};
use domain::money::Money;
use domain::order::LineQuantity;
use domain::payment::{CaptureMode, Payer};
use domain::text::Text;
use serde::Serialize;

/// A command, where it comes from, and the key under which it is done once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Command {
    /// What is asked.
    #[serde(flatten)]
    pub body: Body,
    /// The idempotency key.
    pub key: String,
    /// When it happened in business.
    pub effective_at: DateTime<Utc>,
    /// The line of the file that it comes from, for reports about it.
    #[serde(skip)]
    pub line: u64,
}

/// What imports ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Body {
    OpenAccount {
        account_id: AccountId,
        owner_id: OwnerId,
        currency: Currency,
    },
    Deposit {
        account_id: AccountId,
        amount: Money,
        reference: Text,
    },
    SendTransfer {
        transfer_id: TransferId,
        from: AccountId,
        to: AccountId,
        amount: Money,
        reference: Text,
    },
    CreateProduct {
        product_id: ProductId,
        name: Text,
        unit_price: Money,
        tax_rate_bps: i64,
    },
    ChangePrice {
        product_id: ProductId,
        unit_price: Money,
    },
    ReceiveStock {
        product_id: ProductId,
        quantity: i64,
    },
    AdjustStock {
        product_id: ProductId,
        quantity: i64,
        reason: Text,
    },
    StartOrder {
        order_id: OrderId,
        customer_id: CustomerId,
        currency: Currency,
    },
    AddItem {
        order_id: OrderId,
        product_id: ProductId,
        quantity: i64,
    },
    PlaceOrder {
        order_id: OrderId,
        expected_total: Money,
    },
    ShipOrder {
        order_id: OrderId,
        shipment_id: ShipmentId,
    },
    ConfirmDelivery {
        order_id: OrderId,
        shipment_id: ShipmentId,
    },
    RequestReturn {
        order_id: OrderId,
        return_id: ReturnId,
        lines: Vec<LineQuantity>,
        reason: Text,
    },
    ReceiveReturn {
        order_id: OrderId,
        return_id: ReturnId,
    },
    RequestPayment {
        payment_id: PaymentId,
        order_id: OrderId,
        payer: Payer,
        payee_account_id: AccountId,
        amount: Money,
        capture: CaptureMode,
    },
}

impl Body {
    /// The command's type, as it stands in its JSON.
    pub(crate) fn command_type(&self) -> &'static str {
        match self {
            Self::OpenAccount { .. } => "open_account",
            Self::Deposit { .. } => "deposit",
            Self::SendTransfer { .. } => "send_transfer",
            Self::CreateProduct { .. } => "create_product",
            Self::ChangePrice { .. } => "change_price",
            Self::ReceiveStock { .. } => "receive_stock",
            Self::AdjustStock { .. } => "adjust_stock",
            Self::StartOrder { .. } => "start_order",
            Self::AddItem { .. } => "add_item",
            Self::PlaceOrder { .. } => "place_order",
            Self::ShipOrder { .. } => "ship_order",
            Self::ConfirmDelivery { .. } => "confirm_delivery",
            Self::RequestReturn { .. } => "request_return",
            Self::ReceiveReturn { .. } => "receive_return",
            Self::RequestPayment { .. } => "request_payment",
        }
    }
}
