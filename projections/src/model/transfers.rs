//! Transfers: what events change in their rows.

use chrono::{DateTime, Utc};
use domain::account::event::{AccountEvent, ReversalSide};
use domain::ids::{AccountId, Position, TransferId};
use domain::money::Money;
use domain::text::Text;

use super::Changes;
use super::stamp::Stamp;

/// What changes in a transfer's row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TransferChange {
    pub(crate) sent: Option<Sent>,
    pub(crate) received: Option<Position>,
    pub(crate) reversed: Option<Reversed>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) from: AccountId,
    pub(crate) to: AccountId,
    pub(crate) amount: Money,
    pub(crate) reference: Option<Text>,
    pub(crate) at: DateTime<Utc>,
    pub(crate) position: Position,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reversed {
    pub(crate) reason: Text,
    pub(crate) at: DateTime<Utc>,
    pub(crate) position: Position,
}

pub(super) fn apply(changes: &mut Changes, event: &AccountEvent, stamp: Stamp) {
    let mut transfer = |transfer_id: &TransferId, change: &dyn Fn(&mut TransferChange)| {
        change(changes.transfers.entry(transfer_id.clone()).or_default());
    };
    match event {
        AccountEvent::TransferSent(e) => transfer(&e.transfer_id, &|transfer| {
            transfer.sent = Some(Sent {
                from: e.account_id.clone(),
                to: e.to.clone(),
                amount: e.amount,
                reference: e.reference.clone(),
                at: stamp.business_time(),
                position: stamp.position,
            });
        }),
        AccountEvent::TransferReceived(e) => {
            transfer(&e.transfer_id, &|transfer| transfer.received = Some(stamp.position));
        }
        // The other side says the same a little later.
        AccountEvent::TransferReversed(e) if e.side == ReversalSide::Returned => {
            transfer(&e.transfer_id, &|transfer| {
                let (reason, at, position) = (e.reason.clone(), stamp.business_time(), stamp.position);
                transfer.reversed = Some(Reversed { reason, at, position });
            });
        }
        _ => {}
    }
}
