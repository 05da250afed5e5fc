//! The catalogue and the stock.

use crate::ask::*;
use crate::rules::{happens, market, placed, refused, rules};

const MAX: i64 = domain::money::AMOUNT_MAX;

rules! {
    a_product_comes_into_the_catalogue:
        [] create("tea", 100, 825) =>
        happens(&["product-tea product_created name=tea tax_rate_bps=825 unit_price=100 JPY"]);
    a_product_is_created_once_under_a_name:
        [create("tea", 100, 0)] create("tea", 100, 0) => refused("product_exists: product tea exists already");
    a_discontinued_product_keeps_its_name:
        [create("tea", 100, 0), discontinue("tea")] create("tea", 100, 0) =>
        refused("product_exists: product tea exists already");
    a_gift_may_cost_nothing:
        [] create("card", 0, 0) =>
        happens(&["product-card product_created name=card tax_rate_bps=0 unit_price=0 JPY"]);
    a_negative_price_is_refused:
        [] create("tea", -1, 0) => refused("price_negative: the price is -1 JPY; it must not be below zero");
    tax_may_be_the_whole_price:
        [] create("tea", 1, 10_000) =>
        happens(&["product-tea product_created name=tea tax_rate_bps=10000 unit_price=1 JPY"]);
    tax_beyond_the_whole_price_is_refused:
        [] create("tea", 1, 10_001) =>
        refused("tax_rate_out_of_range: the tax rate is 10001 basis points; it must be between 0 and 10000 (100 %)");
    negative_tax_is_refused:
        [] create("tea", 1, -1) =>
        refused("tax_rate_out_of_range: the tax rate is -1 basis points; it must be between 0 and 10000 (100 %)");

    a_price_changes:
        [create("tea", 100, 0)] reprice("tea", 120) => happens(&["product-tea price_changed unit_price=120 JPY"]);
    a_price_does_not_become_negative:
        [create("tea", 100, 0)] reprice("tea", -1) =>
        refused("price_negative: the price is -1 JPY; it must not be below zero");
    a_price_keeps_its_currency:
        [create_at("tea", money(100, "USD"), 0)] reprice("tea", 100) =>
        refused("currency_mismatch: the amount is in JPY, but USD is needed here");
    an_unknown_product_has_no_price:
        [] reprice("tea", 1) => refused("unknown_product: there is no product tea; create it first");
    what_is_no_longer_sold_has_no_new_price:
        [create("tea", 100, 0), discontinue("tea")] reprice("tea", 120) =>
        refused("product_discontinued: product tea was discontinued");

    stock_comes_in:
        [create("tea", 100, 0)] receive("tea", 7) => happens(&["product-tea stock_received quantity=7"]);
    no_stock_coming_in_is_refused:
        [create("tea", 100, 0)] receive("tea", 0) =>
        refused("quantity_not_positive: the quantity is 0; it must be more than zero");
    stock_of_an_unknown_product_is_refused:
        [] receive("tea", 1) => refused("unknown_product: there is no product tea; create it first");
    stock_beyond_exact_integers_is_refused:
        [create("tea", 100, 0), receive("tea", MAX)] receive("tea", 1) =>
        refused("quantity_out_of_range: the quantity 1 is not usable here; it must not be zero and the stock must stay within 9007199254740991");
    stock_beyond_all_integers_is_refused:
        [create("tea", 100, 0), receive("tea", 1)] receive("tea", i64::MAX) =>
        refused("quantity_out_of_range: the quantity 9223372036854775807 is not usable here; it must not be zero and the stock must stay within 9007199254740991");

    stock_is_corrected_down_to_what_is_reserved:
        [market(), placed("o", &[("tea", 4)])] adjust("tea", -6) =>
        happens(&["product-tea stock_adjusted quantity=-6 reason=because"]);
    stock_is_not_corrected_below_what_is_reserved:
        [market(), placed("o", &[("tea", 4)])] adjust("tea", -7) =>
        refused("insufficient_stock: product tea has 6 available, 7 was asked");
    a_correction_of_nothing_is_refused:
        [market()] adjust("tea", 0) =>
        refused("quantity_out_of_range: the quantity 0 is not usable here; it must not be zero and the stock must stay within 9007199254740991");
    a_correction_beyond_all_integers_is_refused:
        [market()] adjust("tea", i64::MIN) =>
        refused("quantity_out_of_range: the quantity -9223372036854775808 is not usable here; it must not be zero and the stock must stay within 9007199254740991");
    a_correction_of_an_unknown_product_is_refused:
        [] adjust("tea", 1) => refused("unknown_product: there is no product tea; create it first");

    a_product_is_discontinued:
        [create("tea", 100, 0)] discontinue("tea") => happens(&["product-tea product_discontinued"]);
    a_product_is_discontinued_once:
        [create("tea", 100, 0), discontinue("tea")] discontinue("tea") =>
        refused("product_discontinued: product tea was discontinued");
    an_unknown_product_cannot_be_discontinued:
        [] discontinue("tea") => refused("unknown_product: there is no product tea; create it first");
    what_is_reserved_of_a_discontinued_product_is_shipped:
        [market(), placed("o", &[("cup", 1)]), discontinue("cup")] ship("o", "s", &[]) =>
        happens(&[
            "order-o order_shipped captures=[] currency=JPY lines=[product_id=cup quantity=1] shipment_id=s",
            "product-cup stock_shipped order_id=o quantity=1",
        ]);
}
