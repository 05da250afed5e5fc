//! What an order comes to: one pure function from reserved lines to priced lines and totals.
//! line = price × quantity; tax per line on (line − discount), rounded half to even;
//! total = Σ(line − discount + tax) + shipping.

use serde::{Deserialize, Serialize};

use crate::ids::ProductId;
use crate::money::{Amount, AmountOverflow, Money};
use crate::text::Text;

/// Basis points in a whole.
const BASIS_POINTS: i64 = 10_000;

/// Stock that was reserved, at the price of that moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReservedLine {
    /// The product.
    pub product_id: ProductId,
    /// What people call it.
    pub name: Text,
    /// How many.
    pub quantity: i64,
    /// The price of one, without tax.
    pub unit_price: Money,
    /// The tax rate in basis points.
    pub tax_rate_bps: i64,
}

/// A line with its price. All amounts are minor units of the order's currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PricedLine {
    /// The product.
    pub product_id: ProductId,
    /// What people call it.
    pub name: Text,
    /// How many.
    pub quantity: i64,
    /// The price of one, without tax.
    pub unit_price: Amount,
    /// What is taken off the line.
    pub discount: Amount,
    /// The tax rate in basis points.
    pub tax_rate_bps: i64,
    /// The tax on the line.
    pub tax: Amount,
    /// price × quantity − discount + tax.
    pub total: Amount,
}

/// The sums of an order, in minor units of its currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Sum of price × quantity.
    pub subtotal: Amount,
    /// Sum of the lines' discounts.
    pub discount: Amount,
    /// Sum of the lines' tax.
    pub tax: Amount,
    /// What sending costs.
    pub shipping: Amount,
    /// subtotal − discount + tax + shipping.
    pub total: Amount,
}

/// Prices an order.
///
/// # Errors
/// [`AmountOverflow`] when a sum leaves the range of exact integers.
pub fn price(reserved: &[ReservedLine], shipping: Amount) -> Result<(Vec<PricedLine>, Totals), AmountOverflow> {
    let mut totals = Totals { shipping, total: shipping, ..Totals::default() };
    let mut lines = Vec::with_capacity(reserved.len());
    for line in reserved {
        let gross = line.unit_price.amount.times_ratio(line.quantity, 1)?;
        let discount = Amount::ZERO;
        let net = gross.minus(discount)?;
        let tax = net.times_ratio(line.tax_rate_bps, BASIS_POINTS)?;
        let total = net.plus(tax)?;
        totals.subtotal = totals.subtotal.plus(gross)?;
        totals.discount = totals.discount.plus(discount)?;
        totals.tax = totals.tax.plus(tax)?;
        totals.total = totals.total.plus(total)?;
        lines.push(PricedLine {
            product_id: line.product_id.clone(),
            name: line.name.clone(),
            quantity: line.quantity,
            unit_price: line.unit_price.amount,
            discount,
            tax_rate_bps: line.tax_rate_bps,
            tax,
            total,
        });
    }
    Ok((lines, totals))
}

/// What the pieces number `from` to `to` of a line are worth, so that the worth of all pieces is the line's total
/// exactly, however they are split: each boundary is rounded once.
#[must_use]
pub fn share(line_total: Amount, quantity: i64, from: i64, to: i64) -> Amount {
    let up_to = |pieces| line_total.times_ratio(pieces, quantity).unwrap_or(Amount::ZERO);
    up_to(to).minus(up_to(from)).unwrap_or(Amount::ZERO)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn line(price: i64, quantity: i64, tax_rate_bps: i64) -> ReservedLine {
        ReservedLine {
            product_id: ProductId::new("p").unwrap(),
            name: Text::new("p").unwrap(),
            quantity,
            unit_price: Money::new(Amount::new(price).unwrap(), "USD".parse().unwrap()),
            tax_rate_bps,
        }
    }

    #[test]
    fn tax_is_rounded_half_to_even_on_each_line() {
        let (lines, totals) = price(&[line(50, 1, 500), line(30, 1, 500), line(199, 3, 825)], Amount::ZERO).unwrap();
        assert_eq!(lines.iter().map(|l| l.tax.minor_units()).collect::<Vec<_>>(), [2, 2, 49]);
        assert_eq!(totals.total.minor_units(), 50 + 30 + 597 + 53);
    }

    proptest! {
        #[test]
        fn shares_of_a_line_sum_to_its_total_exactly(total in 0..1_000_000_i64, parts in proptest::collection::vec(1..20_i64, 1..20)) {
            let quantity: i64 = parts.iter().sum();
            let (mut at, mut sum) = (0, 0);
            for part in parts {
                sum += share(Amount::new(total).unwrap(), quantity, at, at + part).minor_units();
                at += part;
            }
            prop_assert_eq!(sum, total);
        }

        #[test]
        fn the_total_is_the_sum_of_its_parts(lines in proptest::collection::vec((0..100_000_i64, 1..1000_i64, 0..10_000_i64), 0..20), shipping in 0..10_000_i64) {
            let reserved: Vec<_> = lines.iter().map(|(p, q, t)| line(*p, *q, *t)).collect();
            let (priced, totals) = price(&reserved, Amount::new(shipping).unwrap()).unwrap();
            let sum: i64 = priced.iter().map(|l| l.total.minor_units()).sum();
            prop_assert_eq!(totals.total.minor_units(), sum + shipping);
            prop_assert_eq!(totals.subtotal.minor_units() - totals.discount.minor_units() + totals.tax.minor_units() + shipping, totals.total.minor_units());
        }
    }
}
