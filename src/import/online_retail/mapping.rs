//! Which commands the invoices become, in the file's order. A pure function of the file: no clock, no network, no
//! random names. The rules stand in `docs/import.md`.

use std::collections::{HashMap, HashSet, VecDeque};

use chrono::{DateTime, Utc};
use domain::ids::{AccountId, OrderId, OwnerId, ProductId};
use domain::money::{Amount, Money};
use domain::payment::{CaptureMode, Payer};

use super::catalogue::Catalogue;
use super::give_back::GiveBack;
use super::keys;
use super::order::{OrderLines, orders_of};
use super::row::{Row, Unmappable};
use super::sales::Sales;
use super::stock::Shelf;
use crate::import::command::{Body, Command};

/// A line of the file that became nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Its number; the header is line 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What the file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Totals {
    /// Orders that are placed, paid and delivered.
    pub orders: u64,
    /// Products that are sold or whose stock moves.
    pub products: u64,
    /// Customers with an account.
    pub customers: u64,
    /// Lines given back against an order.
    pub returns: u64,
    /// Lines given back without one.
    pub credit_notes: u64,
    /// Corrections of stock.
    pub stock_adjustments: u64,
    /// What all orders come to, in pence.
    pub gross: Amount,
    /// What was given back, in pence.
    pub given_back: Amount,
}

/// Turns invoices into commands, and remembers what later ones depend on.
#[derive(Debug, Default)]
pub(crate) struct Mapping {
    pub(super) catalogue: Catalogue,
    pub(super) products: HashMap<ProductId, Shelf>,
    accounts: HashSet<AccountId>,
    pub(super) sales: Sales,
    /// How many lines and orders an invoice has had; an invoice may come back later in the file.
    invoices: HashMap<String, Progress>,
    /// What the merchant has by now, in pence: more cannot be given back.
    pub(super) merchant: Amount,
    /// What is to be given back once the merchant has it, oldest first.
    pub(super) waiting: VecDeque<GiveBack>,
    pub(super) totals: Totals,
    pub(super) problems: Vec<Problem>,
    commands: Vec<Command>,
}

#[derive(Debug, Default)]
struct Progress {
    lines: usize,
    orders: usize,
}

impl Mapping {
    /// A mapping that knows the products of the file by name and first price.
    pub(crate) fn new(catalogue: Catalogue) -> Self {
        Self { catalogue, ..Self::default() }
    }

    /// What the file came to so far.
    pub(crate) fn totals(&self) -> Totals {
        self.totals
    }

    /// The commands since the last call.
    pub(crate) fn take_commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// The lines that became nothing since the last call.
    pub(crate) fn take_problems(&mut self) -> Vec<Problem> {
        std::mem::take(&mut self.problems)
    }

    /// Takes up lines of one invoice that stand together.
    pub(crate) fn invoice(&mut self, rows: &[Row]) {
        let Some(first) = rows.first() else { return };
        self.open(&keys::merchant(), keys::merchant_owner(), first.line, first.invoiced_at);
        let numbers = self.number(rows);
        if first.cancels() {
            for (row, number) in rows.iter().zip(numbers) {
                self.cancel(row, number);
            }
            return;
        }
        for (row, number) in rows.iter().zip(numbers) {
            if row.quantity < 0 || row.price == Amount::ZERO {
                self.adjust_stock(row, number);
            }
        }
        for lines in orders_of(rows.iter().filter(|row| row.quantity > 0 && row.price > Amount::ZERO)) {
            self.sell(first, &lines);
        }
        self.give_back_what_waited();
    }

    /// Ends the file: what could never be given back is reported.
    pub(crate) fn finish(&mut self) {
        for missed in std::mem::take(&mut self.waiting) {
            let (amount, has) = (keys::pounds(missed.amount), keys::pounds(self.merchant));
            let reason = format!("{amount} cannot be given back: the sales of the whole file leave {has}");
            self.problems.push(Problem { line: missed.line, reason });
        }
    }

    /// The numbers of these lines within their invoice, from 1.
    fn number(&mut self, rows: &[Row]) -> std::ops::Range<usize> {
        let Some(first) = rows.first() else { return 0..0 };
        let progress = self.invoices.entry(first.invoice.clone()).or_default();
        let from = progress.lines + 1;
        progress.lines += rows.len();
        from..progress.lines + 1
    }

    fn sell(&mut self, first: &Row, lines: &OrderLines) {
        let total = match lines.total().and_then(|total| self.merchant.plus(total).map(|_| total)) {
            Ok(total) => total,
            Err(overflow) => return self.report(first.line, &overflow.into()),
        };
        let progress = self.invoices.entry(first.invoice.clone()).or_default();
        progress.orders += 1;
        let order_id = keys::order(&first.invoice, progress.orders);
        let about = order_id.as_str().trim_start_matches("inv-").to_owned();
        for line in &lines.0 {
            self.supply(first.invoiced_at, &about, line.line, &line.product_id, line.quantity, Some(line.price));
        }
        self.place(first, &order_id, &about, lines, keys::pounds(total));
        self.settle(first, &order_id, &about, keys::pounds(total));
        self.sales.add(&first.customer_id, order_id, lines);
        self.merchant = self.merchant.plus(total).unwrap_or(self.merchant);
        self.totals.orders += 1;
        self.totals.gross = self.totals.gross.plus(total).unwrap_or(self.totals.gross);
    }

    fn place(&mut self, first: &Row, order_id: &OrderId, about: &str, lines: &OrderLines, total: Money) {
        let at = first.invoiced_at;
        let (order_id, customer_id) = (order_id.clone(), first.customer_id.clone());
        let start = Body::StartOrder { order_id: order_id.clone(), customer_id, currency: keys::currency() };
        self.ask(first.line, at, keys::key(about, "start"), start);
        for line in &lines.0 {
            let (product_id, quantity) = (line.product_id.clone(), line.quantity);
            let key = keys::key(about, format_args!("item:{product_id}"));
            self.ask(line.line, at, key, Body::AddItem { order_id: order_id.clone(), product_id, quantity });
        }
        self.ask(first.line, at, keys::key(about, "place"), Body::PlaceOrder { order_id, expected_total: total });
    }

    /// Funds the customer, who pays at once; then everything is shipped and delivered.
    fn settle(&mut self, first: &Row, order_id: &OrderId, about: &str, total: Money) {
        let (line, at) = (first.line, first.invoiced_at);
        let account_id = keys::account(&first.customer_id);
        self.open(&account_id, keys::owner(&first.customer_id), line, at);
        let reference = keys::remark(&format!("funds for {order_id}"));
        let deposit = Body::Deposit { account_id: account_id.clone(), amount: total, reference };
        self.ask(line, at, keys::key(about, "fund"), deposit);
        let pay = Body::RequestPayment {
            payment_id: keys::payment(order_id),
            order_id: order_id.clone(),
            payer: Payer::Account(account_id),
            payee_account_id: keys::merchant(),
            amount: total,
            capture: CaptureMode::Automatic,
        };
        self.ask(line, at, keys::key(about, "pay"), pay);
        let (order_id, shipment_id) = (order_id.clone(), keys::shipment());
        let ship = Body::ShipOrder { order_id: order_id.clone(), shipment_id: shipment_id.clone() };
        self.ask(line, at, keys::key(about, "ship"), ship);
        self.ask(line, at, keys::key(about, "deliver"), Body::ConfirmDelivery { order_id, shipment_id });
    }

    pub(super) fn open(&mut self, account_id: &AccountId, owner_id: OwnerId, line: u64, at: DateTime<Utc>) {
        if !self.accounts.insert(account_id.clone()) {
            return;
        }
        if *account_id != keys::merchant() {
            self.totals.customers += 1;
        }
        let body = Body::OpenAccount { account_id: account_id.clone(), owner_id, currency: keys::currency() };
        self.ask(line, at, keys::key(account_id, "open"), body);
    }

    pub(super) fn ask(&mut self, line: u64, effective_at: DateTime<Utc>, key: String, body: Body) {
        self.commands.push(Command { body, key, effective_at, line });
    }

    pub(super) fn report(&mut self, line: u64, why: &Unmappable) {
        self.problems.push(Problem { line, reason: why.to_string() });
    }
}
