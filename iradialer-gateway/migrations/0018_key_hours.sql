-- The age of idempotency keys, in hours that some gateway ran, counted by steady clocks: no clock that is set makes one
-- be forgotten. Written to run on SQLite and PostgreSQL alike.

CREATE TABLE key_hours (
    one  BIGINT PRIMARY KEY CHECK (one = 1),
    hour BIGINT NOT NULL
);
INSERT INTO key_hours (one, hour) VALUES (1, 0);

-- The hour in which a call was accepted.
ALTER TABLE calls ADD COLUMN key_hour BIGINT NOT NULL DEFAULT 0;
DROP INDEX calls_by_idempotency_age;
CREATE INDEX calls_by_key_hour ON calls (key_hour) WHERE idempotency_key IS NOT NULL;
