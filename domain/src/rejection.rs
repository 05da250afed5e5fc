//! Refusals: every reason for which a command is not accepted, with the figures that explain it.
//! The codes are stable: programs match on them.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::currency::Currency;
use crate::ids::{
    AccountId, HoldId, OperationId, OrderId, PaymentId, ProductId, ReturnId, ShipmentId, TransferId, Version,
};
use crate::money::{AmountOverflow, Money};

macro_rules! rejections {
    ($($(#[doc = $doc:literal])* $name:ident = $code:literal, ($($message:tt)+) { $($(#[doc = $field_doc:literal])* $field:ident: $type:ty),* $(,)? })*) => {
        /// Why a command was refused.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
        #[serde(tag = "code", deny_unknown_fields)]
        pub enum Rejection {
            $(
                $(#[doc = $doc])*
                #[serde(rename = $code)]
                #[error($($message)+)]
                $name {
                    $($(#[doc = $field_doc])* $field: $type,)*
                },
            )*
        }

        impl Rejection {
            /// Every code there is, in the order of declaration.
            pub const CODES: &'static [&'static str] = &[$($code),*];

            /// The stable code that programs match on.
            #[must_use]
            pub const fn code(&self) -> &'static str {
                match self { $(Self::$name { .. } => $code,)* }
            }
        }
    };
}

rejections! {
    /// The amount is zero or negative.
    AmountNotPositive = "amount_not_positive", ("the amount is {amount}; it must be more than zero") {
        /// What was asked.
        amount: Money,
    }
    /// A sum would leave the range of exact integers.
    AmountOverflow = "amount_overflow", ("a sum would go beyond ±9007199254740991 minor units; use smaller amounts") {}
    /// The business time lies in the future.
    EffectiveInFuture = "effective_in_future", ("effective_at is {effective_at}, later than now ({now}); it must not lie in the future") {
        /// What was asked.
        effective_at: DateTime<Utc>,
        /// The engine's time.
        now: DateTime<Utc>,
    }
    /// The stream is not at the version that the caller expected.
    VersionConflict = "version_conflict", ("expected version {expected}, but the stream is at {}; read it again and decide anew", .actual.map_or_else(|| "no version yet".to_owned(), |v| v.to_string())) {
        /// What the caller expected.
        expected: Version,
        /// The version of the last event; none where the stream has no event.
        actual: Option<Version>,
    }

    /// There is an account of that name already.
    AccountExists = "account_exists", ("account {account_id} exists already; choose another id or use it") {
        /// Its name.
        account_id: AccountId,
    }
    /// The name is kept for ledger accounts that are not accounts of Bursar.
    ReservedAccountId = "reserved_account_id", ("account ids must not begin with external: or clearing:, {account_id} does; choose another id") {
        /// The name.
        account_id: AccountId,
    }
    /// There is no account of that name.
    AccountNotFound = "account_not_found", ("there is no account {account_id}; open it first") {
        /// The name.
        account_id: AccountId,
    }
    /// The account was closed.
    AccountClosed = "account_closed", ("account {account_id} is closed") {
        /// Its name.
        account_id: AccountId,
    }
    /// The account is frozen for what was asked.
    AccountFrozen = "account_frozen", ("account {account_id} is frozen; it must be unfrozen first") {
        /// Its name.
        account_id: AccountId,
    }
    /// The account is not frozen.
    NotFrozen = "not_frozen", ("account {account_id} is not frozen") {
        /// Its name.
        account_id: AccountId,
    }
    /// The account holds another currency.
    CurrencyMismatch = "currency_mismatch", ("the amount is in {requested}, but {expected} is needed here") {
        /// What is needed.
        expected: Currency,
        /// What was asked.
        requested: Currency,
    }
    /// There is not enough money available.
    InsufficientFunds = "insufficient_funds", ("account {account_id} has {available} available, {requested} was asked") {
        /// The account that should have paid.
        account_id: AccountId,
        /// Balance less holds.
        available: Money,
        /// What was asked.
        requested: Money,
    }
    /// The account cannot be closed with money on it.
    BalanceNotZero = "balance_not_zero", ("account {account_id} still has a balance of {balance}; bring it to zero before closing") {
        /// Its name.
        account_id: AccountId,
        /// The ledger balance.
        balance: Money,
    }
    /// The account cannot be closed while money is held.
    HoldsOpen = "holds_open", ("account {account_id} has {open} open holds; capture or release them before closing") {
        /// Its name.
        account_id: AccountId,
        /// How many.
        open: u64,
    }
    /// Both sides of the transfer are the same account.
    SameAccount = "same_account", ("account {account_id} cannot send to itself") {
        /// Its name.
        account_id: AccountId,
    }
    /// A transfer of that name was sent before.
    TransferExists = "transfer_exists", ("transfer {transfer_id} was sent already; choose another id") {
        /// Its name.
        transfer_id: TransferId,
    }
    /// There is no transfer of that name.
    TransferNotFound = "transfer_not_found", ("there is no transfer {transfer_id}") {
        /// The name.
        transfer_id: TransferId,
    }
    /// The transfer was reversed before.
    AlreadyReversed = "already_reversed", ("transfer {transfer_id} was reversed already") {
        /// Its name.
        transfer_id: TransferId,
    }
    /// The account has, or had, a hold of that name.
    HoldExists = "hold_exists", ("hold {hold_id} exists already on this account; choose another id") {
        /// Its name.
        hold_id: HoldId,
    }
    /// There is no hold of that name on the account.
    HoldNotFound = "hold_not_found", ("there is no hold {hold_id} on account {account_id}") {
        /// The account.
        account_id: AccountId,
        /// The name.
        hold_id: HoldId,
    }
    /// The hold was captured or released before.
    HoldClosed = "hold_closed", ("hold {hold_id} is closed; nothing is held under it any more") {
        /// Its name.
        hold_id: HoldId,
    }
    /// More was asked than the hold still holds.
    CaptureExceedsHold = "capture_exceeds_hold", ("hold {hold_id} still holds {remaining}, {requested} was asked") {
        /// Its name.
        hold_id: HoldId,
        /// What it still holds.
        remaining: Money,
        /// What was asked.
        requested: Money,
    }
    /// The hold secures a payment and moves only with it.
    HoldBelongsToPayment = "hold_belongs_to_payment", ("hold {hold_id} secures payment {payment_id}; capture or void the payment instead") {
        /// The hold.
        hold_id: HoldId,
        /// The payment.
        payment_id: PaymentId,
    }

    /// There is a product of that name already.
    ProductExists = "product_exists", ("product {product_id} exists already") {
        /// Its name.
        product_id: ProductId,
    }
    /// There is no product of that name.
    UnknownProduct = "unknown_product", ("there is no product {product_id}; create it first") {
        /// The name.
        product_id: ProductId,
    }
    /// The product is no longer sold.
    ProductDiscontinued = "product_discontinued", ("product {product_id} was discontinued") {
        /// Its name.
        product_id: ProductId,
    }
    /// A price below zero.
    PriceNegative = "price_negative", ("the price is {price}; it must not be below zero") {
        /// What was asked.
        price: Money,
    }
    /// A tax rate outside 0 to 100 %.
    TaxRateOutOfRange = "tax_rate_out_of_range", ("the tax rate is {tax_rate_bps} basis points; it must be between 0 and 10000 (100 %)") {
        /// What was asked, in basis points.
        tax_rate_bps: i64,
    }
    /// A quantity that must be positive is not.
    QuantityNotPositive = "quantity_not_positive", ("the quantity is {quantity}; it must be more than zero") {
        /// What was asked.
        quantity: i64,
    }
    /// A quantity or a correction of zero, or beyond the range of exact integers.
    QuantityOutOfRange = "quantity_out_of_range", ("the quantity {quantity} is not usable here; it must not be zero and the stock must stay within 9007199254740991") {
        /// What was asked.
        quantity: i64,
    }
    /// There is not enough stock.
    InsufficientStock = "insufficient_stock", ("product {product_id} has {available} available, {requested} was asked") {
        /// The product.
        product_id: ProductId,
        /// What was asked.
        requested: i64,
        /// On hand less reserved.
        available: i64,
    }

    /// There is an order of that name already.
    OrderExists = "order_exists", ("order {order_id} exists already") {
        /// Its name.
        order_id: OrderId,
    }
    /// There is no order of that name.
    OrderNotFound = "order_not_found", ("there is no order {order_id}; start it first") {
        /// The name.
        order_id: OrderId,
    }
    /// The order is not in a state that allows what was asked.
    InvalidOrderState = "invalid_order_state", ("order {order_id} is {state}; this needs it to be {allowed}") {
        /// Its name.
        order_id: OrderId,
        /// What it is.
        state: String,
        /// What it must be.
        allowed: String,
    }
    /// There is nothing in the cart.
    EmptyOrder = "empty_order", ("order {order_id} has no items; add some before placing it") {
        /// Its name.
        order_id: OrderId,
    }
    /// The order has no line of that product.
    ItemNotFound = "item_not_found", ("order {order_id} has no line of product {product_id}") {
        /// The order.
        order_id: OrderId,
        /// The product.
        product_id: ProductId,
    }
    /// The order has as many lines as an order can have.
    TooManyLines = "too_many_lines", ("an order has at most {limit} lines; start another order") {
        /// The bound.
        limit: u64,
    }
    /// The same product stands twice in one request.
    DuplicateLine = "duplicate_line", ("product {product_id} stands twice in the request; add its quantities up") {
        /// The product.
        product_id: ProductId,
    }
    /// No lines were named where some are needed.
    NoLines = "no_lines", ("the request names no lines; name at least one product and its quantity") {}
    /// The total differs from what the client expected.
    TotalChanged = "total_changed", ("the order comes to {actual}, not {expected}; show it to the customer again") {
        /// What the client expected.
        expected: Money,
        /// What it is.
        actual: Money,
    }
    /// Everything was shipped before.
    NothingToShip = "nothing_to_ship", ("everything of order {order_id} was shipped already") {
        /// Its name.
        order_id: OrderId,
    }
    /// More was asked to be shipped than is left to ship.
    QuantityExceedsOrdered = "quantity_exceeds_ordered", ("{unshipped} of product {product_id} are left to ship, {requested} was asked") {
        /// The product.
        product_id: ProductId,
        /// What is left.
        unshipped: i64,
        /// What was asked.
        requested: i64,
    }
    /// More was asked to be returned than was shipped and not returned yet.
    QuantityExceedsShipped = "quantity_exceeds_shipped", ("{returnable} of product {product_id} can be returned, {requested} was asked") {
        /// The product.
        product_id: ProductId,
        /// What can be returned.
        returnable: i64,
        /// What was asked.
        requested: i64,
    }
    /// A shipment of that name exists on the order.
    ShipmentExists = "shipment_exists", ("shipment {shipment_id} exists already on this order; choose another id") {
        /// Its name.
        shipment_id: ShipmentId,
    }
    /// There is no shipment of that name on the order.
    ShipmentNotFound = "shipment_not_found", ("there is no shipment {shipment_id} on this order") {
        /// The name.
        shipment_id: ShipmentId,
    }
    /// The shipment was delivered before.
    AlreadyDelivered = "already_delivered", ("shipment {shipment_id} was delivered already") {
        /// Its name.
        shipment_id: ShipmentId,
    }
    /// A return of that name exists on the order.
    ReturnExists = "return_exists", ("return {return_id} exists already on this order; choose another id") {
        /// Its name.
        return_id: ReturnId,
    }
    /// There is no return of that name on the order.
    ReturnNotFound = "return_not_found", ("there is no return {return_id} on this order") {
        /// The name.
        return_id: ReturnId,
    }
    /// The return was received or rejected before.
    ReturnClosed = "return_closed", ("return {return_id} is {state} already") {
        /// Its name.
        return_id: ReturnId,
        /// What it is.
        state: String,
    }

    /// There is a payment of that name already.
    PaymentExists = "payment_exists", ("payment {payment_id} exists already") {
        /// Its name.
        payment_id: PaymentId,
    }
    /// There is no payment of that name.
    PaymentNotFound = "payment_not_found", ("there is no payment {payment_id}; request it first") {
        /// The name.
        payment_id: PaymentId,
    }
    /// The payment would bring the order above its total.
    PaymentExceedsOutstanding = "payment_exceeds_outstanding", ("order {order_id} has {outstanding} left to pay, {requested} was asked") {
        /// The order.
        order_id: OrderId,
        /// What is left to pay.
        outstanding: Money,
        /// What was asked.
        requested: Money,
    }
    /// The payment is not in a state from which it can be captured.
    PaymentNotCapturable = "payment_not_capturable", ("payment {payment_id} is {status}; only an authorized payment can be captured") {
        /// Its name.
        payment_id: PaymentId,
        /// What it is.
        status: String,
    }
    /// The payment has nothing authorized that could be voided.
    PaymentNotVoidable = "payment_not_voidable", ("payment {payment_id} is {status}; nothing is authorized that could be voided") {
        /// Its name.
        payment_id: PaymentId,
        /// What it is.
        status: String,
    }
    /// More was asked than is still authorized.
    CaptureExceedsAuthorized = "capture_exceeds_authorized", ("payment {payment_id} has {capturable} left to capture, {requested} was asked") {
        /// Its name.
        payment_id: PaymentId,
        /// Authorized, less captured and voided.
        capturable: Money,
        /// What was asked.
        requested: Money,
    }
    /// More was asked back than was captured and not refunded yet.
    RefundExceedsCaptured = "refund_exceeds_captured", ("payment {payment_id} has {refundable} left to refund, {requested} was asked") {
        /// Its name.
        payment_id: PaymentId,
        /// Captured less refunded.
        refundable: Money,
        /// What was asked.
        requested: Money,
    }
    /// A capture or refund of that name was done before.
    DuplicateOperation = "duplicate_operation", ("operation {operation_id} was done already on payment {payment_id}; choose another id") {
        /// The payment.
        payment_id: PaymentId,
        /// The operation.
        operation_id: OperationId,
    }
}

impl From<AmountOverflow> for Rejection {
    fn from(_: AmountOverflow) -> Self {
        Self::AmountOverflow {}
    }
}
