//! The rules a second time, as plainly as they can be said: maps of numbers, wide integers, everything in one place.
//! Written from the rules and not from the aggregates, which are held against it.

use std::collections::{BTreeMap, BTreeSet};

use domain::command::Command;
use domain::money::Money;
use domain::payment::{CaptureMode, OperationCause, Payer, PaymentCommand};

mod account;
mod order;
mod payment;
mod product;

/// Refused with this code.
pub(crate) type Answer<T = ()> = Result<T, &'static str>;

/// Minor units, and the currency's code.
pub(crate) type Sum = (i128, String);

/// Products, and how many of each.
pub(crate) type Goods = Vec<(String, i128)>;

pub(crate) const MAX: i128 = 9_007_199_254_740_991;

#[derive(Debug, Default, Clone)]
pub(crate) struct Model {
    pub(crate) accounts: BTreeMap<String, Account>,
    pub(crate) products: BTreeMap<String, Product>,
    pub(crate) orders: BTreeMap<String, Order>,
    pub(crate) payments: BTreeMap<String, Payment>,
    pub(crate) transfers: BTreeMap<String, Transfer>,
    /// What went out less what came in, by currency.
    pub(crate) cash: BTreeMap<String, i128>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Account {
    pub(crate) currency: String,
    /// `open`, `frozen_debits`, `frozen` or `closed`.
    pub(crate) status: &'static str,
    pub(crate) balance: i128,
    /// What is left of every hold there ever was, and its payment.
    pub(crate) holds: BTreeMap<String, (i128, Option<String>)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transfer {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) amount: Sum,
    pub(crate) reversed: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Product {
    pub(crate) price: Sum,
    pub(crate) tax_bps: i128,
    pub(crate) on_hand: i128,
    pub(crate) reserved: BTreeMap<String, i128>,
    pub(crate) sold: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    pub(crate) product: String,
    pub(crate) quantity: i128,
    pub(crate) total: i128,
    pub(crate) shipped: i128,
    pub(crate) delivered: i128,
    pub(crate) returning: i128,
    pub(crate) returned: i128,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Order {
    pub(crate) currency: String,
    /// `draft`, `placed`, `completed` or `cancelled`.
    pub(crate) status: &'static str,
    pub(crate) lines: Vec<Line>,
    pub(crate) shipping: i128,
    pub(crate) total: i128,
    /// The worth of what came back without being refunded.
    pub(crate) credited: i128,
    pub(crate) shipments: BTreeMap<String, (Goods, bool)>,
    /// Lines, and `requested`, `received` or `rejected`.
    pub(crate) returns: BTreeMap<String, (Goods, &'static str)>,
    /// The names of its payments, oldest first.
    pub(crate) payments: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Payment {
    pub(crate) order: Option<String>,
    pub(crate) payer: String,
    pub(crate) payee: String,
    pub(crate) currency: String,
    pub(crate) mode: CaptureMode,
    pub(crate) authorized: i128,
    pub(crate) captured: i128,
    pub(crate) voided: i128,
    pub(crate) refunded: i128,
    /// `capture` or `refund`, the cause, the name.
    pub(crate) done: BTreeSet<(&'static str, OperationCause, String)>,
}

impl Model {
    /// Does what a command asks, or says with which code it is refused. After a refusal the model is to be thrown away.
    pub(crate) fn ask(&mut self, command: &Command) -> Answer {
        match command {
            Command::Account(id, command) => self.ask_account(id.as_str(), command),
            Command::ReverseTransfer { transfer_id, .. } => self.reverse(transfer_id.as_str()),
            Command::Product(id, command) => self.ask_product(id.as_str(), command),
            Command::Order(id, command) => {
                self.ask_order(id.as_str(), command)?;
                self.complete(id.as_str());
                Ok(())
            }
            Command::Payment(id, command) => {
                self.ask_payment(id.as_str(), command)?;
                if let Some(order) = self.payments[id.as_str()].order.clone() {
                    self.complete(&order);
                }
                Ok(())
            }
        }
    }

    /// What a command is refused with although it expects a version of something that does not exist yet: what it is
    /// asked of has the first word, then the conflict is told, and nothing that would follow is tried.
    pub(crate) fn refuse_new(mut self, command: &Command) -> Answer {
        if let Command::Payment(_, PaymentCommand::Request { payer, payee_account_id, amount, .. }) = command {
            let Payer::Account(payer) = payer;
            self.may_request(payer.as_str(), payee_account_id.as_str(), &sum(*amount))?;
        } else {
            self.ask(command)?;
        }
        Err("version_conflict")
    }
}

pub(crate) fn sum(money: Money) -> Sum {
    (money.amount.minor_units().into(), money.currency.code().to_owned())
}

pub(crate) fn refuse_if(condition: bool, code: &'static str) -> Answer {
    if condition { Err(code) } else { Ok(()) }
}
