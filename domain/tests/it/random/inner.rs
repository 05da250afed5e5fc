//! Random commands of process managers, asked out of turn.

use domain::account::{AccountCommand, CaptureTo};
use domain::command::Command;
use domain::order::pricing::ReservedLine;
use domain::order::{OrderCommand, PaymentStep, ProductQuote};
use domain::payment::{CaptureMode, Payer, PaymentCommand};
use domain::product::ProductCommand;
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use super::{ACCOUNTS, HOLDS, ORDERS, PAYMENTS, PRODUCTS, TRANSFERS, amount, command, name, quantity};
use crate::ask::{account, id, order, payment, product};

/// Any command, those among them that only process managers ask.
pub(crate) fn any_command() -> BoxedStrategy<Command> {
    prop_oneof![
        4 => command(),
        2 => (name(ACCOUNTS), inner_account_command()).prop_map(|(name, command)| account(name, command)),
        2 => (name(PRODUCTS), inner_product_command()).prop_map(|(name, command)| product(name, command)),
        2 => (name(ORDERS), inner_order_command()).prop_map(|(name, command)| order(name, command)),
        1 => (name(PAYMENTS), inner_payment_command()).prop_map(|(name, command)| payment(name, command)),
    ]
    .boxed()
}

fn inner_account_command() -> BoxedStrategy<AccountCommand> {
    let payment = || of(name(PAYMENTS).prop_map(id));
    prop_oneof![
        (name(HOLDS), amount(), payment()).prop_map(|(hold, amount, payment_id)| {
            AccountCommand::PlaceHold { hold_id: id(hold), amount, payment_id }
        }),
        (name(HOLDS), of(amount()), payment()).prop_map(|(hold, amount, payment_id)| AccountCommand::CaptureHold {
            hold_id: id(hold),
            amount,
            to: CaptureTo::External,
            release_rest: true,
            payment_id
        }),
        (name(HOLDS), payment())
            .prop_map(|(hold, payment_id)| AccountCommand::ReleaseHold { hold_id: id(hold), payment_id }),
        (name(TRANSFERS), name(ACCOUNTS), amount()).prop_map(|(transfer, from, amount)| {
            AccountCommand::ReceiveTransfer { transfer_id: id(transfer), from: id(from), amount, reference: None }
        }),
        (name(TRANSFERS), name(ACCOUNTS), amount()).prop_map(|(transfer, to, amount)| {
            AccountCommand::ReturnTransfer { transfer_id: id(transfer), to: id(to), amount, reason: id("because") }
        }),
        (name(TRANSFERS), name(ACCOUNTS), amount()).prop_map(|(transfer, from, amount)| {
            AccountCommand::RestoreTransfer { transfer_id: id(transfer), from: id(from), amount, reason: id("because") }
        }),
        (name(HOLDS), name(ACCOUNTS), amount(), payment()).prop_map(|(hold, from, amount, payment_id)| {
            AccountCommand::ReceiveCapture { hold_id: id(hold), from: id(from), amount, payment_id }
        }),
        (name(PAYMENTS), name(ACCOUNTS), amount()).prop_map(|(payment, to, amount)| AccountCommand::SendRefund {
            payment_id: id(payment),
            refund_id: id("r"),
            to: id(to),
            amount
        }),
        (name(PAYMENTS), name(ACCOUNTS), amount()).prop_map(|(payment, from, amount)| AccountCommand::ReceiveRefund {
            payment_id: id(payment),
            refund_id: id("r"),
            from: id(from),
            amount
        }),
    ]
    .boxed()
}

fn inner_product_command() -> BoxedStrategy<ProductCommand> {
    let of_order = || (name(ORDERS).prop_map(id), quantity());
    prop_oneof![
        of_order().prop_map(|(order_id, quantity)| ProductCommand::Reserve { order_id, quantity }),
        of_order().prop_map(|(order_id, quantity)| ProductCommand::Release { order_id, quantity }),
        of_order().prop_map(|(order_id, quantity)| ProductCommand::Ship { order_id, quantity }),
        of_order().prop_map(|(order_id, quantity)| ProductCommand::Restock { order_id, quantity }),
    ]
    .boxed()
}

fn inner_order_command() -> BoxedStrategy<OrderCommand> {
    let reserved = (name(PRODUCTS), quantity(), amount(), 0..=10_000_i64).prop_map(
        |(product, quantity, unit_price, tax_rate_bps)| ReservedLine {
            product_id: id(product),
            name: id("thing"),
            quantity,
            unit_price,
            tax_rate_bps,
        },
    );
    let quote = of((any::<bool>(), prop_oneof![9 => Just("JPY"), 1 => Just("USD")])
        .prop_map(|(discontinued, currency)| ProductQuote { currency: id(currency), discontinued }));
    let step = select(vec![PaymentStep::Authorized, PaymentStep::Captured, PaymentStep::Voided, PaymentStep::Refunded]);
    let mode = select(vec![CaptureMode::Automatic, CaptureMode::OnShipment, CaptureMode::Manual]);
    prop_oneof![
        (name(PRODUCTS), quantity(), quote).prop_map(|(product, quantity, quote)| {
            OrderCommand::AddItem { product_id: id(product), quantity, quote }
        }),
        (vec(reserved, 0..3), weighted(0.1, amount()))
            .prop_map(|(lines, expected_total)| OrderCommand::ConfirmPlacement { lines, expected_total }),
        (name(PAYMENTS), step, amount(), mode).prop_map(|(payment, step, money, capture)| {
            let (amount, currency) = (money.amount, money.currency);
            OrderCommand::RecordPayment { payment_id: id(payment), step, amount, currency, capture }
        }),
    ]
    .boxed()
}

fn inner_payment_command() -> BoxedStrategy<PaymentCommand> {
    let payee_currency = of(Just(id("JPY")));
    prop_oneof![
        Just(PaymentCommand::Approve),
        name(ORDERS).prop_map(|order| PaymentCommand::Cancel { order_id: id(order) }),
        (amount(), payee_currency).prop_map(|(amount, payee_currency)| PaymentCommand::Request {
            order_id: None,
            payer: Payer::Account(id("a")),
            payee_account_id: id("b"),
            amount,
            capture: CaptureMode::Manual,
            payee_currency,
        }),
    ]
    .boxed()
}
