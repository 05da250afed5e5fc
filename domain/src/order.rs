//! The order aggregate: a cart that is placed, paid, shipped, perhaps returned. Four states are kept apart (the order,
//! its payment, its fulfilment, its returns) and the summary is derived from them.

pub mod command;
mod decide;
pub mod event;
pub mod pricing;
pub mod state;

pub use command::{LineQuantity, OrderCommand, PaymentStep, ProductQuote};
pub use event::OrderEvent;
pub use state::{Fulfilment, Order, OrderPaymentStatus, OrderStatus};
