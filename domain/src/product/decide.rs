//! The rules of a product.

use super::ProductCommand;
use super::event::{
    PriceChanged, ProductCreated, ProductDiscontinued, ProductEvent, ReturnRestocked, StockAdjusted, StockReceived,
    StockReleased, StockReserved, StockShipped,
};
use super::state::{self, Product};
use crate::aggregate::{Aggregate, Context};
use crate::ids::ProductId;
use crate::money::{AMOUNT_MAX, Amount, Money};
use crate::rejection::Rejection;

/// 100 %, in basis points.
const TAX_RATE_BPS_MAX: i64 = 10_000;

impl Aggregate for Product {
    type Id = ProductId;
    type Command = ProductCommand;
    type Event = ProductEvent;
    type Events = Vec<ProductEvent>;

    fn decide(
        product_id: &ProductId,
        state: Option<&Self>,
        command: &ProductCommand,
        _: &Context,
    ) -> Result<Vec<ProductEvent>, Rejection> {
        let product_id = product_id.clone();
        if let ProductCommand::Create { name, unit_price, tax_rate_bps } = command {
            if state.is_some() {
                return Err(Rejection::ProductExists { product_id });
            }
            not_negative(*unit_price)?;
            if !(0..=TAX_RATE_BPS_MAX).contains(tax_rate_bps) {
                return Err(Rejection::TaxRateOutOfRange { tax_rate_bps: *tax_rate_bps });
            }
            let (name, unit_price, tax_rate_bps) = (name.clone(), *unit_price, *tax_rate_bps);
            return Ok(vec![ProductCreated { product_id, name, unit_price, tax_rate_bps }.into()]);
        }
        let Some(product) = state else { return Err(Rejection::UnknownProduct { product_id }) };
        decide(product_id, product, command).map(|event| vec![event])
    }

    fn evolve(state: &mut Option<Self>, event: &ProductEvent) {
        state::evolve(state, event);
    }

    fn settle(&mut self) {
        self.reserved_by_order.settle();
    }
}

fn decide(product_id: ProductId, product: &Product, command: &ProductCommand) -> Result<ProductEvent, Rejection> {
    Ok(match command.clone() {
        ProductCommand::Create { .. } => return Err(Rejection::ProductExists { product_id }),
        ProductCommand::ChangePrice { unit_price } => {
            sold(&product_id, product)?;
            not_negative(unit_price)?;
            if unit_price.currency != product.unit_price.currency {
                let expected = product.unit_price.currency;
                return Err(Rejection::CurrencyMismatch { expected, requested: unit_price.currency });
            }
            PriceChanged { product_id, unit_price }.into()
        }
        ProductCommand::ReceiveStock { quantity } => {
            positive(quantity)?;
            fits(product, quantity)?;
            StockReceived { product_id, quantity }.into()
        }
        ProductCommand::AdjustStock { quantity, reason } => {
            if quantity == 0 {
                return Err(Rejection::QuantityOutOfRange { quantity });
            }
            fits(product, quantity)?;
            if product.available() + quantity < 0 {
                let (requested, available) = (quantity.saturating_neg(), product.available());
                return Err(Rejection::InsufficientStock { product_id, requested, available });
            }
            StockAdjusted { product_id, quantity, reason }.into()
        }
        ProductCommand::Discontinue => {
            sold(&product_id, product)?;
            ProductDiscontinued { product_id }.into()
        }
        ProductCommand::Reserve { order_id, quantity } => {
            sold(&product_id, product)?;
            positive(quantity)?;
            if product.available() < quantity {
                let available = product.available();
                return Err(Rejection::InsufficientStock { product_id, requested: quantity, available });
            }
            let (name, unit_price, tax_rate_bps) = (product.name.clone(), product.unit_price, product.tax_rate_bps);
            StockReserved { product_id, order_id, quantity, name, unit_price, tax_rate_bps }.into()
        }
        ProductCommand::Release { order_id, quantity } => {
            of_reserved(&product_id, product.reserved_for(&order_id), quantity)?;
            StockReleased { product_id, order_id, quantity }.into()
        }
        ProductCommand::Ship { order_id, quantity } => {
            of_reserved(&product_id, product.reserved_for(&order_id), quantity)?;
            StockShipped { product_id, order_id, quantity }.into()
        }
        ProductCommand::Restock { order_id, quantity } => {
            positive(quantity)?;
            fits(product, quantity)?;
            ReturnRestocked { product_id, order_id, quantity }.into()
        }
    })
}

fn sold(product_id: &ProductId, product: &Product) -> Result<(), Rejection> {
    if product.discontinued {
        return Err(Rejection::ProductDiscontinued { product_id: product_id.clone() });
    }
    Ok(())
}

fn positive(quantity: i64) -> Result<(), Rejection> {
    if quantity <= 0 { Err(Rejection::QuantityNotPositive { quantity }) } else { Ok(()) }
}

fn not_negative(price: Money) -> Result<(), Rejection> {
    if price.amount < Amount::ZERO { Err(Rejection::PriceNegative { price }) } else { Ok(()) }
}

/// Stock counts stay in the range of exact integers, like amounts.
fn fits(product: &Product, quantity: i64) -> Result<(), Rejection> {
    match product.on_hand.checked_add(quantity) {
        Some(sum) if (-AMOUNT_MAX..=AMOUNT_MAX).contains(&sum) && quantity >= -AMOUNT_MAX => Ok(()),
        _ => Err(Rejection::QuantityOutOfRange { quantity }),
    }
}

fn of_reserved(product_id: &ProductId, reserved: i64, quantity: i64) -> Result<(), Rejection> {
    positive(quantity)?;
    if quantity > reserved {
        let product_id = product_id.clone();
        return Err(Rejection::InsufficientStock { product_id, requested: quantity, available: reserved });
    }
    Ok(())
}
