//! What must be true of all states at every step.

use std::collections::BTreeMap;

use domain::money::Amount;
use domain::order::{Fulfilment, Order, OrderPaymentStatus, OrderStatus};
use domain::posting::LedgerAccount;

use super::Trial;
use crate::ask::id;
use crate::model;

impl Trial {
    pub(super) fn check(&self) {
        self.check_money();
        self.check_accounts();
        self.check_products();
        self.check_payments();
        self.check_orders();
        let transfers: BTreeMap<_, _> = self.world.transfers.iter().map(|(id, t)| (id.as_str(), t)).collect();
        assert!(transfers.keys().eq(self.model.transfers.keys()));
        for (transfer, expected) in transfers.values().zip(self.model.transfers.values()) {
            let (from, to) = (transfer.from.as_str().to_owned(), transfer.to.as_str().to_owned());
            let (amount, reversed) = (model::sum(transfer.amount), transfer.reversed);
            assert_eq!(model::Transfer { from, to, amount, reversed }, *expected);
        }
    }

    fn check_money(&self) {
        for currency in ["JPY", "USD"] {
            assert_eq!(self.balance(LedgerAccount::ClearingTransfers, currency), 0, "clearing:transfers {currency}");
            assert_eq!(self.balance(LedgerAccount::ClearingPayments, currency), 0, "clearing:payments {currency}");
            let outside = self.balance(LedgerAccount::ExternalCash, currency);
            assert_eq!(i128::from(self.world.external_cash.get(&id(currency)).copied().unwrap_or(0)), outside);
            assert_eq!(self.model.cash.get(currency).copied().unwrap_or(0), outside);
            let accounts = self.world.accounts.values().flat_map(|account| &account.state);
            let inside: i128 = accounts.filter(|a| a.currency.code() == currency).map(|a| units(a.balance)).sum();
            assert_eq!(inside, -outside, "what is inside came from outside, in {currency}");
        }
    }

    fn check_accounts(&self) {
        assert_eq!(self.world.accounts.len(), self.model.accounts.len());
        for (name, expected) in &self.model.accounts {
            let account = self.world.accounts[name.as_str()].state.as_ref().unwrap();
            let holds = account.holds.iter().map(|(hold, h)| {
                let payment = h.payment_id.as_ref().map(|payment| payment.as_str().to_owned());
                (hold.as_str().to_owned(), (units(h.remaining), payment))
            });
            let found = model::Account {
                currency: account.currency.code().to_owned(),
                status: word(&account.status),
                balance: units(account.balance),
                holds: holds.collect(),
            };
            assert_eq!(found, *expected, "account {name}");
            let postings = self.balance(LedgerAccount::Account(id(name)), &expected.currency);
            assert_eq!(units(account.balance), postings, "the balance of {name} is the sum of its postings");
            assert_eq!(units(account.held), expected.held(), "what is held on {name} is the sum of its open holds");
            assert_eq!(units(account.available()), expected.available(), "{name}");
            assert!(expected.available() >= 0 && expected.balance <= model::MAX, "{name}: {expected:?}");
            let open = expected.holds.values().filter(|(left, _)| *left > 0).count();
            assert_eq!(account.open_holds, open as u64, "{name}");
        }
    }

    fn check_products(&self) {
        assert_eq!(self.world.products.len(), self.model.products.len());
        for (name, expected) in &self.model.products {
            let product = self.world.products[name.as_str()].state.as_ref().unwrap();
            let reserved = product.reserved_by_order.iter();
            let found = model::Product {
                price: model::sum(product.unit_price),
                tax_bps: product.tax_rate_bps.into(),
                on_hand: product.on_hand.into(),
                reserved: reserved.map(|(order, n)| (order.as_str().to_owned(), i128::from(*n))).collect(),
                sold: !product.discontinued,
            };
            assert_eq!(found, *expected, "product {name}");
            assert_eq!(i128::from(product.reserved), expected.reserved(), "reserved of {name} is the sum by order");
            assert!(0 <= product.reserved && product.reserved <= product.on_hand, "{name}: {product:?}");
            for (order, reserved) in &expected.reserved {
                let order = &self.model.orders[order];
                let line = order.lines.iter().find(|line| line.product == *name).unwrap();
                assert_eq!((order.status, *reserved), ("placed", line.quantity - line.shipped), "{name}");
            }
        }
    }

    fn check_payments(&self) {
        assert_eq!(self.world.payments.len(), self.model.payments.len());
        for (name, expected) in &self.model.payments {
            let payment = self.world.payments[name.as_str()].state.as_ref().unwrap();
            let sums = [payment.authorized, payment.captured, payment.voided, payment.refunded].map(units);
            let [authorized, captured, voided, refunded] = sums;
            let found = [expected.authorized, expected.captured, expected.voided, expected.refunded];
            assert_eq!(sums, found, "payment {name}");
            assert_eq!(payment.status().as_str(), expected.status(), "payment {name}");
            assert_eq!(payment.operations.len(), expected.done.len(), "payment {name}");
            assert_eq!(units(payment.amount.amount), authorized, "payment {name}");
            assert!(captured + voided <= authorized && refunded <= captured, "payment {name}: {payment:?}");
            let held = &self.model.accounts[&expected.payer].holds[name];
            assert_eq!(*held, (units(payment.capturable()), Some(name.clone())), "payment {name} and its hold");
        }
    }

    fn check_orders(&self) {
        assert_eq!(self.world.orders.len(), self.model.orders.len());
        for (name, expected) in &self.model.orders {
            let order = self.world.orders[name.as_str()].state.as_ref().unwrap();
            let lines = order.lines.iter().map(|line| model::Line {
                product: line.product_id.as_str().to_owned(),
                quantity: line.quantity.into(),
                total: units(line.total),
                shipped: line.shipped.into(),
                delivered: line.delivered.into(),
                returning: line.returning.into(),
                returned: line.returned.into(),
            });
            assert_eq!(lines.collect::<Vec<_>>(), expected.lines, "order {name}");
            for line in &expected.lines {
                let shipped = [0, line.returned, line.returning, line.shipped, line.quantity];
                assert!(shipped.is_sorted() && line.delivered <= line.shipped, "order {name}: {line:?}");
            }
            let found = (word(&order.status), order.currency.code(), units(order.shipping), units(order.credited));
            assert_eq!(found, (expected.status, &*expected.currency, expected.shipping, expected.credited));
            assert_eq!(word::<OrderPaymentStatus>(&order.payment_status()), self.model.paid(name), "order {name}");
            assert_eq!(order.shipments.len(), expected.shipments.len(), "order {name}");
            assert_eq!(order.returns.len(), expected.returns.len(), "order {name}");
            for (return_id, (_, status)) in &expected.returns {
                assert_eq!(word(&order.returns[return_id.as_str()].status), *status, "order {name}");
            }
            assert_eq!(units(order.total), expected.total, "order {name}");
            if [OrderStatus::Placed, OrderStatus::Completed].contains(&order.status) {
                let total = expected.lines.iter().map(|line| line.total).sum::<i128>() + expected.shipping;
                assert_eq!(total, expected.total, "order {name}");
                assert_eq!(units(order.outstanding()), self.model.outstanding(name), "order {name}");
                assert!(self.model.captured(name) <= total, "order {name}");
            }
            if order.status == OrderStatus::Completed {
                assert_eq!((order.fulfilment(), order.is_paid()), (Fulfilment::Delivered, true), "order {name}");
            }
            self.check_payments_of(name, order);
        }
    }

    /// An order knows of its payments what they know of themselves.
    fn check_payments_of(&self, name: &str, order: &Order) {
        let known: Vec<_> = order.payments.iter().map(|payment| payment.payment_id.as_str().to_owned()).collect();
        assert_eq!(known, self.model.orders[name].payments, "order {name}");
        for payment in &order.payments {
            let own = self.world.payments[&payment.payment_id].state.as_ref().unwrap();
            assert_eq!(
                (payment.authorized, payment.captured, payment.voided, payment.refunded, payment.capture),
                (own.authorized, own.captured, own.voided, own.refunded, own.capture),
                "order {name}, payment {}",
                payment.payment_id
            );
        }
    }
}

fn units(amount: Amount) -> i128 {
    amount.minor_units().into()
}

/// The word that a status is written as.
fn word<T: serde::Serialize>(status: &T) -> &'static str {
    let json = serde_json::to_string(status).unwrap();
    let words = [
        "open",
        "frozen_debits",
        "frozen",
        "closed",
        "draft",
        "placed",
        "completed",
        "cancelled",
        "unpaid",
        "authorized",
        "partially_paid",
        "paid",
        "partially_refunded",
        "refunded",
        "requested",
        "received",
        "rejected",
    ];
    words.into_iter().find(|word| json == format!("\"{word}\"")).unwrap_or_else(|| panic!("unknown status {json}"))
}
