-- Which build of the read models a schema holds: each rebuild is the next.
ALTER TABLE projection_checkpoints ADD COLUMN build bigint NOT NULL DEFAULT 1;
