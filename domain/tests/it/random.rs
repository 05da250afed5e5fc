//! Random commands over a handful of names, so that they meet: names are used again, states are wrong, sums are huge.

use chrono::TimeDelta;
use domain::account::command::FreezeScope;
use domain::account::{AccountCommand, CaptureTo};
use domain::command::Command;
use domain::money::{AMOUNT_MAX, Money};
use domain::order::{LineQuantity, OrderCommand};
use domain::payment::{CaptureMode, OperationCause, Payer, PaymentCommand};
use domain::product::ProductCommand;
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use crate::ask::{self, account, id, money, order, payment, product};

mod inner;

pub(crate) use inner::any_command;

/// What a caller expects of the version.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    Nothing,
    TheVersionThatIs,
    Version(u64),
}

/// A command with what comes along with it; the version is filled in when it is asked.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) command: Command,
    pub(crate) expect: Expect,
    /// How far in the future it took effect, if that is said.
    pub(crate) effective_in: Option<TimeDelta>,
}

/// Batches of commands, most of them of one.
pub(crate) fn batches(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<Step>>> {
    vec(prop_oneof![12 => vec(step(), 1..2), 1 => vec(step(), 2..6)], count)
}

fn step() -> BoxedStrategy<Step> {
    let expect = prop_oneof![
        30 => Just(Expect::Nothing),
        2 => Just(Expect::TheVersionThatIs),
        1 => (0..12_u64).prop_map(Expect::Version),
    ];
    let effective_in = weighted(0.05, select(vec![-86_400, 0, 299, 301]).prop_map(TimeDelta::seconds));
    (command(), expect, effective_in)
        .prop_map(|(command, expect, effective_in)| Step { command, expect, effective_in })
        .boxed()
}

fn command() -> BoxedStrategy<Command> {
    prop_oneof![
        10 => (name(&["a", "a", "a", "b", "b", "c", "d"]), account_command()).prop_map(|(name, command)| account(name, command)),
        1 => name(&["external:cash", "clearing:x"]).prop_map(ask::open),
        1 => name(TRANSFERS).prop_map(ask::reverse),
        3 => (name(PRODUCTS), product_command()).prop_map(|(name, command)| product(name, command)),
        12 => (name(ORDERS), order_command()).prop_map(|(name, command)| order(name, command)),
        8 => (name(PAYMENTS), payment_command()).prop_map(|(name, command)| payment(name, command)),
    ]
    .boxed()
}

const ACCOUNTS: &[&str] = &["a", "a", "a", "b", "b", "c", "d", "nobody"];
const TRANSFERS: &[&str] = &["t", "u", "v", "w"];
/// Some of them are names of payments.
const HOLDS: &[&str] = &["h", "i", "p", "q"];
const PRODUCTS: &[&str] = &["x", "y", "z"];
const ORDERS: &[&str] = &["o", "o", "o", "n", "m"];
const PAYMENTS: &[&str] = &["p", "p", "q", "q", "r", "s", "t", "u", "v", "w"];
/// Some of them are names of shipments, returns, payments and orders.
const OPERATIONS: &[&str] = &["k", "l", "m", "n", "s2", "r1", "p", "o"];

fn name(names: &[&'static str]) -> BoxedStrategy<&'static str> {
    select(names.to_vec()).boxed()
}

fn amount() -> BoxedStrategy<Money> {
    let minor_units = prop_oneof![
        8 => 1..40_i64,
        8 => 1..400_i64,
        1 => select(vec![0, -7, AMOUNT_MAX, AMOUNT_MAX - 5, -AMOUNT_MAX]),
    ];
    (minor_units, prop_oneof![30 => Just("JPY"), 1 => Just("USD")])
        .prop_map(|(minor_units, currency)| money(minor_units, currency))
        .boxed()
}

fn quantity() -> BoxedStrategy<i64> {
    prop_oneof![20 => 1..5_i64, 1 => select(vec![0, -1, 30, AMOUNT_MAX, AMOUNT_MAX + 1, i64::MAX, i64::MIN])].boxed()
}

fn account_command() -> BoxedStrategy<AccountCommand> {
    let scope = select(vec![FreezeScope::Debits, FreezeScope::All]);
    let to = prop_oneof![
        2 => Just(CaptureTo::External),
        3 => name(ACCOUNTS).prop_map(|to| CaptureTo::Account(id(to))),
    ];
    prop_oneof![
        4 => prop_oneof![5 => Just("JPY"), 1 => Just("USD")]
            .prop_map(|currency| AccountCommand::Open { owner_id: id("owner"), currency: id(currency) }),
        8 => amount().prop_map(|amount| AccountCommand::Deposit { amount, reference: None }),
        4 => amount().prop_map(|amount| AccountCommand::Withdraw { amount, reference: None }),
        6 => (name(TRANSFERS), name(ACCOUNTS), amount()).prop_map(|(transfer, to, amount)| {
            AccountCommand::SendTransfer { transfer_id: id(transfer), to: id(to), amount, reference: None }
        }),
        6 => (name(HOLDS), amount()).prop_map(|(hold, amount)| {
            AccountCommand::PlaceHold { hold_id: id(hold), amount, payment_id: None }
        }),
        8 => (name(HOLDS), of(amount()), to, any::<bool>()).prop_map(|(hold, amount, to, release_rest)| {
            AccountCommand::CaptureHold { hold_id: id(hold), amount, to, release_rest, payment_id: None }
        }),
        4 => name(HOLDS).prop_map(|hold| AccountCommand::ReleaseHold { hold_id: id(hold), payment_id: None }),
        1 => scope.prop_map(|scope| AccountCommand::Freeze { scope, reason: id("because") }),
        8 => Just(AccountCommand::Unfreeze { reason: id("because") }),
        1 => Just(AccountCommand::Close { reason: None }),
    ]
    .boxed()
}

fn product_command() -> BoxedStrategy<ProductCommand> {
    let price = || prop_oneof![12 => amount(), 1 => Just(ask::yen(-1))];
    let tax = prop_oneof![8 => 0..=10_000_i64, 1 => select(vec![-1, 10_001])];
    prop_oneof![
        6 => (price(), tax).prop_map(|(unit_price, tax_rate_bps)| {
            ProductCommand::Create { name: id("thing"), unit_price, tax_rate_bps }
        }),
        2 => price().prop_map(|unit_price| ProductCommand::ChangePrice { unit_price }),
        8 => quantity().prop_map(|quantity| ProductCommand::ReceiveStock { quantity }),
        2 => quantity().prop_map(|quantity| ProductCommand::AdjustStock {
            quantity: quantity.wrapping_neg(),
            reason: id("because"),
        }),
        1 => Just(ProductCommand::Discontinue),
    ]
    .boxed()
}

fn lines() -> BoxedStrategy<Vec<LineQuantity>> {
    let line = (name(PRODUCTS), quantity()).prop_map(|(product, quantity)| ask::lines(&[(product, quantity)]));
    vec(line, 0..3).prop_map(|lines| lines.concat()).boxed()
}

fn order_command() -> BoxedStrategy<OrderCommand> {
    let shipment = || name(&["s1", "s2", "s3"]).prop_map(id);
    let return_id = || name(&["r1", "r2", "r3"]).prop_map(id);
    let product = || name(PRODUCTS).prop_map(id);
    prop_oneof![
        2 => prop_oneof![12 => Just("JPY"), 1 => Just("USD")]
            .prop_map(|currency| OrderCommand::Start { customer_id: id("customer"), currency: id(currency) }),
        6 => (product(), quantity()).prop_map(|(product_id, quantity)| {
            OrderCommand::AddItem { product_id, quantity, quote: None }
        }),
        2 => (product(), quantity())
            .prop_map(|(product_id, quantity)| OrderCommand::ChangeQuantity { product_id, quantity }),
        2 => product().prop_map(|product_id| OrderCommand::RemoveItem { product_id }),
        2 => prop_oneof![9 => amount(), 1 => Just(ask::yen(-1))]
            .prop_map(|cost| OrderCommand::SetShipping { method: id("post"), cost }),
        6 => weighted(0.1, amount()).prop_map(|expected_total| OrderCommand::Place { expected_total }),
        1 => Just(OrderCommand::Cancel { reason: id("because") }),
        6 => (shipment(), lines()).prop_map(|(shipment_id, lines)| {
            OrderCommand::Ship { shipment_id, lines, carrier: None, tracking: None }
        }),
        5 => shipment().prop_map(|shipment_id| OrderCommand::ConfirmDelivery { shipment_id }),
        4 => (return_id(), lines())
            .prop_map(|(return_id, lines)| OrderCommand::RequestReturn { return_id, lines, reason: id("because") }),
        4 => return_id().prop_map(|return_id| OrderCommand::ReceiveReturn { return_id }),
        2 => return_id().prop_map(|return_id| OrderCommand::RejectReturn { return_id, reason: id("because") }),
    ]
    .boxed()
}

fn payment_command() -> BoxedStrategy<PaymentCommand> {
    let mode = select(vec![CaptureMode::Automatic, CaptureMode::OnShipment, CaptureMode::Manual]);
    let cause = OperationCause::Request;
    prop_oneof![
        6 => (weighted(0.7, name(ORDERS)), name(ACCOUNTS), name(ACCOUNTS), amount(), mode).prop_map(
            |(order, payer, payee, amount, capture)| PaymentCommand::Request {
                order_id: order.map(id),
                payer: Payer::Account(id(payer)),
                payee_account_id: id(payee),
                amount,
                capture,
                payee_currency: None,
            }
        ),
        4 => (name(OPERATIONS), of(amount())).prop_map(move |(operation, amount)| {
            PaymentCommand::Capture { capture_id: id(operation), cause, amount }
        }),
        2 => Just(PaymentCommand::Void),
        4 => (name(OPERATIONS), of(amount())).prop_map(move |(operation, amount)| {
            PaymentCommand::Refund { refund_id: id(operation), cause, amount }
        }),
    ]
    .boxed()
}

/// A command's type, as coverage is counted.
pub(crate) fn kind(command: &Command) -> String {
    let debug = match command {
        Command::Account(_, command) => format!("{command:?}"),
        Command::Product(_, command) => format!("Product{command:?}"),
        Command::Order(_, command) => format!("Order{command:?}"),
        Command::Payment(_, command) => format!("Payment{command:?}"),
        Command::ReverseTransfer { .. } => "ReverseTransfer".to_owned(),
    };
    debug.chars().take_while(char::is_ascii_alphanumeric).collect()
}

/// A world in which something can happen at once: money, stock, an order that was placed and a cart.
pub(crate) fn furnished() -> Vec<Command> {
    vec![
        ask::open("a"),
        ask::open("b"),
        ask::open("c"),
        ask::open_in("d", "USD"),
        ask::deposit("a", 2_000),
        ask::deposit("b", 300),
        ask::create("x", 100, 1_000),
        ask::create("y", 33, 825),
        ask::create("z", 0, 0),
        ask::receive("x", 12),
        ask::receive("y", 12),
        ask::receive("z", 12),
        ask::start("o"),
        ask::add("o", "x", 2),
        ask::add("o", "y", 3),
        ask::shipping("o", ask::yen(50)),
        ask::place("o"),
        ask::start("n"),
        ask::add("n", "y", 1),
        ask::add("n", "z", 2),
    ]
}

/// The same world after the order was paid in three ways, in part shipped, and is on its way back.
pub(crate) fn busy() -> Vec<Command> {
    let pay = |name, amount, mode| ask::pay_from(name, Some("o"), "a", "b", ask::yen(amount), mode);
    let mut commands = furnished();
    commands.extend([
        pay("p", 100, CaptureMode::Automatic),
        pay("q", 150, CaptureMode::OnShipment),
        pay("r", 60, CaptureMode::Manual),
        ask::ship("o", "s1", &[("x", 2), ("y", 1)]),
        ask::deliver("o", "s1"),
        ask::ask_return("o", "r1", &[("x", 1)]),
    ]);
    commands
}
