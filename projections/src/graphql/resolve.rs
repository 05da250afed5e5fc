//! Where the value of each field comes from: what was read already, another thing by its name, or a view.

use std::pin::Pin;
use std::sync::Arc;

use async_graphql::Error;
use async_graphql::dataloader::{DataLoader, HashMapCache};
use async_graphql::dynamic::{FieldFuture, FieldValue, ResolverContext, TypeRef};
use domain::ids::{AccountId, OrderId, PaymentId, ProductId, TransferId};
use http_problem::{Asked, Problem};
use serde_json::Value;

use super::batches::{Batches, FirstHolds, FirstPostings, Kind, Named, Reading};
use super::errors::{at, of_field};
use crate::query::accounts::AccountsWanted;
use crate::query::asked::AskedOfRows;
use crate::query::holds::{HOLD_STATUSES, HoldsWanted};
use crate::query::orders::OrdersWanted;
use crate::query::payments::PaymentsWanted;
use crate::query::products::ProductsWanted;
use crate::query::rejections::RejectionsWanted;
use crate::query::sales::SalesWanted;
use crate::query::statement::StatementWanted;
use crate::query::trial_balance::TrialBalanceWanted;
use crate::query::view::View;

/// What a field gives, or the error in its place.
type Resolved<T> = Result<T, Error>;
/// The loader of one request.
pub(super) type Loading = DataLoader<Batches, HashMapCache>;
/// What resolves a field.
pub(super) type Resolver = Box<dyn for<'a> Fn(ResolverContext<'a>) -> FieldFuture<'a> + Send + Sync>;
type Read<'a> = Pin<Box<dyn Future<Output = Result<Value, Problem>> + Send + 'a>>;
type Reader = for<'a> fn(&'a ResolverContext<'a>) -> Read<'a>;

/// Where a field comes from that its object does not bring along.
#[derive(Debug, Clone, Copy)]
enum Origin {
    /// The thing whose name stands in a field of the object.
    Named(Kind, &'static str),
    /// The object was read for a list; the field is in what is read for the object alone.
    Whole(Kind),
    /// Read apart.
    Read(Reader),
}

/// The resolver of a field of an object.
pub(super) fn resolver(object: &str, field: &str, ty: &TypeRef) -> Resolver {
    let (origin, field, shape) = (origin(object, field), field.to_owned(), Shape::of(ty));
    Box::new(move |context| {
        let (origin, field) = (origin, field.clone());
        FieldFuture::new(
            async move { resolve(&context, origin, &field, shape).await.map_err(|error| at(&context, error)) },
        )
    })
}

async fn resolve(
    context: &ResolverContext<'_>,
    origin: Option<Origin>,
    field: &str,
    shape: Shape,
) -> Resolved<Option<FieldValue<'static>>> {
    let own = context.parent_value.downcast_ref::<Value>().and_then(|parent| parent.get(field));
    let value = match (own, origin) {
        (Some(own), _) => own.clone(),
        (None, None) => Value::Null,
        (None, Some(Origin::Read(read))) => read(context).await.map_err(|problem| of_field(&problem))?,
        (None, Some(Origin::Named(kind, key))) => match text(context, key) {
            Some(id) => one(context, kind, id).await?,
            None => Value::Null,
        },
        (None, Some(Origin::Whole(kind))) => match text(context, kind.id_field()) {
            Some(id) => one(context, kind, id).await?.get_mut(field).map(Value::take).unwrap_or_default(),
            None => Value::Null,
        },
    };
    Ok(shape.value(value))
}

/// A text of the object at hand.
fn text(context: &ResolverContext<'_>, field: &str) -> Option<String> {
    context.parent_value.downcast_ref::<Value>()?.get(field)?.as_str().map(str::to_owned)
}

async fn one(context: &ResolverContext<'_>, kind: Kind, id: String) -> Resolved<Value> {
    let found = context.data::<Loading>()?.load_one(Named(kind, id)).await;
    found.map(Option::unwrap_or_default).map_err(|problem| of_field(&problem))
}

fn origin(object: &str, field: &str) -> Option<Origin> {
    Some(match (object, field) {
        ("Query", "account") => Origin::Read(|context| Box::pin(by_name::<AccountId>(context, Kind::Account))),
        ("Query", "transfer") => Origin::Read(|context| Box::pin(by_name::<TransferId>(context, Kind::Transfer))),
        ("Query", "product") => Origin::Read(|context| Box::pin(by_name::<ProductId>(context, Kind::Product))),
        ("Query", "order") => Origin::Read(|context| Box::pin(by_name::<OrderId>(context, Kind::Order))),
        ("Query", "payment") => Origin::Read(|context| Box::pin(by_name::<PaymentId>(context, Kind::Payment))),
        ("Query", "accounts") => Origin::Read(|context| Box::pin(view::<AccountsWanted>(context, "/v1/accounts"))),
        ("Query", "holds") => Origin::Read(|context| Box::pin(view::<HoldsWanted>(context, "/v1/accounts/{id}/holds"))),
        ("Query", "statement") => {
            Origin::Read(|context| Box::pin(view::<StatementWanted>(context, "/v1/accounts/{id}/statement")))
        }
        ("Query", "products") => Origin::Read(|context| Box::pin(view::<ProductsWanted>(context, "/v1/products"))),
        ("Query", "orders") => Origin::Read(|context| Box::pin(view::<OrdersWanted>(context, "/v1/orders"))),
        ("Query", "payments") => Origin::Read(|context| Box::pin(view::<PaymentsWanted>(context, "/v1/payments"))),
        ("Query", "trial_balance") => {
            Origin::Read(|context| Box::pin(view::<TrialBalanceWanted>(context, "/v1/ledger/trial-balance")))
        }
        ("Query", "rejections") => {
            Origin::Read(|context| Box::pin(view::<RejectionsWanted>(context, "/v1/rejections")))
        }
        ("Query", "sales") => Origin::Read(|context| Box::pin(view::<SalesWanted>(context, "/v1/analytics/sales"))),
        ("Account", "holds") => Origin::Read(|context| Box::pin(first_holds(context))),
        ("Account", "statement") => Origin::Read(|context| Box::pin(first_postings(context))),
        ("Hold", "account") => Origin::Named(Kind::Account, "account_id"),
        ("Hold" | "Posting", "payment") => Origin::Named(Kind::Payment, "payment_id"),
        ("Posting", "transfer") => Origin::Named(Kind::Transfer, "transfer_id"),
        ("Transfer", "from_account") => Origin::Named(Kind::Account, "from"),
        ("Transfer", "to_account") => Origin::Named(Kind::Account, "to"),
        ("OrderLine" | "Goods" | "ReturnedGoods", "product") => Origin::Named(Kind::Product, "product_id"),
        ("Payment", "order") => Origin::Named(Kind::Order, "order_id"),
        ("Payment", "payer") => Origin::Named(Kind::Account, "payer_account_id"),
        ("Payment", "payee") => Origin::Named(Kind::Account, "payee_account_id"),
        ("Payment", _) => Origin::Whole(Kind::Payment),
        ("Order", _) => Origin::Whole(Kind::Order),
        _ => return None,
    })
}

/// The arguments of a field, as the parameters of the route that it stands for.
fn asked(context: &ResolverContext<'_>, route: &str) -> Asked {
    let arguments = context.args.iter().filter_map(|(name, value)| {
        let value = match value.as_value() {
            async_graphql::Value::Null => return None,
            async_graphql::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        Some((name.to_string(), value))
    });
    let (path, query): (Vec<_>, Vec<_>) = arguments.partition(|(name, _)| name == "id");
    let id = path.first().map_or("", |(_, id)| id);
    Asked::of(route.replace("{id}", id), path, query)
}

fn reading<'a>(context: &ResolverContext<'a>) -> Result<&'a Arc<Reading>, Problem> {
    context.data::<Arc<Reading>>().map_err(|_| crate::query::answer::broken())
}

async fn view<V: View>(context: &ResolverContext<'_>, route: &'static str) -> Result<Value, Problem> {
    let mut asked = asked(context, route);
    let wanted = V::asked(&mut asked);
    let wanted = asked.finish_with(wanted)?;
    reading(context)?.view(wanted).await
}

async fn by_name<T>(context: &ResolverContext<'_>, kind: Kind) -> Result<Value, Problem>
where
    T: std::str::FromStr<Err: std::fmt::Display> + ToString,
{
    let mut asked = asked(context, "/{id}");
    let id: Option<T> = asked.id();
    let id = asked.finish_with(id)?.to_string();
    let loading = context.data::<Loading>().map_err(|_| crate::query::answer::broken())?;
    Ok(loading.load_one(Named(kind, id)).await?.unwrap_or_default())
}

async fn first_holds(context: &ResolverContext<'_>) -> Result<Value, Problem> {
    let mut asked = asked(context, "/v1/accounts/{id}/holds");
    let status = asked.word("status", &HOLD_STATUSES);
    let limit = asked.page(|_| None::<()>).limit;
    asked.finish()?;
    let account_id = text(context, "account_id").unwrap_or_default();
    let loading = context.data::<Loading>().map_err(|_| crate::query::answer::broken())?;
    Ok(loading.load_one(FirstHolds { account_id, status, limit }).await?.unwrap_or_default())
}

async fn first_postings(context: &ResolverContext<'_>) -> Result<Value, Problem> {
    let mut asked = asked(context, "/v1/accounts/{id}/statement");
    let limit = asked.page(|_| None::<()>).limit;
    asked.finish()?;
    let account_id = text(context, "account_id").unwrap_or_default();
    let loading = context.data::<Loading>().map_err(|_| crate::query::answer::broken())?;
    Ok(loading.load_one(FirstPostings { account_id, limit }).await?.unwrap_or_default())
}

/// What the library wants to be told of a value: whether it is a list, and whether its parts are objects.
#[derive(Debug, Clone, Copy)]
struct Shape {
    is_list: bool,
    is_object: bool,
}

impl Shape {
    fn of(ty: &TypeRef) -> Self {
        const SCALARS: [&str; 7] = ["ID", "String", "Boolean", "Int", "Long", "Time", "JSON"];
        let nullable = match ty {
            TypeRef::NonNull(ty) => ty,
            ty => ty,
        };
        Self { is_list: matches!(nullable, TypeRef::List(_)), is_object: !SCALARS.contains(&ty.type_name()) }
    }

    fn value(self, value: Value) -> Option<FieldValue<'static>> {
        let single = |value: Value| match self.is_object {
            true => FieldValue::owned_any(value),
            false => FieldValue::value(async_graphql::Value::from_json(value).unwrap_or_default()),
        };
        match value {
            Value::Null => None,
            Value::Array(items) if self.is_list => Some(FieldValue::list(items.into_iter().map(single))),
            value => Some(single(value)),
        }
    }
}
