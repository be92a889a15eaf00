-- Decisions that leave no other trace, so that the path of a call can be explained. Times are ms since the
-- Unix epoch. Written to run on SQLite and PostgreSQL alike.

-- A call that goes its usual way has none.
CREATE TABLE decisions (
    call_uuid TEXT   NOT NULL REFERENCES calls (call_uuid),
    at_ms     BIGINT NOT NULL,
    attempt   BIGINT NOT NULL,
    -- 'put_off': outside its campaign's hours. 'asked_switch': what became of the attempt.
    what      TEXT   NOT NULL,
    -- A JSON object.
    data      TEXT   NOT NULL
);

CREATE INDEX decisions_by_call ON decisions (call_uuid, at_ms);

-- What the router of a region thinks of each switch, for those that do not hear them.
CREATE TABLE switch_views (
    region   TEXT   PRIMARY KEY,
    at_ms    BIGINT NOT NULL,
    -- A JSON array.
    switches TEXT   NOT NULL
);
