//! A cascade: one command, everything that follows from it, decided as a whole. Nothing is changed until all of it is
//! accepted; a refusal anywhere refuses the origin and leaves no trace but the refusal.
//! Pure: the states are lent by the caller, and what changed is given back to it in a [`Draft`].

use std::collections::VecDeque;
use std::hash::Hash;

use crate::account::{Account, AccountCommand};
use crate::aggregate::{Aggregate, Context, Versioned};
use crate::command::Command;
use crate::currency::Currency;
use crate::event::Event;
use crate::few::Few;
use crate::ids::{AccountId, OrderId, PaymentId, ProductId, StreamId, TransferId, Version};
use crate::order::{Order, OrderCommand, ProductQuote};
use crate::payment::{Payment, PaymentCommand};
use crate::posting::{LedgerAccount, posting};
use crate::process::Processes;
use crate::product::Product;
use crate::rejection::Rejection;
use crate::transfer::{self, Transfer};
use chrono::TimeDelta;

/// How far a business time may lie ahead of the engine's clock, for clocks that differ.
const CLOCK_SKEW_MAX: TimeDelta = TimeDelta::minutes(5);

/// The states that a cascade is decided on.
pub trait States {
    /// An account, if the name was ever used.
    fn account(&self, id: &AccountId) -> Option<&Versioned<Account>>;
    /// A product, if the name was ever used.
    fn product(&self, id: &ProductId) -> Option<&Versioned<Product>>;
    /// An order, if the name was ever used.
    fn order(&self, id: &OrderId) -> Option<&Versioned<Order>>;
    /// A payment, if the name was ever used.
    fn payment(&self, id: &PaymentId) -> Option<&Versioned<Payment>>;
    /// A transfer, if it was ever sent.
    fn transfer(&self, id: &TransferId) -> Option<&Transfer>;
    /// The balance of `external:cash` in a currency, in minor units: what went out less what came in.
    fn external_cash(&self, currency: Currency) -> i64;
}

/// An event that a cascade brought about, with its place in its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drafted {
    /// The event's number within its stream.
    pub version: Version,
    /// What is to have happened.
    pub event: Event,
}

/// States that differ from the lender's: what one command, or the commands of one atomic batch, have changed so far.
/// Who keeps them puts each in the place of its original and then lets it [settle](Aggregate::settle).
#[derive(Debug, Default)]
pub struct Draft {
    /// Accounts that changed.
    pub accounts: Few<AccountId, Versioned<Account>>,
    /// Products that changed.
    pub products: Few<ProductId, Versioned<Product>>,
    /// Orders that changed.
    pub orders: Few<OrderId, Versioned<Order>>,
    /// Payments that changed.
    pub payments: Few<PaymentId, Versioned<Payment>>,
    /// Transfers that were sent or reversed.
    pub transfers: Few<TransferId, Transfer>,
    /// Balances of `external:cash` that changed, in minor units.
    pub external_cash: Few<Currency, i64>,
    /// Empty buffers, kept so that deciding does not allocate them for every command.
    spare_events: Vec<Drafted>,
    spare_follow_ups: VecDeque<Command>,
}

impl Draft {
    /// Decides a command and all that follows from it, on the lender's states as far as this draft has not changed
    /// them. Gives the events in the order in which they happened. After a refusal the draft holds half of a cascade
    /// and must be thrown away.
    ///
    /// # Errors
    /// The [`Rejection`] of the command or of whatever followed from it.
    pub fn run(
        &mut self,
        states: &impl States,
        command: &Command,
        expected_version: Option<Version>,
        context: &Context,
    ) -> Result<Vec<Drafted>, Rejection> {
        if let Some(effective_at) = context.effective_at.filter(|at| *at > context.recorded_at + CLOCK_SKEW_MAX) {
            return Err(Rejection::EffectiveInFuture { effective_at, now: context.recorded_at });
        }
        // Where nothing exists yet, "there is no such account" says more than a conflict of versions does.
        let conflict = self.version_conflict(states, command, expected_version);
        if let Some(conflict @ Rejection::VersionConflict { actual: Some(_), .. }) = conflict {
            return Err(conflict);
        }
        let events = std::mem::take(&mut self.spare_events);
        let mut follow_ups = std::mem::take(&mut self.spare_follow_ups);
        let mut step = Step { draft: self, states, context, events };
        let mut processes = Processes::default();
        step.take(command)?;
        if let Some(conflict) = conflict {
            return Err(conflict);
        }
        let mut reacted = 0;
        loop {
            for drafted in &step.events[reacted..] {
                processes.react(&drafted.event, &mut follow_ups);
            }
            reacted = step.events.len();
            let Some(follow_up) = follow_ups.pop_front() else { break };
            step.take(&follow_up)?;
        }
        let events = step.events;
        self.spare_follow_ups = follow_ups;
        self.book_external_cash(states, &events)?;
        Ok(events)
    }

    /// Takes a buffer of events back that [`Draft::run`] gave and nobody needs any more, for the next run.
    pub fn recycle(&mut self, mut events: Vec<Drafted>) {
        const KEPT: usize = 256;
        events.clear();
        if events.capacity() <= KEPT {
            self.spare_events = events;
        }
    }

    /// Forgets everything, but keeps the room for it unless it has grown beyond the ordinary.
    pub fn clear(&mut self) {
        const KEPT: usize = 1_024;
        self.accounts.clear(KEPT);
        self.products.clear(KEPT);
        self.orders.clear(KEPT);
        self.payments.clear(KEPT);
        self.transfers.clear(KEPT);
        self.external_cash.clear(KEPT);
    }

    fn version_conflict(
        &self,
        states: &impl States,
        command: &Command,
        expected: Option<Version>,
    ) -> Option<Rejection> {
        let (expected, stream) = (expected?, command.stream()?);
        let actual = self.version(states, &stream);
        (actual != Some(expected)).then_some(Rejection::VersionConflict { expected, actual })
    }

    /// An account as this draft has it.
    pub fn account<'a>(&'a self, states: &'a impl States, id: &AccountId) -> Option<&'a Versioned<Account>> {
        self.accounts.get(id).or_else(|| states.account(id))
    }

    /// A product as this draft has it.
    pub fn product<'a>(&'a self, states: &'a impl States, id: &ProductId) -> Option<&'a Versioned<Product>> {
        self.products.get(id).or_else(|| states.product(id))
    }

    /// An order as this draft has it.
    pub fn order<'a>(&'a self, states: &'a impl States, id: &OrderId) -> Option<&'a Versioned<Order>> {
        self.orders.get(id).or_else(|| states.order(id))
    }

    /// A payment as this draft has it.
    pub fn payment<'a>(&'a self, states: &'a impl States, id: &PaymentId) -> Option<&'a Versioned<Payment>> {
        self.payments.get(id).or_else(|| states.payment(id))
    }

    /// A transfer as this draft has it.
    pub fn transfer<'a>(&'a self, states: &'a impl States, id: &TransferId) -> Option<&'a Transfer> {
        self.transfers.get(id).or_else(|| states.transfer(id))
    }

    /// The version of a stream's last event as this draft has it.
    pub fn version(&self, states: &impl States, stream: &StreamId) -> Option<Version> {
        match stream {
            StreamId::Account(id) => self.account(states, id)?.version(),
            StreamId::Product(id) => self.product(states, id)?.version(),
            StreamId::Order(id) => self.order(states, id)?.version(),
            StreamId::Payment(id) => self.payment(states, id)?.version(),
            StreamId::Rejections => None,
        }
    }

    /// Sums what came from and went to the outside. The outside's balance is minus the sum of all accounts, so bounding
    /// it bounds every total that a reader may want to add up.
    fn book_external_cash(&mut self, states: &impl States, events: &[Drafted]) -> Result<(), Rejection> {
        let (mut transfers, mut payments) = (0_i128, 0_i128);
        for posting in events.iter().filter_map(|drafted| posting(&drafted.event)) {
            let amount = posting.amount.amount.minor_units();
            for (account, signed) in [(&posting.debit, -amount), (&posting.credit, amount)] {
                match account {
                    LedgerAccount::ClearingTransfers => transfers += i128::from(signed),
                    LedgerAccount::ClearingPayments => payments += i128::from(signed),
                    LedgerAccount::ExternalCash => {
                        let currency = posting.amount.currency;
                        let balance =
                            self.external_cash.get_or_insert_with(&currency, || states.external_cash(currency));
                        *balance = balance.checked_add(signed).ok_or(Rejection::AmountOverflow {})?;
                    }
                    LedgerAccount::Account(_) => {}
                }
            }
        }
        assert!(transfers == 0 && payments == 0, "a cascade left money in clearing: {events:?}");
        Ok(())
    }
}

/// The deciding of one cascade.
struct Step<'a, S> {
    draft: &'a mut Draft,
    states: &'a S,
    context: &'a Context,
    events: Vec<Drafted>,
}

impl<S: States> Step<'_, S> {
    fn take(&mut self, command: &Command) -> Result<(), Rejection> {
        match command {
            Command::Account(id, command) => {
                if let AccountCommand::SendTransfer { transfer_id, .. } = command {
                    transfer::may_send(self.draft.transfer(self.states, transfer_id), transfer_id)?;
                }
                self.take_account(id, command)
            }
            Command::ReverseTransfer { transfer_id, reason } => {
                let known = self.draft.transfer(self.states, transfer_id);
                let (account_id, command) = transfer::reverse(known, transfer_id, reason)?;
                self.take_account(&account_id, &command)
            }
            Command::Product(id, command) => {
                let lent = self.states.product(id);
                decide(&mut self.draft.products, lent, id, command, self.context, &mut self.events)
            }
            Command::Order(id, command) => {
                let quoted = self.with_quote(command);
                let command = quoted.as_ref().unwrap_or(command);
                let lent = self.states.order(id);
                decide(&mut self.draft.orders, lent, id, command, self.context, &mut self.events)
            }
            Command::Payment(id, command) => {
                let completed = self.with_payee(command);
                let command = completed.as_ref().unwrap_or(command);
                let lent = self.states.payment(id);
                decide(&mut self.draft.payments, lent, id, command, self.context, &mut self.events)
            }
        }
    }

    /// An item to be added, with what its product says of itself.
    fn with_quote(&self, command: &OrderCommand) -> Option<OrderCommand> {
        let OrderCommand::AddItem { product_id, .. } = command else { return None };
        let product = self.draft.product(self.states, product_id).and_then(|p| p.state.as_ref());
        let said = product.map(|p| ProductQuote { currency: p.unit_price.currency, discontinued: p.discontinued });
        let mut command = command.clone();
        if let OrderCommand::AddItem { quote, .. } = &mut command {
            *quote = said;
        }
        Some(command)
    }

    /// A payment to be requested, with the currency that its payee's account holds.
    fn with_payee(&self, command: &PaymentCommand) -> Option<PaymentCommand> {
        let PaymentCommand::Request { payee_account_id, .. } = command else { return None };
        let payee = self.draft.account(self.states, payee_account_id).and_then(|a| a.state.as_ref());
        let said = payee.map(|account| account.currency);
        let mut command = command.clone();
        if let PaymentCommand::Request { payee_currency, .. } = &mut command {
            *payee_currency = said;
        }
        Some(command)
    }

    fn take_account(&mut self, id: &AccountId, command: &AccountCommand) -> Result<(), Rejection> {
        let from = self.events.len();
        let lent = self.states.account(id);
        decide(&mut self.draft.accounts, lent, id, command, self.context, &mut self.events)?;
        for drafted in &self.events[from..] {
            let Event::Account(event) = &drafted.event else { continue };
            let known = |transfer_id: &TransferId| self.draft.transfer(self.states, transfer_id);
            if let Some((transfer_id, transfer)) = transfer::evolve(known, event) {
                self.draft.transfers.insert(transfer_id, transfer);
            }
        }
        Ok(())
    }
}

fn decide<A>(
    changed: &mut Few<A::Id, Versioned<A>>,
    lent: Option<&Versioned<A>>,
    id: &A::Id,
    command: &A::Command,
    context: &Context,
    events: &mut Vec<Drafted>,
) -> Result<(), Rejection>
where
    A: Aggregate,
    A::Id: Eq + Hash + Clone,
    Event: From<A::Event>,
{
    let current = changed.get(id).or(lent);
    let decided = A::decide(id, current.and_then(|c| c.state.as_ref()), command, context)?;
    let mut decided = decided.into_iter().peekable();
    if decided.peek().is_none() {
        return Ok(());
    }
    let current = changed.get_or_insert_with(id, || lent.cloned().unwrap_or_default());
    for event in decided {
        let version = current.evolve(&event);
        events.push(Drafted { version, event: event.into() });
    }
    Ok(())
}
