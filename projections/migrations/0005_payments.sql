CREATE TABLE payments (
    payment_id       text COLLATE "C" PRIMARY KEY,
    order_id         text COLLATE "C",
    payer_account_id text COLLATE "C" NOT NULL,
    payee_account_id text COLLATE "C" NOT NULL,
    amount           bigint NOT NULL,
    currency         text COLLATE "C" NOT NULL,
    capture          text COLLATE "C" NOT NULL,
    authorized       bigint NOT NULL,
    captured         bigint NOT NULL,
    voided           bigint NOT NULL,
    refunded         bigint NOT NULL,
    version          bigint NOT NULL,
    position         bigint NOT NULL,
    requested_at     timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX payments_by_order ON payments (order_id, payment_id) WHERE order_id IS NOT NULL;

CREATE TABLE payment_operations (
    payment_id   text COLLATE "C" NOT NULL,
    position     bigint NOT NULL,
    kind         text COLLATE "C" NOT NULL,
    operation_id text COLLATE "C",
    cause        text COLLATE "C",
    amount       bigint NOT NULL,
    at           timestamptz NOT NULL,
    PRIMARY KEY (payment_id, position)
);
