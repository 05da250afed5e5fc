//! What a command's answer says of the new state: a short JSON object, kept with the command for ever.
//! Names and words are those of the queries. Amounts are minor units with their currency; lists that can grow long are left to the queries.

use domain::account::{Account, AccountCommand, AccountStatus};
use domain::cascade::Draft;
use domain::command::Command;
use domain::ids::{
    AccountId, CustomerId, HoldId, OrderId, OwnerId, PaymentId, ProductId, ReturnId, ShipmentId, TransferId,
};
use domain::money::{Amount, Money};
use domain::order::{Fulfilment, Order, OrderCommand, OrderPaymentStatus, OrderStatus};
use domain::payment::{Payment, PaymentStatus};
use domain::product::Product;
use domain::text::Text;
use domain::transfer::Transfer;
use serde::Serialize;

use super::states::Books;

#[derive(Serialize)]
struct AccountSummary<'a> {
    account_id: &'a AccountId,
    owner_id: &'a OwnerId,
    status: AccountStatus,
    balance: Money,
    held: Money,
    available: Money,
}

#[derive(Serialize)]
struct HoldSummary<'a> {
    hold_id: &'a HoldId,
    account_id: &'a AccountId,
    remaining: Money,
    status: &'static str,
    available: Money,
}

#[derive(Serialize)]
struct TransferSummary<'a> {
    transfer_id: &'a TransferId,
    from: &'a AccountId,
    to: &'a AccountId,
    amount: Money,
    status: &'static str,
}

#[derive(Serialize)]
struct ProductSummary<'a> {
    product_id: &'a ProductId,
    name: &'a Text,
    unit_price: Money,
    tax_rate_bps: i64,
    on_hand: i64,
    reserved: i64,
    available: i64,
    discontinued: bool,
}

#[derive(Serialize)]
struct OrderSummary<'a> {
    order_id: &'a OrderId,
    customer_id: &'a CustomerId,
    state: OrderStatus,
    payment_status: OrderPaymentStatus,
    fulfilment: Fulfilment,
    lines: usize,
    total: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipment_id: Option<&'a ShipmentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    return_id: Option<&'a ReturnId>,
}

#[derive(Serialize)]
struct PaymentSummary<'a> {
    payment_id: &'a PaymentId,
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a OrderId>,
    payee_account_id: &'a AccountId,
    status: PaymentStatus,
    amount: Money,
    authorized: Money,
    captured: Money,
    refunded: Money,
}

/// The summary of the state that a command has brought about.
pub(super) fn of(command: &Command, draft: &Draft, books: &Books) -> String {
    let mut summary = Vec::with_capacity(256);
    write(&mut summary, command, draft, books);
    String::from_utf8(summary).expect("JSON is text")
}

fn write(buffer: &mut Vec<u8>, command: &Command, draft: &Draft, books: &Books) {
    match command {
        Command::Account(id, command) => {
            let Some(account) = draft.account(books, id).and_then(|a| a.state.as_ref()) else { return };
            match command {
                AccountCommand::SendTransfer { transfer_id, .. } => transfer(buffer, transfer_id, draft, books),
                AccountCommand::PlaceHold { hold_id, .. }
                | AccountCommand::CaptureHold { hold_id, .. }
                | AccountCommand::ReleaseHold { hold_id, .. } => hold(buffer, id, hold_id, account),
                _ => put(
                    buffer,
                    &AccountSummary {
                        account_id: id,
                        owner_id: &account.owner_id,
                        status: account.status,
                        balance: account.money(account.balance),
                        held: account.money(account.held),
                        available: account.money(account.available()),
                    },
                ),
            }
        }
        Command::ReverseTransfer { transfer_id, .. } => transfer(buffer, transfer_id, draft, books),
        Command::Product(id, _) => {
            let Some(state) = draft.product(books, id).and_then(|p| p.state.as_ref()) else { return };
            product(buffer, id, state);
        }
        Command::Order(id, command) => {
            let Some(state) = draft.order(books, id).and_then(|o| o.state.as_ref()) else { return };
            order(buffer, id, command, state);
        }
        Command::Payment(id, _) => {
            let Some(state) = draft.payment(books, id).and_then(|p| p.state.as_ref()) else { return };
            payment(buffer, id, state);
        }
    }
}

fn put(buffer: &mut Vec<u8>, summary: &impl Serialize) {
    serde_json::to_writer(buffer, summary).expect("a summary of plain values is always JSON");
}

fn transfer(buffer: &mut Vec<u8>, transfer_id: &TransferId, draft: &Draft, books: &Books) {
    let Some(Transfer { from, to, amount, reversed }) = draft.transfer(books, transfer_id) else { return };
    let status = if *reversed { "reversed" } else { "received" };
    put(buffer, &TransferSummary { transfer_id, from, to, amount: *amount, status });
}

fn hold(buffer: &mut Vec<u8>, account_id: &AccountId, hold_id: &HoldId, account: &Account) {
    let remaining = account.holds.get(hold_id).map_or(Amount::ZERO, |hold| hold.remaining);
    let status = if remaining == Amount::ZERO { "closed" } else { "open" };
    let (remaining, available) = (account.money(remaining), account.money(account.available()));
    put(buffer, &HoldSummary { hold_id, account_id, remaining, status, available });
}

fn product(buffer: &mut Vec<u8>, product_id: &ProductId, product: &Product) {
    let summary = ProductSummary {
        product_id,
        name: &product.name,
        unit_price: product.unit_price,
        tax_rate_bps: product.tax_rate_bps,
        on_hand: product.on_hand,
        reserved: product.reserved,
        available: product.available(),
        discontinued: product.discontinued,
    };
    put(buffer, &summary);
}

fn order(buffer: &mut Vec<u8>, order_id: &OrderId, command: &OrderCommand, order: &Order) {
    let shipment_id = match command {
        OrderCommand::Ship { shipment_id, .. } | OrderCommand::ConfirmDelivery { shipment_id } => Some(shipment_id),
        _ => None,
    };
    let return_id = match command {
        OrderCommand::RequestReturn { return_id, .. }
        | OrderCommand::ReceiveReturn { return_id }
        | OrderCommand::RejectReturn { return_id, .. } => Some(return_id),
        _ => None,
    };
    let summary = OrderSummary {
        order_id,
        customer_id: &order.customer_id,
        state: order.status,
        payment_status: order.payment_status(),
        fulfilment: order.fulfilment(),
        lines: order.lines.len(),
        total: Money::new(order.total, order.currency),
        shipment_id,
        return_id,
    };
    put(buffer, &summary);
}

fn payment(buffer: &mut Vec<u8>, payment_id: &PaymentId, payment: &Payment) {
    let summary = PaymentSummary {
        payment_id,
        order_id: payment.order_id.as_ref(),
        payee_account_id: &payment.payee_account_id,
        status: payment.status(),
        amount: payment.amount,
        authorized: payment.money(payment.authorized),
        captured: payment.money(payment.captured),
        refunded: payment.money(payment.refunded),
    };
    put(buffer, &summary);
}
