//! What a command's answer says of the new state: a short JSON object, kept with the command for ever.
//! Names and words are those of the queries. Amounts are minor units with their currency; lists that can grow long are left to the queries.

use domain::account::{Account, AccountCommand};
use domain::cascade::Draft;
use domain::command::Command;
use domain::ids::{AccountId, HoldId, OrderId, PaymentId, ProductId, TransferId};
use domain::json::{Word, object};
use domain::money::{Amount, Money};
use domain::order::{Order, OrderCommand};
use domain::payment::Payment;
use domain::product::Product;
use domain::transfer::Transfer;

use super::states::Books;

/// Appends the summary of the state that a command has brought about.
pub(super) fn write(buffer: &mut Vec<u8>, command: &Command, draft: &Draft, books: &Books) {
    match command {
        Command::Account(id, command) => {
            let Some(account) = draft.account(books, id).and_then(|a| a.state.as_ref()) else { return };
            match command {
                AccountCommand::SendTransfer { transfer_id, .. } => transfer(buffer, transfer_id, draft, books),
                AccountCommand::PlaceHold { hold_id, .. }
                | AccountCommand::CaptureHold { hold_id, .. }
                | AccountCommand::ReleaseHold { hold_id, .. } => hold(buffer, id, hold_id, account),
                _ => object!(
                    buffer,
                    account_id: id,
                    owner_id: &account.owner_id,
                    status: &account.status,
                    balance: &account.money(account.balance),
                    held: &account.money(account.held),
                    available: &account.money(account.available()),
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

fn transfer(buffer: &mut Vec<u8>, transfer_id: &TransferId, draft: &Draft, books: &Books) {
    let Some(Transfer { from, to, amount, reversed }) = draft.transfer(books, transfer_id) else { return };
    let status = if *reversed { "reversed" } else { "received" };
    object!(buffer, transfer_id: transfer_id, from: from, to: to, amount: amount, status: &Word(status));
}

fn hold(buffer: &mut Vec<u8>, account_id: &AccountId, hold_id: &HoldId, account: &Account) {
    let remaining = account.holds.get(hold_id).map_or(Amount::ZERO, |hold| hold.remaining);
    let status = if remaining == Amount::ZERO { "closed" } else { "open" };
    let (remaining, available) = (account.money(remaining), account.money(account.available()));
    object!(
        buffer,
        hold_id: hold_id,
        account_id: account_id,
        remaining: &remaining,
        status: &Word(status),
        available: &available,
    );
}

fn product(buffer: &mut Vec<u8>, product_id: &ProductId, product: &Product) {
    object!(
        buffer,
        product_id: product_id,
        name: &product.name,
        unit_price: &product.unit_price,
        tax_rate_bps: &product.tax_rate_bps,
        on_hand: &product.on_hand,
        reserved: &product.reserved,
        available: &product.available(),
        discontinued: &product.discontinued,
    );
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
    object!(
        buffer,
        order_id: order_id,
        customer_id: &order.customer_id,
        state: &order.status,
        payment_status: &order.payment_status(),
        fulfilment: &order.fulfilment(),
        lines: &(order.lines.len() as i64),
        total: &Money::new(order.total, order.currency),
        shipment_id: &shipment_id,
        return_id: &return_id,
    );
}

fn payment(buffer: &mut Vec<u8>, payment_id: &PaymentId, payment: &Payment) {
    object!(
        buffer,
        payment_id: payment_id,
        order_id: &payment.order_id,
        payee_account_id: &payment.payee_account_id,
        status: &payment.status(),
        amount: &payment.amount,
        authorized: &payment.money(payment.authorized),
        captured: &payment.money(payment.captured),
        refunded: &payment.money(payment.refunded),
    );
}
