//! What the tests ask of the engine: commands on the accounts, products, orders and payments of one small shop, the
//! requests that carry them, and the one way to hand them in.

use domain::account::{AccountCommand, CaptureTo};
use domain::command::Command;
use domain::ids::{AccountId, OrderId, PaymentId, ProductId};
use domain::money::{AMOUNT_MAX, Amount, Money};
use domain::order::{LineQuantity, OrderCommand};
use domain::payment::{CaptureMode, Payer, PaymentCommand};
use domain::product::ProductCommand;

use command_api::engine::{Accepted, Engine, Mode, Outcome, Request, Submission};

pub(crate) fn gbp(amount: i64) -> Money {
    Money::new(Amount::new(amount).unwrap(), "GBP".parse().unwrap())
}

pub(crate) fn on_account(account: &str, command: AccountCommand) -> Command {
    Command::Account(AccountId::new(account).unwrap(), command)
}

pub(crate) fn open(account: &str) -> Command {
    on_account(account, AccountCommand::Open { owner_id: "o".parse().unwrap(), currency: "GBP".parse().unwrap() })
}

pub(crate) fn deposit(account: &str, amount: i64) -> Command {
    on_account(account, AccountCommand::Deposit { amount: gbp(amount), reference: None })
}

pub(crate) fn withdraw(account: &str, amount: i64) -> Command {
    on_account(account, AccountCommand::Withdraw { amount: gbp(amount), reference: None })
}

pub(crate) fn send(transfer: &str, from: &str, to: &str, amount: i64) -> Command {
    let (transfer_id, to) = (transfer.parse().unwrap(), to.parse().unwrap());
    on_account(from, AccountCommand::SendTransfer { transfer_id, to, amount: gbp(amount), reference: None })
}

pub(crate) fn reverse(transfer: &str) -> Command {
    Command::ReverseTransfer { transfer_id: transfer.parse().unwrap(), reason: "mistake".parse().unwrap() }
}

pub(crate) fn hold(account: &str, hold: &str, amount: i64) -> Command {
    let hold_id = hold.parse().unwrap();
    on_account(account, AccountCommand::PlaceHold { hold_id, amount: gbp(amount), payment_id: None })
}

pub(crate) fn capture_hold(account: &str, hold: &str, amount: i64, to: &str) -> Command {
    let (hold_id, to) = (hold.parse().unwrap(), CaptureTo::Account(to.parse().unwrap()));
    let amount = Some(gbp(amount));
    on_account(account, AccountCommand::CaptureHold { hold_id, amount, to, release_rest: true, payment_id: None })
}

pub(crate) fn on_product(product: &str, command: ProductCommand) -> Command {
    Command::Product(ProductId::new(product).unwrap(), command)
}

pub(crate) fn create(product: &str, price: i64) -> Command {
    let (name, unit_price) = ("thing".parse().unwrap(), gbp(price));
    on_product(product, ProductCommand::Create { name, unit_price, tax_rate_bps: 0 })
}

pub(crate) fn receive(product: &str, quantity: i64) -> Command {
    on_product(product, ProductCommand::ReceiveStock { quantity })
}

pub(crate) fn on_order(order: &str, command: OrderCommand) -> Command {
    Command::Order(OrderId::new(order).unwrap(), command)
}

pub(crate) fn start_order(order: &str) -> Command {
    on_order(order, OrderCommand::Start { customer_id: "c".parse().unwrap(), currency: "GBP".parse().unwrap() })
}

pub(crate) fn add_item(order: &str, product: &str, quantity: i64) -> Command {
    on_order(order, OrderCommand::AddItem { product_id: product.parse().unwrap(), quantity, quote: None })
}

pub(crate) fn place(order: &str) -> Command {
    on_order(order, OrderCommand::Place { expected_total: None })
}

pub(crate) fn ship(order: &str, shipment: &str, lines: &[(&str, i64)]) -> Command {
    let (shipment_id, lines) = (shipment.parse().unwrap(), quantities(lines));
    on_order(order, OrderCommand::Ship { shipment_id, lines, carrier: None, tracking: None })
}

pub(crate) fn request_return(order: &str, name: &str, lines: &[(&str, i64)]) -> Command {
    let (return_id, lines, reason) = (name.parse().unwrap(), quantities(lines), "broken".parse().unwrap());
    on_order(order, OrderCommand::RequestReturn { return_id, lines, reason })
}

pub(crate) fn receive_return(order: &str, name: &str) -> Command {
    on_order(order, OrderCommand::ReceiveReturn { return_id: name.parse().unwrap() })
}

pub(crate) fn cancel(order: &str) -> Command {
    on_order(order, OrderCommand::Cancel { reason: "changed my mind".parse().unwrap() })
}

fn quantities(lines: &[(&str, i64)]) -> Vec<LineQuantity> {
    let line =
        |(product, quantity): &(&str, i64)| LineQuantity { product_id: product.parse().unwrap(), quantity: *quantity };
    lines.iter().map(line).collect()
}

pub(crate) fn on_payment(payment: &str, command: PaymentCommand) -> Command {
    Command::Payment(PaymentId::new(payment).unwrap(), command)
}

/// A payment from one account to another, for an order or for none.
pub(crate) fn pay(
    payment: &str,
    order: Option<&str>,
    from: &str,
    to: &str,
    amount: i64,
    capture: CaptureMode,
) -> Command {
    let command = PaymentCommand::Request {
        order_id: order.map(|order| order.parse().unwrap()),
        payer: Payer::Account(from.parse().unwrap()),
        payee_account_id: to.parse().unwrap(),
        amount: gbp(amount),
        capture,
        payee_currency: None,
    };
    on_payment(payment, command)
}

/// A command under a key; the fingerprint stands for what was asked.
pub(crate) fn request(key: &str, command: Command) -> Request {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut digest = DefaultHasher::new();
    format!("{command:?}").hash(&mut digest);
    Request {
        principal: "tester".into(),
        key: key.into(),
        request_id: "r-1".into(),
        correlation_id: "".into(),
        command_type: "test",
        command,
        fingerprint: u128::from(digest.finish()),
        expected_version: None,
        effective_at: None,
    }
}

pub(crate) async fn submit(engine: &Engine, mode: Mode, dry_run: bool, requests: Vec<Request>) -> Vec<Outcome> {
    engine.submit(Submission { requests, mode, dry_run }).await.unwrap()
}

pub(crate) async fn one(engine: &Engine, key: &str, command: Command) -> Outcome {
    submit(engine, Mode::Independent, false, vec![request(key, command)]).await.remove(0)
}

pub(crate) fn accepted(outcome: Outcome) -> Accepted {
    match outcome {
        Outcome::Accepted(accepted) => accepted,
        other => panic!("not accepted: {other:?}"),
    }
}

pub(crate) fn refused(outcome: &Outcome) -> (&'static str, bool) {
    match outcome {
        Outcome::Refused { rejection, replayed, .. } => (rejection.code(), *replayed),
        other => panic!("not refused: {other:?}"),
    }
}

/// A withdrawal of more than any account has, to be asked as a dry run: its refusal tells what is available.
pub(crate) fn withdraw_everything(account: &str) -> Command {
    withdraw(account, AMOUNT_MAX)
}
