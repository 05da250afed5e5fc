//! Random workloads on a few accounts, products, orders and payments, as strategies, so that a property shrinks them
//! and a seed brings one back.

use command_api::engine::{Mode, Request, Submission};
use domain::account::AccountCommand;
use domain::account::command::FreezeScope;
use domain::command::Command;
use domain::ids::Version;
use domain::money::AMOUNT_MAX;
use domain::order::OrderCommand;
use domain::payment::{CaptureMode, OperationCause, PaymentCommand};
use domain::product::ProductCommand;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::select;

use crate::ask::{
    add_item, cancel, capture_hold, create, deposit, gbp, hold, on_account, on_order, on_payment, on_product, open,
    pay, place, receive, receive_return, request, request_return, reverse, send, ship, start_order, withdraw,
    withdraw_everything,
};

const ACCOUNTS: &[&str] = &["a", "b", "c", "shop"];
const TRANSFERS: &[&str] = &["t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8"];
const HOLDS: &[&str] = &["h1", "h2", "h3"];
const PRODUCTS: &[&str] = &["p", "q"];
const ORDERS: &[&str] = &["o", "c", "f", "g"];
const PAYMENTS: &[&str] = &["pay-o", "pay-c", "pay-f", "pay-x", "pay-y"];
const NAMES: &[&str] = &["n1", "n2", "n3"];

/// Accounts with money and products with stock, so that what follows has something to work on.
pub(crate) fn prelude() -> Submission {
    let accounts = ACCOUNTS.iter().flat_map(|account| [open(account), deposit(account, 2_000)]);
    let products = PRODUCTS.iter().flat_map(|product| [create(product, 30), receive(product, 40)]);
    let requests = accounts.chain(products).enumerate();
    let requests = requests.map(|(index, command)| request(&format!("prelude-{index}"), command)).collect();
    Submission { requests, mode: Mode::Independent, dry_run: false }
}

/// Submissions, some of which come again, or come again changed.
pub(crate) fn workload(submissions: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Submission>> {
    let step = prop_oneof![
        12 => submission().prop_map(Step::New),
        2 => any::<usize>().prop_map(Step::Again),
        1 => (any::<usize>(), submission()).prop_map(|(of, other)| Step::SameKeys(of, other)),
    ];
    vec(step, submissions).prop_map(resolve)
}

#[derive(Debug, Clone)]
enum Step {
    New(Submission),
    Again(usize),
    /// Other commands under keys that were used before.
    SameKeys(usize, Submission),
}

fn resolve(steps: Vec<Step>) -> Vec<Submission> {
    let mut submissions = vec![prelude()];
    for (number, step) in steps.into_iter().enumerate() {
        let submission = match step {
            Step::New(mut submission) => {
                for (index, request) in submission.requests.iter_mut().enumerate() {
                    request.key = format!("{number}-{index}").into();
                }
                submission
            }
            Step::Again(of) => submissions[of % submissions.len()].clone(),
            Step::SameKeys(of, mut submission) => {
                let earlier = &submissions[of % submissions.len()].requests;
                for (index, request) in submission.requests.iter_mut().enumerate() {
                    let fresh = || format!("{number}-{index}").into();
                    request.key = earlier.get(index).map_or_else(fresh, |earlier| earlier.key.clone());
                }
                submission
            }
        };
        submissions.push(submission);
    }
    submissions
}

fn submission() -> impl Strategy<Value = Submission> {
    let submit = |mode, dry_run| move |requests| Submission { requests, mode, dry_run };
    prop_oneof![
        8 => vec(a_request(), 1).prop_map(submit(Mode::Independent, false)),
        4 => vec(a_request(), 2..9).prop_map(submit(Mode::Independent, false)),
        4 => vec(a_request(), 2..6).prop_map(submit(Mode::Atomic, false)),
        1 => vec(a_request(), 1..4).prop_map(submit(Mode::Independent, true)),
        1 => vec(a_request(), 1..4).prop_map(submit(Mode::Atomic, true)),
    ]
}

fn a_request() -> impl Strategy<Value = Request> {
    (command(), weighted(0.1, 0_u64..8), prop_oneof![Just(0_usize), 0_usize..900]).prop_map(
        |(command, expected_version, ballast_bytes)| Request {
            expected_version: expected_version.map(Version),
            correlation_id: "b".repeat(ballast_bytes).into(),
            ..request("", command)
        },
    )
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        10 => on_accounts(),
        2 => on_products(),
        6 => on_orders(),
        5 => on_payments(),
    ]
}

fn on_accounts() -> impl Strategy<Value = Command> {
    let account = || select(ACCOUNTS);
    let touch = (account(), 0_usize..5).prop_map(|(account, what)| {
        let reason: domain::text::Text = "because".parse().unwrap();
        let command = match what {
            0 => AccountCommand::Freeze { scope: FreezeScope::Debits, reason },
            1 => AccountCommand::Freeze { scope: FreezeScope::All, reason },
            2 => AccountCommand::Close { reason: None },
            _ => AccountCommand::Unfreeze { reason },
        };
        on_account(account, command)
    });
    let release = (account(), select(HOLDS)).prop_map(|(account, hold)| {
        on_account(account, AccountCommand::ReleaseHold { hold_id: hold.parse().unwrap(), payment_id: None })
    });
    prop_oneof![
        1 => account().prop_map(open),
        6 => (account(), -1_i64..500).prop_map(|(account, amount)| deposit(account, amount)),
        6 => (account(), 1_i64..900).prop_map(|(account, amount)| withdraw(account, amount)),
        8 => (select(TRANSFERS), account(), account(), 1_i64..900).prop_map(|(t, from, to, n)| send(t, from, to, n)),
        4 => select(TRANSFERS).prop_map(reverse),
        4 => (account(), select(HOLDS), 1_i64..300).prop_map(|(account, name, amount)| hold(account, name, amount)),
        3 => (account(), select(HOLDS), 1_i64..300, account()).prop_map(|(a, h, n, to)| capture_hold(a, h, n, to)),
        1 => release,
        2 => touch,
    ]
}

fn on_products() -> impl Strategy<Value = Command> {
    (select(PRODUCTS), -3_i64..20, 0_usize..4).prop_map(|(product, quantity, what)| match what {
        0 => create(product, quantity),
        1 => on_product(product, ProductCommand::ChangePrice { unit_price: gbp(quantity * 10) }),
        2 => on_product(product, ProductCommand::AdjustStock { quantity, reason: "count".parse().unwrap() }),
        _ => receive(product, quantity),
    })
}

fn on_orders() -> impl Strategy<Value = Command> {
    let parts = (select(ORDERS), select(PRODUCTS), select(NAMES), 1_i64..6, 0_usize..16);
    parts.prop_map(|(order, product, name, quantity, what)| match what {
        0 | 1 => start_order(order),
        2..=5 => add_item(order, product, quantity),
        6..=8 => place(order),
        9 => ship(order, name, &[(product, quantity)]),
        10 => ship(order, name, &[]),
        11 => on_order(order, OrderCommand::ConfirmDelivery { shipment_id: name.parse().unwrap() }),
        12 => request_return(order, name, &[(product, quantity)]),
        13 => receive_return(order, name),
        14 => cancel(order),
        _ => on_order(order, OrderCommand::ChangeQuantity { product_id: product.parse().unwrap(), quantity }),
    })
}

fn on_payments() -> impl Strategy<Value = Command> {
    let mode = select(vec![CaptureMode::Automatic, CaptureMode::OnShipment, CaptureMode::Manual]);
    let parts = (select(PAYMENTS), weighted(0.7, select(ORDERS)), select(ACCOUNTS), 1_i64..200, mode, 0_usize..8);
    let operation = select(NAMES);
    (parts, operation).prop_map(|((payment, order, payer, amount, mode, what), name)| match what {
        0..=4 => pay(payment, order, payer, "shop", amount, mode),
        5 => on_payment(payment, capture(name, amount)),
        6 => on_payment(payment, refund(name, amount)),
        _ => on_payment(payment, PaymentCommand::Void),
    })
}

fn capture(name: &str, amount: i64) -> PaymentCommand {
    let (capture_id, amount) = (name.parse().unwrap(), Some(gbp(amount)));
    PaymentCommand::Capture { capture_id, cause: OperationCause::Request, amount }
}

fn refund(name: &str, amount: i64) -> PaymentCommand {
    let (refund_id, amount) = (name.parse().unwrap(), Some(gbp(amount)));
    PaymentCommand::Refund { refund_id, cause: OperationCause::Request, amount }
}

/// Commands to be asked as dry runs, for what their answers tell of the states: what is available, reserved,
/// captured, at which version, and how much may still come in from outside.
pub(crate) fn probes() -> Vec<Command> {
    let adjust = |product: &&str| {
        let reason = "count".parse().unwrap();
        on_product(product, ProductCommand::AdjustStock { quantity: -1_000_000, reason })
    };
    let accounts = ACCOUNTS.iter().flat_map(|account| {
        [withdraw_everything(account), deposit(account, 1), deposit(account, AMOUNT_MAX - 3_000)]
            .into_iter()
            .chain(HOLDS.iter().map(|hold| capture_hold(account, hold, AMOUNT_MAX, "nobody")))
    });
    let orders = ORDERS.iter().flat_map(|order| {
        let everything = &[("p", AMOUNT_MAX)];
        [cancel(order), place(order), ship(order, "probe", everything), request_return(order, "probe", everything)]
    });
    let payments = PAYMENTS.iter().flat_map(|payment| {
        [capture("probe", AMOUNT_MAX), refund("probe", AMOUNT_MAX)].map(|command| on_payment(payment, command))
    });
    let transfers = TRANSFERS.iter().map(|transfer| reverse(transfer));
    accounts.chain(PRODUCTS.iter().map(adjust)).chain(orders).chain(payments).chain(transfers).collect()
}
