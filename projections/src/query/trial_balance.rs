//! `GET /v1/ledger/trial-balance`.

use std::collections::BTreeMap;

use axum::extract::State;
use domain::posting::{LedgerAccount, LedgerClass};
use http_problem::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{Answered, Problems, failed, unreadable};
use super::asked::Asked;
use super::money::Sum;
use super::snapshot::{QueryState, Snapshot};
use super::view::{View, answered};
use crate::model::ledger::{ALL_ACCOUNTS, Turnover};

/// What was booked since the beginning.
#[derive(Debug, Serialize, ToSchema)]
struct Booked {
    /// Sum of all debits.
    debits: Sum,
    /// Sum of all credits.
    credits: Sum,
    /// Credits less debits.
    balance: Sum,
}

/// A ledger account that is not an account of Bursar.
#[derive(Debug, Serialize, ToSchema)]
struct LedgerAccountBooked {
    #[schema(example = "external:cash")]
    ledger_account: String,
    #[serde(flatten)]
    booked: Booked,
}

/// A class of ledger accounts.
#[derive(Debug, Serialize, ToSchema)]
struct ClassBooked {
    /// `accounts`: the accounts of Bursar; `external`: the world outside; `clearing`: what is under way.
    #[schema(value_type = String, example = "external")]
    class: LedgerClass,
    #[serde(flatten)]
    booked: Booked,
    /// The ledger accounts of the class one by one, except the accounts of Bursar.
    ledger_accounts: Vec<LedgerAccountBooked>,
}

/// The trial balance of a currency.
#[derive(Debug, Serialize, ToSchema)]
struct CurrencyBooked {
    #[schema(example = "GBP")]
    currency: String,
    /// Over all classes: debits and credits are equal, the balance is zero.
    #[serde(flatten)]
    booked: Booked,
    classes: Vec<ClassBooked>,
}

/// The trial balance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrialBalance {
    /// Sorted by currency.
    currencies: Vec<CurrencyBooked>,
    /// The position of the log that the answer reflects.
    #[schema(example = 4711)]
    position: u64,
}

/// Shows the trial balance
///
/// What was debited and credited since the beginning, per currency and class of ledger accounts. A balance is credits
/// less debits, as the owner of an account sees it; all balances of a currency sum to zero.
#[utoipa::path(
    get, path = "/v1/ledger/trial-balance", operation_id = "get_trial_balance", tag = "ledger",
    params(super::snapshot::Recency),
    responses((status = 200, body = TrialBalance, description = "The trial balance."), Problems)
)]
pub(super) async fn whole(state: State<QueryState>, asked: Asked) -> Answered<TrialBalance> {
    answered::<TrialBalanceWanted>(state, asked).await
}

/// The trial balance: there is only one.
pub(crate) struct TrialBalanceWanted;

impl View for TrialBalanceWanted {
    type Body = TrialBalance;

    fn asked(_asked: &mut Asked) -> Option<Self> {
        Some(Self)
    }

    async fn read(self, snapshot: &mut Snapshot) -> Result<Self::Body, Problem> {
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT currency, ledger_account, debits::text, credits::text FROM trial_balance ORDER BY 1, 2",
        )
        .fetch_all(snapshot.rows())
        .await
        .map_err(failed)?;
        let mut lines: BTreeMap<String, Vec<(String, Turnover)>> = BTreeMap::new();
        for (currency, ledger_account, debits, credits) in rows {
            let sum = |text: &str| text.parse().map_err(|_| unreadable("trial_balance", &ledger_account));
            let turnover = Turnover { debits: sum(&debits)?, credits: sum(&credits)? };
            lines.entry(currency).or_default().push((ledger_account, turnover));
        }
        let currencies = lines.into_iter().map(|(currency, lines)| of_currency(currency, &lines));
        let currencies = currencies.collect::<Result<_, Problem>>()?;
        Ok(TrialBalance { currencies, position: snapshot.moment.position.0 })
    }
}

fn of_currency(currency: String, lines: &[(String, Turnover)]) -> Result<CurrencyBooked, Problem> {
    let mut classes: BTreeMap<LedgerClass, (Turnover, Vec<LedgerAccountBooked>)> = BTreeMap::new();
    let mut whole = Turnover::default();
    for (name, turnover) in lines {
        let class = if name == ALL_ACCOUNTS {
            LedgerClass::Accounts
        } else {
            let account: LedgerAccount = name.parse().map_err(|_| unreadable("trial_balance", name))?;
            account.class()
        };
        let (sum, accounts) = classes.entry(class).or_default();
        add(sum, *turnover);
        add(&mut whole, *turnover);
        if class != LedgerClass::Accounts {
            let booked = Booked::new(*turnover, &currency);
            accounts.push(LedgerAccountBooked { ledger_account: name.clone(), booked });
        }
    }
    let classes = classes.into_iter().map(|(class, (sum, ledger_accounts))| {
        let booked = Booked::new(sum, &currency);
        ClassBooked { class, booked, ledger_accounts }
    });
    let classes = classes.collect();
    Ok(CurrencyBooked { booked: Booked::new(whole, &currency), currency, classes })
}

const fn add(sum: &mut Turnover, more: Turnover) {
    sum.debits += more.debits;
    sum.credits += more.credits;
}

impl Booked {
    fn new(turnover: Turnover, currency: &str) -> Self {
        Self {
            debits: Sum::new(turnover.debits, currency),
            credits: Sum::new(turnover.credits, currency),
            balance: Sum::new(turnover.credits - turnover.debits, currency),
        }
    }
}
