-- Amounts are minor units of the row's currency.

-- opened_at is business time, recorded_at when the opening was recorded.
-- Most changes of an account touch no indexed column: room in the page keeps them off the indexes.
CREATE TABLE accounts (
    account_id      text COLLATE "C" PRIMARY KEY,
    owner_id        text COLLATE "C" NOT NULL,
    currency        text COLLATE "C" NOT NULL,
    status          text COLLATE "C" NOT NULL,
    balance         bigint NOT NULL,
    held            bigint NOT NULL,
    version         bigint NOT NULL,
    position        bigint NOT NULL,
    opened_position bigint NOT NULL,
    opened_at       timestamptz NOT NULL,
    recorded_at     timestamptz NOT NULL,
    updated_at      timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX accounts_by_owner ON accounts (owner_id, account_id);
CREATE INDEX accounts_by_status ON accounts (status, account_id);

CREATE TABLE holds (
    account_id text COLLATE "C" NOT NULL,
    hold_id    text COLLATE "C" NOT NULL,
    currency   text COLLATE "C" NOT NULL,
    amount     bigint NOT NULL,
    captured   bigint NOT NULL,
    released   bigint NOT NULL,
    remaining  bigint NOT NULL CHECK (remaining >= 0),
    payment_id text COLLATE "C",
    placed_at  timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account_id, hold_id)
);
CREATE INDEX holds_open ON holds (account_id, hold_id) WHERE remaining > 0;

-- One row for each side of a posting that is an account. The primary key is the only index: it serves statements and
-- balances as of a position, and a second one would cost two thirds of the speed of filling the table.
CREATE TABLE journal (
    position       bigint NOT NULL,
    amount         bigint NOT NULL,
    balance_after  bigint NOT NULL,
    recorded_at    timestamptz NOT NULL,
    effective_at   timestamptz,
    leg            smallint NOT NULL,
    account_id     text COLLATE "C" NOT NULL,
    currency       text COLLATE "C" NOT NULL,
    ledger_account text COLLATE "C" NOT NULL,
    counterpart    text COLLATE "C" NOT NULL,
    event_type     text COLLATE "C" NOT NULL,
    transfer_id    text COLLATE "C",
    payment_id     text COLLATE "C",
    hold_id        text COLLATE "C",
    reference      text,
    PRIMARY KEY (account_id, position, leg)
);

CREATE TABLE transfers (
    transfer_id       text COLLATE "C" PRIMARY KEY,
    from_account_id   text COLLATE "C" NOT NULL,
    to_account_id     text COLLATE "C" NOT NULL,
    amount            bigint NOT NULL,
    currency          text COLLATE "C" NOT NULL,
    reference         text,
    sent_at           timestamptz NOT NULL,
    sent_position     bigint NOT NULL,
    received_position bigint,
    reversed_at       timestamptz,
    reversed_position bigint,
    reversal_reason   text
);

-- Sums since the beginning; they may leave the range of bigint.
CREATE TABLE trial_balance (
    currency       text COLLATE "C" NOT NULL,
    ledger_account text COLLATE "C" NOT NULL,
    debits         numeric NOT NULL,
    credits        numeric NOT NULL,
    PRIMARY KEY (currency, ledger_account)
);
