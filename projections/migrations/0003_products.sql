CREATE TABLE products (
    product_id   text COLLATE "C" PRIMARY KEY,
    name         text NOT NULL,
    unit_price   bigint NOT NULL,
    currency     text COLLATE "C" NOT NULL,
    tax_rate_bps bigint NOT NULL,
    on_hand      bigint NOT NULL,
    reserved     bigint NOT NULL,
    discontinued boolean NOT NULL,
    version      bigint NOT NULL,
    position     bigint NOT NULL,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL
) WITH (fillfactor = 70);
