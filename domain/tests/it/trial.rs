//! The aggregates and the plain model side by side: both are asked, their answers compared, the books kept apart.

use std::collections::BTreeMap;

use domain::command::Command;
use domain::event::Event;
use domain::ids::Version;
use domain::posting::{LedgerAccount, posting};
use domain::rejection::Rejection;
use domain::transfer;

use crate::golden::{decode, encode};
use crate::model::{self, Answer, Model};
use crate::random::{self, Expect, Step};
use crate::world::{Request, World, now};

mod check;

/// Commands without a name of their own; a retry of them is known by its idempotency key alone.
const REPEATABLE: &[&str] = &[
    "Deposit",
    "Withdraw",
    "CaptureHold",
    "Freeze",
    "ProductChangePrice",
    "ProductReceiveStock",
    "ProductAdjustStock",
    "OrderAddItem",
    "OrderChangeQuantity",
    "OrderSetShipping",
];

/// The aggregates, the model, and the books kept by postings alone.
#[derive(Default)]
pub(crate) struct Trial {
    world: World,
    model: Model,
    ledger: BTreeMap<(LedgerAccount, String), i128>,
    pub(crate) accepted: BTreeMap<String, u64>,
    pub(crate) refused: BTreeMap<&'static str, u64>,
}

impl Trial {
    pub(crate) fn with(commands: Vec<Command>) -> Self {
        let mut trial = Self::default();
        for command in commands {
            let step = Step { command, expect: Expect::Nothing, effective_in: None };
            trial.ask(std::slice::from_ref(&step));
        }
        assert!(trial.refused.is_empty(), "{:?}", trial.refused);
        trial.accepted.clear();
        trial
    }

    pub(crate) fn run(&mut self, batches: &[Vec<Step>]) {
        for batch in batches {
            self.ask(batch);
            self.check();
        }
        self.replay();
    }

    /// Asks the aggregates and the model, and compares their answers.
    fn ask(&mut self, batch: &[Step]) {
        let (events, expected) = self.ask_both(batch);
        let code = events.as_ref().map(|_| ()).map_err(Rejection::code);
        assert_eq!(code, expected.as_ref().map(|_| ()).map_err(|code| *code), "{batch:?}\n{events:?}");
        match (events, expected) {
            (Ok(events), Ok(model)) => {
                self.model = model;
                assert!(events.len() >= batch.len(), "every accepted command leaves an event");
                events.iter().for_each(|event| self.book(event));
                batch.iter().for_each(|step| *self.accepted.entry(random::kind(&step.command)).or_default() += 1);
                batch.last().into_iter().for_each(|step| self.ask_again(&step.command));
            }
            (answer, _) => *self.refused.entry(answer.unwrap_err().code()).or_default() += 1,
        }
    }

    /// What has a name, or ends something, is done once: asked again it is refused, whoever asks.
    fn ask_again(&mut self, command: &Command) {
        if !REPEATABLE.contains(&random::kind(command).as_str()) {
            let again = self.world.ask(command.clone());
            assert!(again.is_err(), "{command:?} was done twice: {again:?}");
        }
    }

    /// A batch is asked as a whole. What version a command of it expects is known once those before it are done, so
    /// the model goes ahead, and where there are several a second world goes along with it one command at a time.
    fn ask_both(&mut self, batch: &[Step]) -> (Result<Vec<Event>, Rejection>, Answer<Model>) {
        let mut requests = Vec::new();
        let mut model = Ok(self.model.clone());
        let mut ahead = (batch.len() > 1).then(|| self.world.clone());
        for step in batch {
            let stream = step.command.stream();
            let version = stream.as_ref().and_then(|stream| ahead.as_ref().unwrap_or(&self.world).version(stream));
            let expected = match step.expect {
                Expect::Nothing => None,
                Expect::TheVersionThatIs => version,
                Expect::Version(number) => Some(Version(number)),
            };
            let effective_at = step.effective_in.map(|delta| now() + delta);
            let request = Request { command: step.command.clone(), expected_version: expected, effective_at };
            model = model.and_then(|mut model: Model| {
                let conflict = stream.is_some() && expected.is_some() && expected != version;
                model::refuse_if(
                    step.effective_in.is_some_and(|delta| delta.num_seconds() > 300),
                    "effective_in_future",
                )?;
                model::refuse_if(conflict && version.is_some(), "version_conflict")?;
                if conflict {
                    model.clone().refuse_new(&step.command)?;
                }
                model.ask(&step.command)?;
                Ok(model)
            });
            let _ = ahead.as_mut().map(|ahead| ahead.ask(request.clone()));
            requests.push(request);
        }
        let events = self.world.run(&requests);
        if let (Ok(_), Some(ahead)) = (&events, ahead) {
            assert!(self.world == ahead, "a batch does what its commands do one by one");
        }
        (events, model)
    }

    /// Books an event's postings.
    fn book(&mut self, event: &Event) {
        let Some(posting) = posting(event) else { return };
        let (amount, currency) = model::sum(posting.amount);
        assert!(amount > 0 && posting.debit != posting.credit, "{posting:?}");
        *self.ledger.entry((posting.debit, currency.clone())).or_default() -= amount;
        *self.ledger.entry((posting.credit, currency.clone())).or_default() += amount;
        let all = self.ledger.iter().filter(|((_, c), _)| *c == currency).map(|(_, balance)| balance);
        assert_eq!(all.sum::<i128>(), 0, "the postings in {currency} sum to zero at every event");
    }

    fn balance(&self, account: LedgerAccount, currency: &str) -> i128 {
        self.ledger.get(&(account, currency.to_owned())).copied().unwrap_or(0)
    }

    /// Every state again, out of nothing but the events of its stream; the events by way of their JSON.
    fn replay(&self) {
        let mut again = World::default();
        for (stream, events) in &self.world.streams {
            for (number, event) in events.iter().enumerate() {
                assert_eq!(event.stream(), *stream);
                let json = encode(event);
                let read = decode(event.event_type(), event.schema_version(), &json).unwrap();
                assert_eq!(read, *event, "{json}");
                let version = match &read {
                    Event::Account(e) => again.accounts.entry(e.account_id().clone()).or_default().evolve(e),
                    Event::Product(e) => again.products.entry(e.product_id().clone()).or_default().evolve(e),
                    Event::Order(e) => again.orders.entry(e.order_id().clone()).or_default().evolve(e),
                    Event::Payment(e) => again.payments.entry(e.payment_id().clone()).or_default().evolve(e),
                    Event::Rejected(e) => panic!("no cascade records a refusal: {e:?}"),
                };
                assert_eq!(version.0, number as u64);
            }
        }
        for event in &self.world.log {
            let Event::Account(event) = event else { continue };
            let evolved = transfer::evolve(|transfer_id| again.transfers.get(transfer_id), event);
            again.transfers.extend(evolved);
        }
        assert_eq!(again.accounts, self.world.accounts);
        assert_eq!(again.products, self.world.products);
        assert_eq!(again.orders, self.world.orders);
        assert_eq!(again.payments, self.world.payments);
        assert_eq!(again.transfers, self.world.transfers);
    }
}
