//! The mapping against small files, and the sample's commands against the rules themselves.

#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::Path;

use chrono::Utc;
use domain::account::{Account, AccountCommand};
use domain::aggregate::{Context, Versioned};
use domain::cascade::{Draft, States};
use domain::currency::Currency;
use domain::ids::{AccountId, OrderId, PaymentId, ProductId, TransferId};
use domain::money::Amount;
use domain::order::{Order, OrderCommand};
use domain::payment::{Payment, PaymentCommand};
use domain::product::{Product, ProductCommand};
use domain::transfer::Transfer;

use super::file::{Invoices, survey};
use super::keys;
use super::mapping::{Mapping, Problem};
use crate::import::command::{Body, Command};

const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

fn map(path: &Path) -> (Vec<Command>, Vec<Problem>, Mapping) {
    let mut mapping = Mapping::new(survey(path).unwrap().catalogue);
    let mut invoices = Invoices::open(path).unwrap();
    let mut problems = Vec::new();
    while let Some(invoice) = invoices.next().unwrap() {
        problems.extend(invoice.problems);
        mapping.invoice(&invoice.rows);
    }
    mapping.finish();
    problems.extend(mapping.take_problems());
    (mapping.take_commands(), problems, mapping)
}

fn map_lines(lines: &[&str]) -> (Vec<String>, Vec<Problem>) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(format!("{HEADER}{}\n", lines.join("\n")).as_bytes()).unwrap();
    let (commands, problems, _) = map(file.path());
    (commands.iter().map(told).collect(), problems)
}

/// A command in a few words: its key without the data set's name, and what it asks.
fn told(command: &Command) -> String {
    let key = command.key.strip_prefix("online-retail:").unwrap();
    let asked = match &command.body {
        Body::OpenAccount { owner_id, .. } => owner_id.to_string(),
        Body::Deposit { account_id, amount, .. } => format!("{amount} to {account_id}"),
        Body::SendTransfer { to, amount, reference, .. } => format!("{amount} to {to} ({reference})"),
        Body::CreateProduct { name, unit_price, .. } => format!("{name} at {unit_price}"),
        Body::ChangePrice { unit_price, .. } => unit_price.to_string(),
        Body::ReceiveStock { quantity, .. } | Body::AdjustStock { quantity, .. } | Body::AddItem { quantity, .. } => {
            quantity.to_string()
        }
        Body::StartOrder { order_id, customer_id, .. } => format!("{order_id} of {customer_id}"),
        Body::PlaceOrder { expected_total, .. } => expected_total.to_string(),
        Body::RequestPayment { payment_id, amount, .. } => format!("{payment_id} {amount}"),
        Body::RequestReturn { order_id, lines, .. } => format!("{} from {order_id}", lines[0].quantity),
        Body::ShipOrder { .. } | Body::ConfirmDelivery { .. } | Body::ReceiveReturn { .. } => String::new(),
    };
    format!("{key} = {asked}").trim_end_matches(" = ").to_owned()
}

#[test]
fn an_invoice_becomes_an_order_that_is_paid_and_delivered() {
    let (commands, problems) = map_lines(&[
        "536365,85123A,HEART HOLDER,6,2010-12-01T08:26:00,2.55,17850,UK",
        "536365,71053,LANTERN,1,2010-12-01T08:26:00,3.39,17850,UK",
        "536365,85123A,HEART HOLDER,2,2010-12-01T08:26:00,2.55,17850,UK",
    ]);
    let expected = [
        "acct-merchant:open = merchant",
        "product:85123A = HEART HOLDER at 2.55 GBP",
        "536365:stock:85123A = 8",
        "product:71053 = LANTERN at 3.39 GBP",
        "536365:stock:71053 = 1",
        "536365:start = inv-536365 of cust-17850",
        "536365:item:85123A = 8",
        "536365:item:71053 = 1",
        "536365:place = 23.79 GBP",
        "acct-cust-17850:open = cust-17850",
        "536365:fund = 23.79 GBP to acct-cust-17850",
        "536365:pay = pay-inv-536365 23.79 GBP",
        "536365:ship",
        "536365:deliver",
    ];
    assert_eq!((commands, problems), (expected.map(str::to_owned).to_vec(), vec![]));
}

#[test]
fn a_second_price_of_a_product_goes_to_a_second_order() {
    let (commands, _) = map_lines(&[
        "1,A,x,1,2010-12-01T08:26:00,1.00,7,UK",
        "1,A,x,2,2010-12-01T08:26:00,2.00,7,UK",
        "1,A,x,4,2010-12-01T08:26:00,1.00,7,UK",
    ]);
    let of_interest: Vec<_> = commands
        .iter()
        .filter(|told| ["item", "place", "price", "start"].iter().any(|what| told.contains(what)))
        .map(String::as_str)
        .collect();
    let expected = [
        "1:start = inv-1 of cust-7",
        "1:item:A = 5",
        "1:place = 5.00 GBP",
        "1-2:price:A = 2.00 GBP",
        "1-2:start = inv-1-2 of cust-7",
        "1-2:item:A = 2",
        "1-2:place = 4.00 GBP",
    ];
    assert_eq!(of_interest, expected);
}

#[test]
fn lines_without_a_sale_correct_the_stock_and_later_sales_use_it() {
    let (commands, _) = map_lines(&[
        "1,A,,5,2010-12-01T08:00:00,0,,UK",
        "2,A,?,-8,2010-12-01T08:01:00,0,,UK",
        "3,A,,4,2010-12-01T08:02:00,0.0,,UK",
        "4,A,TIN,6,2010-12-01T08:03:00,1.25,,UK",
    ]);
    let expected = [
        "acct-merchant:open = merchant",
        "product:A = TIN at 1.25 GBP",
        "1:1:adjust = 5",
        "2:1:stock:A = 3",
        "2:1:adjust = -8",
        "3:1:adjust = 4",
        "4:stock:A = 2",
        "4:start = inv-4 of guest-4",
    ];
    assert_eq!(commands[..8], expected);
}

#[test]
fn a_cancellation_goes_to_the_latest_order_that_still_has_so_much_else_it_is_a_credit_note() {
    let (commands, problems) = map_lines(&[
        "0,Z,z,9,2010-12-01T07:00:00,1.00,9,UK",
        "1,A,x,5,2010-12-01T08:00:00,1.00,7,UK",
        "2,A,x,3,2010-12-02T08:00:00,1.00,7,UK",
        "C3,A,x,-2,2010-12-03T08:00:00,1.00,7,UK",
        "C3,A,x,-2,2010-12-03T08:00:00,1.00,7,UK",
        "C3,A,x,-4,2010-12-03T08:00:00,1.00,7,UK",
        "C3,D,Discount,-1,2010-12-03T08:00:00,0.50,7,UK",
        "C4,A,x,-1,2010-12-03T08:00:00,1.00,8,UK",
    ]);
    let at = commands.iter().position(|told| told == "2:deliver").unwrap();
    let expected = [
        "C3:1:return = 2 from inv-2",
        "C3:1:receive",
        "C3:2:return = 2 from inv-1",
        "C3:2:receive",
        "C3:3:credit = 4.00 GBP to acct-cust-7 (credit note C3)",
        "C3:4:credit = 0.50 GBP to acct-cust-7 (credit note C3)",
        "acct-cust-8:open = cust-8",
        "C4:1:credit = 1.00 GBP to acct-cust-8 (credit note C4)",
    ];
    assert_eq!((&commands[at + 1..], problems), (&expected.map(str::to_owned)[..], vec![]));
}

#[test]
fn what_the_merchant_cannot_give_back_yet_waits_and_what_it_never_can_is_reported() {
    let (commands, problems) = map_lines(&[
        "C1,A,x,-1,2010-12-01T08:00:00,3.00,7,UK",
        "C1,A,x,-1,2010-12-01T08:00:00,9.00,7,UK",
        "2,A,x,4,2010-12-02T08:00:00,1.00,8,UK",
    ]);
    let credits: Vec<_> = commands.iter().filter(|told| told.contains("credit")).collect();
    assert_eq!(credits, ["C1:1:credit = 3.00 GBP to acct-cust-7 (credit note C1)"]);
    assert_eq!(commands.last().unwrap(), credits[0]);
    let reason = "9.00 GBP cannot be given back: the sales of the whole file leave 1.00 GBP".to_owned();
    assert_eq!(problems, [Problem { line: 3, reason }]);
}

#[test]
fn lines_that_cannot_be_mapped_are_reported_and_the_rest_goes_on() {
    let (commands, problems) = map_lines(&[
        "A1,B,Adjust bad debt,1,2010-12-01T08:00:00,-11062.06,,UK",
        "1,A,x,one,2010-12-01T08:00:00,1.00,7,UK",
        "1,A,x,1,2010-12-01T08:00:00,1.00,7,UK",
        "C2,A,x,2,2010-12-01T08:00:00,1.00,7,UK",
        "C2,Q,x,-2,2010-12-01T08:00:00,0,7,UK",
    ]);
    let told: Vec<_> = problems.iter().map(|p| (p.line, p.reason.as_str())).collect();
    let expected = [
        (2, "UnitPrice \"-11062.06\" is negative, for which there is no rule"),
        (3, "Quantity \"one\" is not a whole number"),
        (5, "a cancellation of 2 pieces: nothing is given back"),
        (6, "a cancellation without a price, of goods that were not sold"),
    ];
    assert_eq!(told, expected);
    assert!(commands.contains(&"1:deliver".to_owned()), "{commands:?}");
}

#[test]
fn an_invoice_that_comes_back_later_in_the_file_gets_orders_of_its_own() {
    let (commands, _) = map_lines(&[
        "1,A,x,1,2010-12-01T08:00:00,1.00,7,UK",
        "2,A,x,1,2010-12-01T08:00:00,1.00,7,UK",
        "1,A,x,1,2010-12-01T08:00:00,1.00,7,UK",
    ]);
    let starts: Vec<_> = commands.iter().filter(|told| told.contains(":start")).collect();
    let expected = ["1:start = inv-1 of cust-7", "2:start = inv-2 of cust-7", "1-2:start = inv-1-2 of cust-7"];
    assert_eq!(starts, expected);
}

#[test]
fn a_command_is_one_line_of_json() {
    let at = "2010-12-01T08:26:00Z".parse().unwrap();
    let body = Body::AddItem {
        order_id: OrderId::new("inv-1").unwrap(),
        product_id: ProductId::new("A").unwrap(),
        quantity: 3,
    };
    let command = Command { body, key: keys::key("1", "item:A"), effective_at: at, line: 2 };
    assert_eq!(
        serde_json::to_string(&command).unwrap(),
        r#"{"type":"add_item","order_id":"inv-1","product_id":"A","quantity":3,"key":"online-retail:1:item:A","effective_at":"2010-12-01T08:26:00Z"}"#
    );
}

/// A world in which nothing exists yet.
struct Nothing;

impl States for Nothing {
    fn account(&self, _: &AccountId) -> Option<&Versioned<Account>> {
        None
    }
    fn product(&self, _: &ProductId) -> Option<&Versioned<Product>> {
        None
    }
    fn order(&self, _: &OrderId) -> Option<&Versioned<Order>> {
        None
    }
    fn payment(&self, _: &PaymentId) -> Option<&Versioned<Payment>> {
        None
    }
    fn transfer(&self, _: &TransferId) -> Option<&Transfer> {
        None
    }
    fn external_cash(&self, _: Currency) -> i64 {
        0
    }
}

fn asked(body: Body) -> domain::command::Command {
    use domain::command::Command as Asked;
    match body {
        Body::OpenAccount { account_id, owner_id, currency } => {
            Asked::Account(account_id, AccountCommand::Open { owner_id, currency })
        }
        Body::Deposit { account_id, amount, reference } => {
            Asked::Account(account_id, AccountCommand::Deposit { amount, reference: Some(reference) })
        }
        Body::SendTransfer { transfer_id, from, to, amount, reference } => {
            Asked::Account(from, AccountCommand::SendTransfer { transfer_id, to, amount, reference: Some(reference) })
        }
        Body::CreateProduct { product_id, name, unit_price, tax_rate_bps } => {
            Asked::Product(product_id, ProductCommand::Create { name, unit_price, tax_rate_bps })
        }
        Body::ChangePrice { product_id, unit_price } => {
            Asked::Product(product_id, ProductCommand::ChangePrice { unit_price })
        }
        Body::ReceiveStock { product_id, quantity } => {
            Asked::Product(product_id, ProductCommand::ReceiveStock { quantity })
        }
        Body::AdjustStock { product_id, quantity, reason } => {
            Asked::Product(product_id, ProductCommand::AdjustStock { quantity, reason })
        }
        Body::StartOrder { order_id, customer_id, currency } => {
            Asked::Order(order_id, OrderCommand::Start { customer_id, currency })
        }
        Body::AddItem { order_id, product_id, quantity } => {
            Asked::Order(order_id, OrderCommand::AddItem { product_id, quantity, quote: None })
        }
        Body::PlaceOrder { order_id, expected_total } => {
            Asked::Order(order_id, OrderCommand::Place { expected_total: Some(expected_total) })
        }
        Body::ShipOrder { order_id, shipment_id } => {
            Asked::Order(order_id, OrderCommand::Ship { shipment_id, lines: vec![], carrier: None, tracking: None })
        }
        Body::ConfirmDelivery { order_id, shipment_id } => {
            Asked::Order(order_id, OrderCommand::ConfirmDelivery { shipment_id })
        }
        Body::RequestReturn { order_id, return_id, lines, reason } => {
            Asked::Order(order_id, OrderCommand::RequestReturn { return_id, lines, reason })
        }
        Body::ReceiveReturn { order_id, return_id } => {
            Asked::Order(order_id, OrderCommand::ReceiveReturn { return_id })
        }
        Body::RequestPayment { payment_id, order_id, payer, payee_account_id, amount, capture } => {
            let order_id = Some(order_id);
            let request =
                PaymentCommand::Request { order_id, payer, payee_account_id, amount, capture, payee_currency: None };
            Asked::Payment(payment_id, request)
        }
    }
}

#[test]
fn the_rules_accept_every_command_of_the_sample_and_leave_the_published_figures() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/online_retail_10k.csv");
    let (commands, problems, mapping) = map(&sample);
    assert_eq!(problems, []);
    let keys: std::collections::HashSet<_> = commands.iter().map(|command| &command.key).collect();
    assert_eq!(keys.len(), commands.len(), "every command has a key of its own");

    let mut draft = Draft::default();
    for command in commands {
        let context = Context { recorded_at: Utc::now(), effective_at: Some(command.effective_at) };
        let (key, line) = (command.key, command.line);
        let decided = draft.run(&Nothing, &asked(command.body), None, &context);
        assert!(decided.is_ok(), "line {line}, {key}: {decided:?}");
    }
    let balance = |account: &Versioned<Account>| account.state.as_ref().unwrap().balance.minor_units();
    assert_eq!(balance(&draft.accounts[&keys::merchant()]), 18_065_925);
    let sum: i64 = draft.accounts.iter().map(|(_, account)| balance(account)).sum();
    assert_eq!(sum, 18_423_983, "what customers were funded with is all there is");
    let totals = mapping.totals();
    assert_eq!((totals.orders, totals.returns, totals.credit_notes), (429, 10, 90));
    assert_eq!((totals.customers, totals.stock_adjustments), (346, 46));
    assert_eq!((totals.gross, totals.given_back), (Amount::new(18_423_983).unwrap(), Amount::new(358_058).unwrap()));
}
