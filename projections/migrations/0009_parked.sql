-- Streams of which an event could not be applied: nothing of them is applied any more until somebody has looked.
-- position and event_type are of that event; why is undecodable, refused or fault.
CREATE TABLE parked_streams (
    stream     text COLLATE "C" PRIMARY KEY,
    position   bigint NOT NULL,
    event_type text COLLATE "C" NOT NULL,
    why        text COLLATE "C" NOT NULL,
    error      text NOT NULL,
    parked_at  timestamptz NOT NULL,
    attempts   bigint NOT NULL DEFAULT 0,
    tried_at   timestamptz
);

-- The events of these streams that wait, in order: the one that could not be applied, and those that came after it.
CREATE TABLE parked_events (
    stream         text COLLATE "C" NOT NULL,
    position       bigint NOT NULL,
    version        bigint NOT NULL,
    event_type     text COLLATE "C" NOT NULL,
    schema_version integer NOT NULL,
    metadata       json NOT NULL,
    data           bytea NOT NULL,
    PRIMARY KEY (stream, position)
);

-- Events that somebody has decided to leave out of the read models.
CREATE TABLE left_out_events (
    stream      text COLLATE "C" NOT NULL,
    position    bigint NOT NULL,
    event_type  text COLLATE "C" NOT NULL,
    error       text NOT NULL,
    reason      text NOT NULL,
    left_out_at timestamptz NOT NULL,
    PRIMARY KEY (stream, position)
);

-- Grows with every change of rows that moves no position.
ALTER TABLE projection_checkpoints ADD COLUMN revision bigint NOT NULL DEFAULT 0;
