-- ordered_at is when it was placed, or while it is a cart, when that was started.
-- pieces counts what was ordered, over all lines. credited is what came back before it was paid, and is owed no more;
-- capturable is what payments have set aside. How far the order is fulfilled and paid follows from these sums.
CREATE TABLE orders (
    order_id         text COLLATE "C" PRIMARY KEY,
    customer_id      text COLLATE "C" NOT NULL,
    currency         text COLLATE "C" NOT NULL,
    status           text COLLATE "C" NOT NULL,
    ordered_at       timestamptz NOT NULL,
    started_at       timestamptz NOT NULL,
    placed_at        timestamptz,
    cancelled_at     timestamptz,
    cancel_reason    text,
    shipping_method  text,
    shipping         bigint NOT NULL DEFAULT 0,
    subtotal         bigint NOT NULL DEFAULT 0,
    discount         bigint NOT NULL DEFAULT 0,
    tax              bigint NOT NULL DEFAULT 0,
    total            bigint NOT NULL DEFAULT 0,
    pieces           bigint NOT NULL DEFAULT 0,
    pieces_shipped   bigint NOT NULL DEFAULT 0,
    pieces_delivered bigint NOT NULL DEFAULT 0,
    pieces_returned  bigint NOT NULL DEFAULT 0,
    credited         bigint NOT NULL DEFAULT 0,
    capturable       bigint NOT NULL DEFAULT 0,
    captured         bigint NOT NULL DEFAULT 0,
    refunded         bigint NOT NULL DEFAULT 0,
    version          bigint NOT NULL,
    position         bigint NOT NULL,
    updated_at       timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX orders_by_time ON orders (ordered_at, order_id);
CREATE INDEX orders_by_customer ON orders (customer_id, ordered_at, order_id);
CREATE INDEX orders_by_status ON orders (status, ordered_at, order_id);

-- Lines stand in the order in which they were put into the cart. Prices are there once the order was placed.
CREATE TABLE order_lines (
    order_id       text COLLATE "C" NOT NULL,
    product_id     text COLLATE "C" NOT NULL,
    added_position bigint NOT NULL,
    name           text,
    quantity       bigint NOT NULL CHECK (quantity > 0),
    unit_price     bigint,
    discount       bigint,
    tax_rate_bps   bigint,
    tax            bigint,
    total          bigint,
    shipped        bigint NOT NULL,
    delivered      bigint NOT NULL,
    wanted_back    bigint NOT NULL,
    returned       bigint NOT NULL,
    PRIMARY KEY (order_id, product_id)
);

CREATE TABLE shipments (
    order_id     text COLLATE "C" NOT NULL,
    shipment_id  text COLLATE "C" NOT NULL,
    carrier      text,
    tracking     text,
    position     bigint NOT NULL,
    shipped_at   timestamptz NOT NULL,
    delivered_at timestamptz,
    PRIMARY KEY (order_id, shipment_id)
);

CREATE TABLE shipment_lines (
    order_id    text COLLATE "C" NOT NULL,
    shipment_id text COLLATE "C" NOT NULL,
    product_id  text COLLATE "C" NOT NULL,
    quantity    bigint NOT NULL,
    PRIMARY KEY (order_id, shipment_id, product_id)
);

CREATE TABLE returns (
    order_id         text COLLATE "C" NOT NULL,
    return_id        text COLLATE "C" NOT NULL,
    status           text COLLATE "C" NOT NULL,
    reason           text NOT NULL,
    rejection_reason text,
    value            bigint,
    position         bigint NOT NULL,
    requested_at     timestamptz NOT NULL,
    closed_at        timestamptz,
    PRIMARY KEY (order_id, return_id)
);

-- value is what the goods are worth, tax included; there once the goods are back.
CREATE TABLE return_lines (
    order_id   text COLLATE "C" NOT NULL,
    return_id  text COLLATE "C" NOT NULL,
    product_id text COLLATE "C" NOT NULL,
    quantity   bigint NOT NULL,
    value      bigint,
    PRIMARY KEY (order_id, return_id, product_id)
);
