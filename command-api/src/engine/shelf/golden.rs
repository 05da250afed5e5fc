//! The bytes in which states are saved, held against a file: whoever changes a state's form must raise
//! [`tables::FORMAT`](super::super::tables::FORMAT), or a store of the old form would be misread.
#![allow(clippy::unwrap_used)]

use std::fmt::{Debug, Write};

use domain::account::{Account, AccountStatus, Hold};
use domain::aggregate::Versioned;
use domain::fork_map::ForkMap;
use domain::money::{Amount, Money};
use domain::order::state::{Line, OrderPayment, Return, ReturnStatus, Shipment};
use domain::order::{LineQuantity, Order, OrderStatus};
use domain::payment::state::OperationKind;
use domain::payment::{CaptureMode, OperationCause, Payer, Payment};
use domain::product::Product;

use super::{Kept, put, read};
use crate::engine::tables;

fn amount(minor_units: i64) -> Amount {
    Amount::new(minor_units).unwrap()
}

/// What is saved of a state, as a line of hexadecimal digits; it must read back as the same.
fn line<A: Kept<Id: Debug> + PartialEq + Debug>(id: A::Id, state: A, events: u64) -> String {
    let state = Versioned { state: Some(state), events };
    let mut bytes = Vec::new();
    put::<A>(&mut bytes, &id, &state);
    assert_eq!(read::<A>(&bytes), Ok((id, state)));
    bytes.iter().fold(String::new(), |mut line, byte| {
        write!(line, "{byte:02x}").unwrap();
        line
    })
}

fn account() -> Account {
    let mut holds = ForkMap::default();
    holds.insert("h-1".parse().unwrap(), Hold { remaining: amount(7), payment_id: Some("p-1".parse().unwrap()) });
    Account {
        owner_id: "ann".parse().unwrap(),
        currency: "JPY".parse().unwrap(),
        status: AccountStatus::FrozenDebits,
        balance: amount(-300),
        held: amount(7),
        open_holds: 1,
        holds,
    }
}

fn order() -> Order {
    let quantities = vec![LineQuantity { product_id: "tea".parse().unwrap(), quantity: 2 }];
    let line = Line {
        product_id: "tea".parse().unwrap(),
        quantity: 3,
        total: amount(300),
        shipped: 2,
        delivered: 1,
        returning: 1,
        returned: 0,
    };
    let payment = OrderPayment {
        payment_id: "p-1".parse().unwrap(),
        capture: CaptureMode::OnShipment,
        authorized: amount(350),
        captured: amount(200),
        voided: amount(1),
        refunded: amount(2),
    };
    Order {
        customer_id: "c-1".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        status: OrderStatus::Placed,
        lines: vec![line],
        shipping: amount(50),
        total: amount(350),
        credited: amount(4),
        shipments: [("s-1".parse().unwrap(), Shipment { lines: quantities.clone(), delivered: true })].into(),
        returns: [("r-1".parse().unwrap(), Return { lines: quantities, status: ReturnStatus::Requested })].into(),
        payments: vec![payment],
    }
}

fn payment() -> Payment {
    Payment {
        order_id: Some("o-1".parse().unwrap()),
        payer: Payer::Account("ann".parse().unwrap()),
        payee_account_id: "shop".parse().unwrap(),
        amount: Money::new(amount(350), "EUR".parse().unwrap()),
        capture: CaptureMode::Manual,
        authorized: amount(350),
        captured: amount(200),
        voided: amount(0),
        refunded: amount(20),
        operations: [(OperationKind::Refund, OperationCause::Return, "x".parse().unwrap())].into(),
    }
}

fn product() -> Product {
    let mut reserved_by_order = ForkMap::default();
    reserved_by_order.insert("o-1".parse().unwrap(), 3);
    Product {
        name: "Tea, 100 g".parse().unwrap(),
        unit_price: Money::new(amount(100), "EUR".parse().unwrap()),
        tax_rate_bps: 700,
        on_hand: 9,
        reserved: 3,
        reserved_by_order,
        discontinued: true,
    }
}

#[test]
fn states_are_saved_in_the_form_that_their_format_number_stands_for() {
    let lines = [
        format!("format {}", tables::FORMAT),
        format!("account {}", line("acct-1".parse().unwrap(), account(), 9)),
        format!("order {}", line("o-1".parse().unwrap(), order(), 300)),
        format!("payment {}", line("p-1".parse().unwrap(), payment(), 5)),
        format!("product {}", line("tea".parse().unwrap(), product(), 4)),
    ];
    let saved = lines.join("\n");
    let golden = include_str!("../../../tests/golden/states.txt");
    assert_eq!(saved, golden.trim_end(), "raise tables::FORMAT and write the golden file again");
}
