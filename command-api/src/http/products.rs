//! The commands of products, as clients write them.

use domain::command::Command;
use domain::ids::ProductId;
use domain::money::Money;
use domain::product::ProductCommand;
use domain::text::Text;

use super::definition::commands;

commands! {
    /// Brings a product into the catalogue.
    CreateProduct = "create_product" {
        /// What the product is called.
        product_id: ProductId, required;
        /// What people call it.
        name: Text = "White hanging heart T-light holder", required;
        /// The price of one, without tax.
        unit_price: Money, required;
        /// The tax rate in basis points, 0 to 10000: 825 is 8.25 %.
        tax_rate_bps: i64 = 825, required;
    } => Command::Product(product_id, ProductCommand::Create { name, unit_price, tax_rate_bps });

    /// Sets another price; orders that are placed keep theirs.
    ChangePrice = "change_price" {
        /// The product.
        product_id: ProductId, path;
        /// The price of one, without tax.
        unit_price: Money, required;
    } => Command::Product(product_id, ProductCommand::ChangePrice { unit_price });

    /// Brings stock in.
    ReceiveStock = "receive_stock" {
        /// The product.
        product_id: ProductId, path;
        /// How many, more than zero.
        quantity: i64 = 100, required;
    } => Command::Product(product_id, ProductCommand::ReceiveStock { quantity });

    /// Corrects the stock up or down.
    AdjustStock = "adjust_stock" {
        /// The product.
        product_id: ProductId, path;
        /// By how many; negative takes some away.
        quantity: i64 = -2, required;
        /// Why.
        reason: Text = "counted", required;
    } => Command::Product(product_id, ProductCommand::AdjustStock { quantity, reason });

    /// Takes a product out of the catalogue; what is reserved can still be shipped.
    DiscontinueProduct = "discontinue_product" {
        /// The product.
        product_id: ProductId, path;
    } => Command::Product(product_id, ProductCommand::Discontinue);
}
