//! The register of transfers: which were sent, and which of them were reversed. It has no stream of its own; it is
//! read out of the events of the two accounts, and keeps a transfer's name from being used twice.

use crate::account::AccountCommand;
use crate::account::event::{AccountEvent, ReversalSide};
use crate::ids::{AccountId, TransferId};
use crate::money::Money;
use crate::rejection::Rejection;
use crate::text::Text;

/// A transfer that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Who sent it.
    pub from: AccountId,
    /// Who received it.
    pub to: AccountId,
    /// How much.
    pub amount: Money,
    /// Whether it was undone.
    pub reversed: bool,
}

/// Refuses a name that was used before.
///
/// # Errors
/// `transfer_exists`.
pub fn may_send(existing: Option<&Transfer>, transfer_id: &TransferId) -> Result<(), Rejection> {
    match existing {
        Some(_) => Err(Rejection::TransferExists { transfer_id: transfer_id.clone() }),
        None => Ok(()),
    }
}

/// The command that begins to undo a transfer: taking it back from its receiver.
///
/// # Errors
/// `transfer_not_found`, `already_reversed`.
pub fn reverse(
    existing: Option<&Transfer>,
    transfer_id: &TransferId,
    reason: &Text,
) -> Result<(AccountId, AccountCommand), Rejection> {
    let transfer = existing.ok_or_else(|| Rejection::TransferNotFound { transfer_id: transfer_id.clone() })?;
    if transfer.reversed {
        return Err(Rejection::AlreadyReversed { transfer_id: transfer_id.clone() });
    }
    let take_back = AccountCommand::ReturnTransfer {
        transfer_id: transfer_id.clone(),
        to: transfer.from.clone(),
        amount: transfer.amount,
        reason: reason.clone(),
    };
    Ok((transfer.to.clone(), take_back))
}

/// Which transfer an account's event makes or changes, if any, and what it makes of it; `existing` looks one up.
pub fn evolve<'a>(
    existing: impl FnOnce(&TransferId) -> Option<&'a Transfer>,
    event: &AccountEvent,
) -> Option<(TransferId, Transfer)> {
    match event {
        AccountEvent::TransferSent(e) => {
            let (from, to) = (e.account_id.clone(), e.to.clone());
            Some((e.transfer_id.clone(), Transfer { from, to, amount: e.amount, reversed: false }))
        }
        AccountEvent::TransferReversed(e) if e.side == ReversalSide::Returned => {
            Some((e.transfer_id.clone(), Transfer { reversed: true, ..existing(&e.transfer_id)?.clone() }))
        }
        _ => None,
    }
}
