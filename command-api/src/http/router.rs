//! Every route that takes commands, on one screen.

use std::sync::Arc;

use axum::routing::post;
use tokio::sync::Semaphore;
use utoipa_axum::router::OpenApiRouter;

use super::accounts::{
    CaptureHold, CloseAccount, Deposit, FreezeAccount, OpenAccount, PlaceHold, ReleaseHold, UnfreezeAccount, Withdraw,
};
use super::document::responses::components;
use super::document::{batch_route, delete, patch, post as command};
use super::orders::{
    AddItem, CancelOrder, ChangeQuantity, ConfirmDelivery, PlaceOrder, ReceiveReturn, RejectReturn, RemoveItem,
    RequestReturn, SetShipping, ShipOrder, StartOrder,
};
use super::payments::{CapturePayment, RefundPayment, RequestPayment, VoidPayment};
use super::products::{AdjustStock, ChangePrice, CreateProduct, DiscontinueProduct, ReceiveStock};
use super::transfers::{ReverseTransfer, SendTransfer};
use super::{Commands, Options, Surface};

/// The routes that take commands, with their OpenAPI document. Merge it with the other routes of the server, complete
/// the whole with `http_problem::completed`, and answer within `http_problem::dressed`.
pub fn router<C: Commands>(commands: C, options: Options) -> OpenApiRouter {
    OpenApiRouter::with_openapi(components())
        .routes(command::<OpenAccount, C>("/v1/accounts"))
        .routes(command::<Deposit, C>("/v1/accounts/{id}/deposits"))
        .routes(command::<Withdraw, C>("/v1/accounts/{id}/withdrawals"))
        .routes(command::<FreezeAccount, C>("/v1/accounts/{id}/freeze"))
        .routes(command::<UnfreezeAccount, C>("/v1/accounts/{id}/unfreeze"))
        .routes(command::<CloseAccount, C>("/v1/accounts/{id}/close"))
        .routes(command::<PlaceHold, C>("/v1/accounts/{id}/holds"))
        .routes(command::<CaptureHold, C>("/v1/accounts/{id}/holds/{hold_id}/capture"))
        .routes(command::<ReleaseHold, C>("/v1/accounts/{id}/holds/{hold_id}/release"))
        .routes(command::<SendTransfer, C>("/v1/transfers"))
        .routes(command::<ReverseTransfer, C>("/v1/transfers/{id}/reverse"))
        .routes(command::<CreateProduct, C>("/v1/products"))
        .routes(command::<ChangePrice, C>("/v1/products/{id}/price"))
        .routes(command::<ReceiveStock, C>("/v1/products/{id}/stock-receipts"))
        .routes(command::<AdjustStock, C>("/v1/products/{id}/stock-adjustments"))
        .routes(command::<DiscontinueProduct, C>("/v1/products/{id}/discontinue"))
        .routes(command::<StartOrder, C>("/v1/orders"))
        .routes(command::<AddItem, C>("/v1/orders/{id}/items"))
        .routes(patch::<ChangeQuantity, C>("/v1/orders/{id}/items/{product_id}"))
        .routes(delete::<RemoveItem, C>("/v1/orders/{id}/items/{product_id}"))
        .routes(command::<SetShipping, C>("/v1/orders/{id}/shipping"))
        .routes(command::<PlaceOrder, C>("/v1/orders/{id}/place"))
        .routes(command::<CancelOrder, C>("/v1/orders/{id}/cancel"))
        .routes(command::<ShipOrder, C>("/v1/orders/{id}/shipments"))
        .routes(command::<ConfirmDelivery, C>("/v1/orders/{id}/shipments/{shipment_id}/delivery"))
        .routes(command::<RequestReturn, C>("/v1/orders/{id}/returns"))
        .routes(command::<ReceiveReturn, C>("/v1/orders/{id}/returns/{return_id}/receipt"))
        .routes(command::<RejectReturn, C>("/v1/orders/{id}/returns/{return_id}/rejection"))
        .routes(command::<RequestPayment, C>("/v1/payments"))
        .routes(command::<CapturePayment, C>("/v1/payments/{id}/captures"))
        .routes(command::<VoidPayment, C>("/v1/payments/{id}/void"))
        .routes(command::<RefundPayment, C>("/v1/payments/{id}/refunds"))
        .routes(batch_route("/v1/commands", post(super::batch::take_batch::<C>)))
        .with_state(Arc::new(Surface { commands, batches: Arc::new(Semaphore::new(options.batches_max)), options }))
}
