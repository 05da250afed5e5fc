//! Holds: what events change in their rows.

use domain::account::event::AccountEvent;
use domain::currency::Currency;
use domain::ids::{HoldId, PaymentId};

use super::Changes;
use super::stamp::Stamp;

/// What changes in a hold's row. Sums are in minor units of its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HoldChange {
    /// There where the hold was placed by one of the events.
    pub(crate) placed: Option<Placed>,
    pub(crate) captured: i64,
    pub(crate) released: i64,
    /// Of the last event.
    pub(crate) stamp: Stamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) amount: i64,
    pub(crate) currency: Currency,
    pub(crate) payment_id: Option<PaymentId>,
    pub(crate) stamp: Stamp,
}

pub(super) fn apply(changes: &mut Changes, event: &AccountEvent, stamp: Stamp) {
    let mut hold = |hold_id: &HoldId, change: &dyn Fn(&mut HoldChange)| {
        let key = (event.account_id().clone(), hold_id.clone());
        let new = HoldChange { placed: None, captured: 0, released: 0, stamp };
        let hold = changes.holds.entry(key).or_insert(new);
        hold.stamp = stamp;
        change(hold);
    };
    match event {
        AccountEvent::HoldPlaced(e) => hold(&e.hold_id, &|hold| {
            hold.placed = Some(Placed {
                amount: e.amount.amount.minor_units(),
                currency: e.amount.currency,
                payment_id: e.payment_id.clone(),
                stamp,
            });
        }),
        AccountEvent::HoldCaptured(e) => hold(&e.hold_id, &|hold| {
            hold.captured += e.amount.amount.minor_units();
            hold.released += e.released.minor_units();
        }),
        AccountEvent::HoldReleased(e) => {
            hold(&e.hold_id, &|hold| hold.released += e.amount.amount.minor_units());
        }
        _ => {}
    }
}
