//! Made-up traffic on a few accounts: what several writers send at once, piece by piece, until they are told to stop.
//! Much of it is accepted and some is refused; what must come of it is worked out from the answers, apart from Bursar.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::Client;
use crate::random::Random;
use crate::server::PATIENCE;
use crate::witness::{Kept, Witness};

/// Few, so that writers meet.
const ACCOUNTS: usize = 40;
/// How long after a failure a writer sends again.
const SEND_AGAIN: Duration = Duration::from_millis(5);

/// How a writer sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pieces {
    /// One command after another.
    Single,
    /// Single commands, and batches of both modes.
    Mixed,
}

/// Writers at work.
pub(crate) struct Traffic {
    /// What they were answered.
    pub(crate) witness: Arc<Witness>,
    server: watch::Sender<Client>,
    /// Writers wait while so many were answered.
    until: watch::Sender<usize>,
    stop: watch::Sender<bool>,
    writers: JoinSet<()>,
}

impl Traffic {
    /// Opens the accounts and starts so many writers.
    pub(crate) async fn start(client: Client, writers: usize, pieces: Pieces, random: &mut Random) -> Self {
        let witness = Arc::new(Witness::new());
        let accounts: Vec<Value> = (0..ACCOUNTS).flat_map(opened).collect();
        assert!(witness.batch(&client, "independent", &accounts).await);
        let (server, stop) = (watch::Sender::new(client), watch::Sender::new(false));
        let mut traffic =
            Self { witness, server, until: watch::Sender::new(usize::MAX), stop, writers: JoinSet::new() };
        for number in 0..writers {
            let writer = Writer {
                name: format!("w{number}"),
                commands: 0,
                holds: Vec::new(),
                payments: Vec::new(),
                random: random.split(),
                witness: Arc::clone(&traffic.witness),
                server: traffic.server.subscribe(),
            };
            traffic.writers.spawn(writer.write(pieces, traffic.until.subscribe(), traffic.stop.subscribe()));
        }
        traffic
    }

    /// Lets writers have about so many more answers, then wait: enough is enough, however fast the machine is.
    pub(crate) fn at_most(&self, commands: usize) {
        self.until.send_replace(self.witness.heard() + commands);
    }

    /// There is another server now.
    pub(crate) fn goes_to(&self, client: Client) {
        self.server.send_replace(client);
    }

    /// Waits until so many more commands were answered than before.
    pub(crate) async fn goes_on(&mut self, commands: usize) {
        let count = self.witness.heard() + commands;
        self.until.send_modify(|until| *until = count.max(*until));
        let witness = Arc::clone(&self.witness);
        tokio::select! {
            () = witness.has_heard(count) => {}
            // Only a failure ends a writer before it is told to stop.
            Some(ended) = self.writers.join_next() => { ended.unwrap(); panic!("a writer ended"); }
        }
    }

    /// Lets every writer finish what it is sending.
    pub(crate) async fn stop(mut self) -> Arc<Witness> {
        self.stop.send_replace(true);
        while let Some(ended) = self.writers.join_next().await {
            ended.unwrap();
        }
        self.witness
    }
}

fn account(number: usize) -> String {
    format!("acct-{number}")
}

fn pounds(pence: u64) -> Value {
    json!({"amount": pence, "currency": "GBP"})
}

fn opened(number: usize) -> [Value; 2] {
    let id = account(number);
    [
        json!({"type": "open_account", "key": format!("open-{id}"), "account_id": id, "owner_id": "o", "currency": "GBP"}),
        json!({"type": "deposit", "key": format!("fund-{id}"), "account_id": id, "amount": pounds(5_000)}),
    ]
}

struct Writer {
    name: String,
    commands: usize,
    /// Of which account, under which name.
    holds: Vec<(String, String)>,
    /// Payments that were asked for.
    payments: Vec<String>,
    random: Random,
    witness: Arc<Witness>,
    server: watch::Receiver<Client>,
}

impl Writer {
    async fn write(mut self, pieces: Pieces, mut until: watch::Receiver<usize>, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let heard = self.witness.heard();
            tokio::select! {
                _ = until.wait_for(|until| *until > heard) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
            let form = if pieces == Pieces::Single { 0 } else { self.random.below(4) };
            let (mode, count) = match form {
                0 | 1 => ("single", 1),
                2 => ("independent", 1 + self.random.index(300)),
                _ => ("atomic", 2 + self.random.index(20)),
            };
            let commands = match mode {
                "atomic" => self.together(count),
                _ => (0..count).map(|_| self.command()).collect(),
            };
            let answered = tokio::time::timeout(PATIENCE, self.answered(mode, &commands)).await;
            assert!(answered.is_ok(), "{} got no answer to {commands:?}", self.name);
        }
    }

    /// Sends again and again under the same keys, whichever server there is.
    async fn answered(&self, mode: &str, commands: &[Value]) {
        loop {
            let client = self.server.borrow().clone();
            let answered = match mode {
                "single" => self.witness.single(&client, &commands[0]).await,
                mode => self.witness.batch(&client, mode, commands).await,
            };
            if answered {
                return;
            }
            tokio::time::sleep(SEND_AGAIN).await;
        }
    }

    fn key(&mut self) -> String {
        self.commands += 1;
        format!("{}-{}", self.name, self.commands)
    }

    /// A command that may be refused.
    fn command(&mut self) -> Value {
        let of = account(self.random.index(ACCOUNTS));
        let amount = pounds(1 + self.random.below(2_500));
        let key = self.key();
        match self.random.below(10) {
            0 | 1 => json!({"type": "deposit", "key": key, "account_id": of, "amount": amount}),
            2 => json!({"type": "withdraw", "key": key, "account_id": of, "amount": amount}),
            3 => {
                let hold = format!("hold-{key}");
                self.holds.push((of.clone(), hold.clone()));
                json!({"type": "place_hold", "key": key, "account_id": of, "hold_id": hold, "amount": amount})
            }
            4 if !self.holds.is_empty() => {
                let (of, hold) = self.holds.swap_remove(self.random.index(self.holds.len()));
                json!({"type": "release_hold", "key": key, "account_id": of, "hold_id": hold})
            }
            5 => {
                let payment = format!("payment-{key}");
                self.payments.push(payment.clone());
                json!({
                    "type": "request_payment", "key": key, "payment_id": payment, "payer": {"account_id": of},
                    "payee_account_id": account(self.random.index(ACCOUNTS)), "amount": amount, "capture": "manual"
                })
            }
            6 if !self.payments.is_empty() => {
                let payment = self.payments.swap_remove(self.random.index(self.payments.len()));
                match self.random.below(3) {
                    0 => json!({"type": "void_payment", "key": key, "payment_id": payment}),
                    _ => json!({"type": "capture_payment", "key": key, "payment_id": payment}),
                }
            }
            _ => {
                let from = self.random.index(ACCOUNTS);
                let pence = 1 + self.random.below(2_500);
                self.transfer(from, pence)
            }
        }
    }

    /// Commands for an atomic batch: what goes out of an account came into it just before, so all are accepted, but in
    /// every fourth batch the last one is refused for certain and all the others with it.
    fn together(&mut self, pairs: usize) -> Vec<Value> {
        let mut commands = Vec::new();
        for _ in 0..pairs {
            let (from, pence) = (self.random.index(ACCOUNTS), 1 + self.random.below(2_500));
            let key = self.key();
            commands.push(json!({"type": "deposit", "key": key, "account_id": account(from), "amount": pounds(pence)}));
            commands.push(self.transfer(from, pence));
        }
        if self.random.below(4) == 0 {
            commands.push(self.transfer(0, 1 << 40));
        }
        commands
    }

    fn transfer(&mut self, from: usize, pence: u64) -> Value {
        let key = self.key();
        let to = (from + 1 + self.random.index(ACCOUNTS - 1)) % ACCOUNTS;
        let (from, to) = (account(from), account(to));
        json!({
            "type": "send_transfer", "key": key, "transfer_id": format!("transfer-{key}"), "from": from, "to": to,
            "amount": pounds(pence)
        })
    }
}

/// What every account must hold: what came in less what went out, of everything that was accepted.
pub(crate) fn balances(list: &[Kept]) -> BTreeMap<String, i64> {
    let mut balances = BTreeMap::new();
    let accepted = || list.iter().filter(|kept| kept.told.code.is_none()).map(|kept| &kept.command);
    let requested = accepted().filter(|command| command["type"] == "request_payment");
    let requested: BTreeMap<_, _> = requested.map(|command| (command["payment_id"].as_str(), command)).collect();
    for command in accepted().filter(|command| command["type"] == "capture_payment") {
        let payment = requested[&command["payment_id"].as_str()];
        let pence = payment["amount"]["amount"].as_i64().unwrap();
        for (account, sign) in [(&payment["payer"]["account_id"], -1), (&payment["payee_account_id"], 1)] {
            *balances.entry(account.as_str().unwrap().to_owned()).or_insert(0) += sign * pence;
        }
    }
    for Kept { command, .. } in list.iter().filter(|kept| kept.told.code.is_none()) {
        let mut book = |side: &str, sign: i64| {
            if let Some(account) = command[side].as_str() {
                let pence = command["amount"]["amount"].as_i64().unwrap_or(0);
                *balances.entry(account.to_owned()).or_insert(0) += sign * pence;
            }
        };
        match command["type"].as_str().unwrap() {
            "open_account" | "deposit" => book("account_id", 1),
            "withdraw" => book("account_id", -1),
            "send_transfer" => {
                book("from", -1);
                book("to", 1);
            }
            _ => {}
        }
    }
    balances
}
