//! Transfer: what one account sent, the other receives; what one gave back, the other has again.
//! Refused on the other side: the whole transfer, or its whole reversal, is refused.

use std::collections::VecDeque;

use crate::account::AccountCommand;
use crate::account::event::{AccountEvent, ReversalSide};
use crate::command::Command;

pub(super) fn react(event: &AccountEvent, follow_ups: &mut VecDeque<Command>) {
    match event {
        AccountEvent::TransferSent(e) => follow_ups.push_back(Command::Account(
            e.to.clone(),
            AccountCommand::ReceiveTransfer {
                transfer_id: e.transfer_id.clone(),
                from: e.account_id.clone(),
                amount: e.amount,
                reference: e.reference.clone(),
            },
        )),
        AccountEvent::TransferReversed(e) if e.side == ReversalSide::Returned => {
            follow_ups.push_back(Command::Account(
                e.counterparty.clone(),
                AccountCommand::RestoreTransfer {
                    transfer_id: e.transfer_id.clone(),
                    from: e.account_id.clone(),
                    amount: e.amount,
                    reason: e.reason.clone(),
                },
            ));
        }
        _ => {}
    }
}
