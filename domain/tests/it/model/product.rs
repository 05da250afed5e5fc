//! Products, plainly.

use domain::product::ProductCommand;

use super::{Answer, MAX, Model, Product, refuse_if, sum};

impl Product {
    pub(crate) fn reserved(&self) -> i128 {
        self.reserved.values().sum()
    }

    /// Counts stock in or out, as long as the count stays an exact integer everywhere.
    pub(super) fn stock(&mut self, quantity: i128) -> Answer {
        let on_hand = self.on_hand + quantity;
        refuse_if(quantity < -MAX || !(-MAX..=MAX).contains(&on_hand), "quantity_out_of_range")?;
        refuse_if(on_hand < self.reserved(), "insufficient_stock")?;
        self.on_hand = on_hand;
        Ok(())
    }

    pub(super) fn reserve(&mut self, order: &str, quantity: i128) -> Answer {
        refuse_if(!self.sold, "product_discontinued")?;
        refuse_if(self.on_hand - self.reserved() < quantity, "insufficient_stock")?;
        self.reserved.insert(order.to_owned(), quantity);
        Ok(())
    }

    pub(super) fn ship(&mut self, order: &str, quantity: i128) {
        *self.reserved.get_mut(order).unwrap() -= quantity;
        self.reserved.retain(|_, left| *left > 0);
        self.on_hand -= quantity;
    }
}

impl Model {
    pub(super) fn ask_product(&mut self, id: &str, command: &ProductCommand) -> Answer {
        if let ProductCommand::Create { unit_price, tax_rate_bps, .. } = command {
            refuse_if(self.products.contains_key(id), "product_exists")?;
            let (price, tax_bps) = (sum(*unit_price), i128::from(*tax_rate_bps));
            refuse_if(price.0 < 0, "price_negative")?;
            refuse_if(!(0..=10_000).contains(&tax_bps), "tax_rate_out_of_range")?;
            let product = Product { price, tax_bps, on_hand: 0, reserved: [].into(), sold: true };
            self.products.insert(id.to_owned(), product);
            return Ok(());
        }
        let product = self.products.get_mut(id).ok_or("unknown_product")?;
        match command {
            ProductCommand::ChangePrice { unit_price } => {
                refuse_if(!product.sold, "product_discontinued")?;
                let price = sum(*unit_price);
                refuse_if(price.0 < 0, "price_negative")?;
                refuse_if(price.1 != product.price.1, "currency_mismatch")?;
                product.price = price;
            }
            ProductCommand::ReceiveStock { quantity } => {
                refuse_if(*quantity <= 0, "quantity_not_positive")?;
                product.stock((*quantity).into())?;
            }
            ProductCommand::AdjustStock { quantity, .. } => {
                refuse_if(*quantity == 0, "quantity_out_of_range")?;
                product.stock((*quantity).into())?;
            }
            ProductCommand::Discontinue => {
                refuse_if(!product.sold, "product_discontinued")?;
                product.sold = false;
            }
            follow_up => panic!("never asked from outside: {follow_up:?}"),
        }
        Ok(())
    }
}
