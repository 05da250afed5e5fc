-- What was sold on each business day (UTC), in all, of each product, and to each customer: three cuts of the same
-- sales, told apart by `cut`. Sums of many orders may leave the range of bigint.
CREATE TABLE sales (
    cut                text COLLATE "C" NOT NULL,
    day                date NOT NULL,
    key                text COLLATE "C" NOT NULL,
    currency           text COLLATE "C" NOT NULL,
    orders             numeric NOT NULL,
    quantity           numeric NOT NULL,
    goods              numeric NOT NULL,
    tax                numeric NOT NULL,
    shipping           numeric NOT NULL,
    cancelled_orders   numeric NOT NULL,
    cancelled_quantity numeric NOT NULL,
    cancelled_goods    numeric NOT NULL,
    cancelled_tax      numeric NOT NULL,
    cancelled_shipping numeric NOT NULL,
    returned_quantity  numeric NOT NULL,
    returned_goods     numeric NOT NULL,
    returned_tax       numeric NOT NULL,
    PRIMARY KEY (cut, day, key, currency)
);
