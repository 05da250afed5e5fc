CREATE TABLE rejections (
    position        bigint PRIMARY KEY,
    code            text COLLATE "C" NOT NULL,
    command         text COLLATE "C" NOT NULL,
    stream          text COLLATE "C" NOT NULL,
    detail          text NOT NULL,
    figures         jsonb NOT NULL,
    principal       text COLLATE "C" NOT NULL,
    idempotency_key text NOT NULL,
    request_id      text NOT NULL,
    correlation_id  text NOT NULL,
    recorded_at     timestamptz NOT NULL
);
CREATE INDEX rejections_by_code ON rejections (code, position);
CREATE INDEX rejections_by_principal ON rejections (principal, position);
