//! Short names for commands, so that a table of rules reads as one. Amounts are whole yen unless a currency is named:
//! a yen has no minor unit, so the figures in messages are the figures in the table.

use std::fmt::Debug;
use std::str::FromStr;

use domain::account::command::FreezeScope;
use domain::account::{AccountCommand, CaptureTo};
use domain::command::Command;
use domain::money::{Amount, Money};
use domain::order::{LineQuantity, OrderCommand};
use domain::payment::{CaptureMode, OperationCause, Payer, PaymentCommand};
use domain::product::ProductCommand;
use domain::text::Text;

/// Any identifier, text or currency.
pub(crate) fn id<T: FromStr<Err: Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

pub(crate) fn money(amount: i64, currency: &str) -> Money {
    Money::new(Amount::new(amount).unwrap(), id(currency))
}

pub(crate) fn yen(amount: i64) -> Money {
    money(amount, "JPY")
}

fn why() -> Text {
    id("because")
}

pub(crate) fn account(account: &str, command: AccountCommand) -> Command {
    Command::Account(id(account), command)
}

pub(crate) fn open(name: &str) -> Command {
    open_in(name, "JPY")
}

pub(crate) fn open_in(name: &str, currency: &str) -> Command {
    account(name, AccountCommand::Open { owner_id: id("owner"), currency: id(currency) })
}

pub(crate) fn deposit(name: &str, amount: i64) -> Command {
    deposit_money(name, yen(amount))
}

pub(crate) fn deposit_money(name: &str, amount: Money) -> Command {
    account(name, AccountCommand::Deposit { amount, reference: None })
}

pub(crate) fn withdraw(name: &str, amount: i64) -> Command {
    withdraw_money(name, yen(amount))
}

pub(crate) fn withdraw_money(name: &str, amount: Money) -> Command {
    account(name, AccountCommand::Withdraw { amount, reference: None })
}

pub(crate) fn send(transfer: &str, from: &str, to: &str, amount: i64) -> Command {
    send_money(transfer, from, to, yen(amount))
}

pub(crate) fn send_money(transfer: &str, from: &str, to: &str, amount: Money) -> Command {
    account(from, AccountCommand::SendTransfer { transfer_id: id(transfer), to: id(to), amount, reference: None })
}

pub(crate) fn reverse(transfer: &str) -> Command {
    Command::ReverseTransfer { transfer_id: id(transfer), reason: why() }
}

pub(crate) fn hold(name: &str, hold: &str, amount: i64) -> Command {
    hold_money(name, hold, yen(amount))
}

pub(crate) fn hold_money(name: &str, hold: &str, amount: Money) -> Command {
    account(name, AccountCommand::PlaceHold { hold_id: id(hold), amount, payment_id: None })
}

/// Captures out of Bursar; all that is held where no amount is named.
pub(crate) fn capture(name: &str, hold: &str, amount: impl Into<Option<i64>>) -> Command {
    capture_with(name, hold, amount.into(), CaptureTo::External, false)
}

pub(crate) fn capture_and_release(name: &str, hold: &str, amount: i64) -> Command {
    capture_with(name, hold, Some(amount), CaptureTo::External, true)
}

pub(crate) fn capture_to(name: &str, hold: &str, amount: i64, to: &str) -> Command {
    capture_with(name, hold, Some(amount), CaptureTo::Account(id(to)), false)
}

fn capture_with(name: &str, hold: &str, amount: Option<i64>, to: CaptureTo, release_rest: bool) -> Command {
    let amount = amount.map(yen);
    account(name, AccountCommand::CaptureHold { hold_id: id(hold), amount, to, release_rest, payment_id: None })
}

pub(crate) fn release(name: &str, hold: &str) -> Command {
    account(name, AccountCommand::ReleaseHold { hold_id: id(hold), payment_id: None })
}

pub(crate) fn freeze_debits(name: &str) -> Command {
    account(name, AccountCommand::Freeze { scope: FreezeScope::Debits, reason: why() })
}

pub(crate) fn freeze_all(name: &str) -> Command {
    account(name, AccountCommand::Freeze { scope: FreezeScope::All, reason: why() })
}

pub(crate) fn unfreeze(name: &str) -> Command {
    account(name, AccountCommand::Unfreeze { reason: why() })
}

pub(crate) fn close(name: &str) -> Command {
    account(name, AccountCommand::Close { reason: None })
}

pub(crate) fn product(product: &str, command: ProductCommand) -> Command {
    Command::Product(id(product), command)
}

pub(crate) fn create(name: &str, price: i64, tax_rate_bps: i64) -> Command {
    create_at(name, yen(price), tax_rate_bps)
}

pub(crate) fn create_at(name: &str, unit_price: Money, tax_rate_bps: i64) -> Command {
    product(name, ProductCommand::Create { name: id(name), unit_price, tax_rate_bps })
}

pub(crate) fn reprice(name: &str, price: i64) -> Command {
    product(name, ProductCommand::ChangePrice { unit_price: yen(price) })
}

pub(crate) fn receive(name: &str, quantity: i64) -> Command {
    product(name, ProductCommand::ReceiveStock { quantity })
}

pub(crate) fn adjust(name: &str, quantity: i64) -> Command {
    product(name, ProductCommand::AdjustStock { quantity, reason: why() })
}

pub(crate) fn discontinue(name: &str) -> Command {
    product(name, ProductCommand::Discontinue)
}

pub(crate) fn order(order: &str, command: OrderCommand) -> Command {
    Command::Order(id(order), command)
}

pub(crate) fn start(name: &str) -> Command {
    start_in(name, "JPY")
}

pub(crate) fn start_in(name: &str, currency: &str) -> Command {
    order(name, OrderCommand::Start { customer_id: id("customer"), currency: id(currency) })
}

pub(crate) fn add(name: &str, product: &str, quantity: i64) -> Command {
    order(name, OrderCommand::AddItem { product_id: id(product), quantity, quote: None })
}

pub(crate) fn change(name: &str, product: &str, quantity: i64) -> Command {
    order(name, OrderCommand::ChangeQuantity { product_id: id(product), quantity })
}

pub(crate) fn remove(name: &str, product: &str) -> Command {
    order(name, OrderCommand::RemoveItem { product_id: id(product) })
}

pub(crate) fn shipping(name: &str, cost: Money) -> Command {
    order(name, OrderCommand::SetShipping { method: id("post"), cost })
}

pub(crate) fn place(name: &str) -> Command {
    order(name, OrderCommand::Place { expected_total: None })
}

pub(crate) fn place_for(name: &str, expected: Money) -> Command {
    order(name, OrderCommand::Place { expected_total: Some(expected) })
}

pub(crate) fn cancel(name: &str) -> Command {
    order(name, OrderCommand::Cancel { reason: why() })
}

pub(crate) fn lines(lines: &[(&str, i64)]) -> Vec<LineQuantity> {
    lines.iter().map(|(product, quantity)| LineQuantity { product_id: id(product), quantity: *quantity }).collect()
}

/// Ships so many of each product; all that is left where none are named.
pub(crate) fn ship(name: &str, shipment: &str, goods: &[(&str, i64)]) -> Command {
    let (shipment_id, lines) = (id(shipment), lines(goods));
    order(name, OrderCommand::Ship { shipment_id, lines, carrier: None, tracking: None })
}

pub(crate) fn deliver(name: &str, shipment: &str) -> Command {
    order(name, OrderCommand::ConfirmDelivery { shipment_id: id(shipment) })
}

pub(crate) fn ask_return(name: &str, return_id: &str, goods: &[(&str, i64)]) -> Command {
    order(name, OrderCommand::RequestReturn { return_id: id(return_id), lines: lines(goods), reason: why() })
}

pub(crate) fn receive_return(name: &str, return_id: &str) -> Command {
    order(name, OrderCommand::ReceiveReturn { return_id: id(return_id) })
}

pub(crate) fn reject_return(name: &str, return_id: &str) -> Command {
    order(name, OrderCommand::RejectReturn { return_id: id(return_id), reason: why() })
}

pub(crate) fn payment(payment: &str, command: PaymentCommand) -> Command {
    Command::Payment(id(payment), command)
}

/// A payment from the account `payer` to the account `shop`, for no order.
pub(crate) fn pay(name: &str, amount: i64, capture: CaptureMode) -> Command {
    pay_from(name, None, "payer", "shop", yen(amount), capture)
}

/// A payment from the account `payer` to the account `shop`, for an order.
pub(crate) fn pay_order(name: &str, order: &str, amount: i64, capture: CaptureMode) -> Command {
    pay_from(name, Some(order), "payer", "shop", yen(amount), capture)
}

pub(crate) fn pay_from(
    name: &str,
    order: Option<&str>,
    payer: &str,
    payee: &str,
    amount: Money,
    capture: CaptureMode,
) -> Command {
    let request = PaymentCommand::Request {
        order_id: order.map(id),
        payer: Payer::Account(id(payer)),
        payee_account_id: id(payee),
        amount,
        capture,
        payee_currency: None,
    };
    payment(name, request)
}

/// Captures so much of a payment; all that is left where no amount is named.
pub(crate) fn capture_payment(name: &str, capture_id: &str, amount: impl Into<Option<i64>>) -> Command {
    let (capture_id, amount) = (id(capture_id), amount.into().map(yen));
    payment(name, PaymentCommand::Capture { capture_id, cause: OperationCause::Request, amount })
}

pub(crate) fn void(name: &str) -> Command {
    payment(name, PaymentCommand::Void)
}

/// Refunds so much of a payment; all that is left where no amount is named.
pub(crate) fn refund(name: &str, refund_id: &str, amount: impl Into<Option<i64>>) -> Command {
    let (refund_id, amount) = (id(refund_id), amount.into().map(yen));
    payment(name, PaymentCommand::Refund { refund_id, cause: OperationCause::Request, amount })
}
