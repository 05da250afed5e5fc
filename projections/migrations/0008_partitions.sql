-- A projection has a checkpoint for each partition of its feed; the log of this process is one partition. Whoever
-- follows a partition has raised its epoch: a write with an older one is refused.
ALTER TABLE projection_checkpoints
    ADD COLUMN partition   integer NOT NULL DEFAULT 0 CHECK (partition >= 0),
    ADD COLUMN source      text COLLATE "C" NOT NULL DEFAULT 'log',
    ADD COLUMN feed_offset bigint,
    ADD COLUMN epoch       bigint NOT NULL DEFAULT 0,
    ADD COLUMN owner       text NOT NULL DEFAULT '',
    ADD COLUMN claimed_at  timestamptz,
    DROP CONSTRAINT projection_checkpoints_pkey,
    ADD PRIMARY KEY (name, partition);

-- The two accounts of a transfer may be in different partitions: that it arrived may be known before that it was sent.
ALTER TABLE transfers
    ALTER COLUMN from_account_id DROP NOT NULL,
    ALTER COLUMN to_account_id DROP NOT NULL,
    ALTER COLUMN amount DROP NOT NULL,
    ALTER COLUMN currency DROP NOT NULL,
    ALTER COLUMN sent_at DROP NOT NULL,
    ALTER COLUMN sent_position DROP NOT NULL;
