-- How far each projection has come. A row changes in the same transaction as the rows it speaks of.
CREATE TABLE projection_checkpoints (
    name        text COLLATE "C" PRIMARY KEY,
    log_id      text COLLATE "C" NOT NULL,
    position    bigint NOT NULL,
    recorded_at timestamptz,
    updated_at  timestamptz NOT NULL
);

-- The first position of each minute of recording, so that a time can be turned into a position.
CREATE TABLE recorded_minutes (
    minute         timestamptz PRIMARY KEY,
    first_position bigint NOT NULL
);
