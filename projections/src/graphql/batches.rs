//! What one request reads: a single snapshot, and batches, so that a list of a hundred things costs as many statements as
//! one thing does.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use async_graphql::dataloader::Loader;
use http_problem::Problem;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard};

use crate::query::snapshot::{Freshness, QueryState, Snapshot, behind};
use crate::query::view::View;
use crate::query::{accounts, answer, holds, orders, payments, products, statement, transfers};

/// One request's view of the read models. The snapshot is taken when something is first read.
pub(super) struct Reading {
    state: QueryState,
    freshness: Freshness,
    /// Fields are resolved at the same time and share one connection, which answers one statement after another.
    snapshot: Mutex<Option<Snapshot>>,
}

impl Reading {
    pub(super) fn new(state: QueryState, freshness: Freshness) -> Self {
        Self { state, freshness, snapshot: Mutex::new(None) }
    }

    async fn snapshot(&self) -> Result<MappedMutexGuard<'_, Snapshot>, Problem> {
        let mut held = self.snapshot.lock().await;
        if held.is_none() {
            *held = Some(self.state.snapshot(self.freshness).await.map_err(answer::Unanswered::into_problem)?);
        }
        MutexGuard::try_map(held, Option::as_mut).map_err(|_| answer::broken())
    }

    /// Reads a view.
    pub(super) async fn view<V: View>(&self, wanted: V) -> Result<Value, Problem> {
        let mut snapshot = self.snapshot().await?;
        let (needed, reached) = (wanted.needs(self.freshness).min_position, snapshot.moment.position);
        if needed > reached {
            return Err(behind(needed, reached));
        }
        json(wanted.read(&mut snapshot).await?)
    }

    /// The position that everything was read at; none where nothing was read. Gives the connection back.
    pub(super) async fn close(&self) -> Option<u64> {
        let snapshot = self.snapshot.lock().await.take()?;
        let position = snapshot.moment.position.0;
        snapshot.close().await;
        Some(position)
    }
}

/// What JSON cannot say is a sum beyond 64 bits.
fn json(body: impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(body).map_err(|_| answer::broken())
}

/// Things that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    Account,
    Order,
    Payment,
    Product,
    Transfer,
}

impl Kind {
    /// The field that has the name.
    pub(super) const fn id_field(self) -> &'static str {
        match self {
            Self::Account => "account_id",
            Self::Order => "order_id",
            Self::Payment => "payment_id",
            Self::Product => "product_id",
            Self::Transfer => "transfer_id",
        }
    }
}

/// One thing, with everything that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Named(pub(super) Kind, pub(super) String);

/// The first holds of an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct FirstHolds {
    pub(super) account_id: String,
    pub(super) status: Option<&'static str>,
    pub(super) limit: usize,
}

/// The beginning of the statement of an account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct FirstPostings {
    pub(super) account_id: String,
    pub(super) limit: usize,
}

/// Reads many at once.
pub(super) struct Batches(pub(super) Arc<Reading>);

impl Loader<Named> for Batches {
    type Value = Value;
    type Error = Problem;

    async fn load(&self, keys: &[Named]) -> Result<HashMap<Named, Value>, Problem> {
        let mut kinds: BTreeMap<Kind, Vec<String>> = BTreeMap::new();
        for Named(kind, id) in keys {
            kinds.entry(*kind).or_default().push(id.clone());
        }
        let mut snapshot = self.0.snapshot().await?;
        let mut found = HashMap::new();
        for (kind, ids) in kinds {
            let read = match kind {
                Kind::Account => json(accounts::named(snapshot.rows(), &ids).await?)?,
                Kind::Order => json(orders::named(&mut snapshot, &ids).await?)?,
                Kind::Payment => json(payments::named(&mut snapshot, &ids).await?)?,
                Kind::Product => json(products::named(snapshot.rows(), &ids).await?)?,
                Kind::Transfer => json(transfers::named(&mut snapshot, &ids).await?)?,
            };
            let Value::Array(read) = read else { return Err(answer::broken()) };
            let id_of = |thing: &Value| thing[kind.id_field()].as_str().unwrap_or_default().to_owned();
            found.extend(read.into_iter().map(|thing| (Named(kind, id_of(&thing)), thing)));
        }
        Ok(found)
    }
}

impl Loader<FirstHolds> for Batches {
    type Value = Value;
    type Error = Problem;

    async fn load(&self, keys: &[FirstHolds]) -> Result<HashMap<FirstHolds, Value>, Problem> {
        let mut alike: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for FirstHolds { account_id, status, limit } in keys {
            alike.entry((*status, *limit)).or_default().push(account_id.clone());
        }
        let mut snapshot = self.0.snapshot().await?;
        let mut found = HashMap::new();
        for ((status, limit), accounts) in alike {
            for (account_id, page) in holds::first_of_each(&mut snapshot, &accounts, status, limit).await? {
                found.insert(FirstHolds { account_id, status, limit }, json(page)?);
            }
        }
        Ok(found)
    }
}

impl Loader<FirstPostings> for Batches {
    type Value = Value;
    type Error = Problem;

    async fn load(&self, keys: &[FirstPostings]) -> Result<HashMap<FirstPostings, Value>, Problem> {
        let mut alike: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for FirstPostings { account_id, limit } in keys {
            alike.entry(*limit).or_default().push(account_id.clone());
        }
        let mut snapshot = self.0.snapshot().await?;
        let mut found = HashMap::new();
        for (limit, accounts) in alike {
            for (account_id, page) in statement::first_of_each(&mut snapshot, &accounts, limit).await? {
                found.insert(FirstPostings { account_id, limit }, json(page)?);
            }
        }
        Ok(found)
    }
}
