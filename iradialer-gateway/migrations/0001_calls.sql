-- The truth about calls. Times are ms since the Unix epoch; booleans are 0 or 1; JSON is text.
-- Written to run on SQLite and PostgreSQL alike.

-- Bearer tokens. Only the SHA-256 of a token is kept, in hexadecimal.
CREATE TABLE tokens (
    token_hash   TEXT   PRIMARY KEY,
    token_id     TEXT   NOT NULL UNIQUE,
    tenant_id    TEXT   NOT NULL,
    name         TEXT   NOT NULL,
    created_ms   BIGINT NOT NULL,
    last_used_ms BIGINT,
    revoked_ms   BIGINT
);

CREATE TABLE calls (
    call_uuid           TEXT    PRIMARY KEY,
    tenant_id           TEXT    NOT NULL,
    campaign_name       TEXT    NOT NULL,
    -- 'api': accepted over HTTPS. 'switch': begun at a switch, known by its events alone.
    origin              TEXT    NOT NULL,
    to_number           TEXT    NOT NULL,
    from_number         TEXT    NOT NULL,
    -- What else the request asked for (call_params, channel_vars, flow, metadata, …).
    request             TEXT    NOT NULL,
    event_url           TEXT,
    priority            BIGINT  NOT NULL,
    created_ms          BIGINT  NOT NULL,
    not_before_ms       BIGINT  NOT NULL,
    expires_ms          BIGINT,

    -- The same request again gets the same answer; body_hash tells a repetition from a clash.
    idempotency_key     TEXT,
    body_hash           TEXT    NOT NULL,
    answer              TEXT    NOT NULL,

    state               TEXT    NOT NULL,
    -- The try that is under way or will be made next, from 1.
    attempt             BIGINT  NOT NULL,
    attempt_id          TEXT,
    trunk               TEXT,
    node_id             TEXT,
    incarnation         TEXT,
    journal_id          TEXT,
    epoch               BIGINT,
    cancel_requested_ms BIGINT,
    -- The number of the call's last event: its events are numbered from 1 without gaps.
    last_seq            BIGINT  NOT NULL,

    assigned_ms         BIGINT,
    started_ms          BIGINT,
    ringing_ms          BIGINT,
    answered_ms         BIGINT,

    -- The final record, written once.
    ended_ms            BIGINT,
    ended_by            TEXT,
    hangup_cause        TEXT,
    sip_status          BIGINT,
    sip_phrase          TEXT,
    duration_ms         BIGINT,
    billsec_ms          BIGINT,
    variables           TEXT,
    flow_node           TEXT,
    fault               TEXT
);

CREATE UNIQUE INDEX calls_by_idempotency_key ON calls (tenant_id, idempotency_key)
    WHERE idempotency_key IS NOT NULL;
-- The queue, in the order the router takes it. The times are in it so that calls that wait for the
-- morning are passed over without reading their rows.
CREATE INDEX calls_queue ON calls
    (tenant_id, campaign_name, priority DESC, created_ms, call_uuid, not_before_ms, expires_ms)
    WHERE state = 'queued';
CREATE INDEX calls_expiry ON calls (expires_ms)
    WHERE state = 'queued' AND expires_ms IS NOT NULL;
CREATE INDEX calls_later ON calls (not_before_ms) WHERE state = 'queued';
-- The calls that a switch holds or may hold.
CREATE INDEX calls_open ON calls (node_id, call_uuid)
    WHERE state IN ('assigned', 'dialing', 'ringing', 'answered');
-- How many of them each campaign and trunk has: without it, counting them reads every call there ever was.
CREATE INDEX calls_live ON calls (tenant_id, campaign_name, trunk)
    WHERE state IN ('assigned', 'dialing', 'ringing', 'answered');
CREATE INDEX calls_listing ON calls (tenant_id, created_ms, call_uuid);

-- Every step of a call. seq is its place in the call; (attempt, attempt_seq) is what the switch calls
-- it, so that an event that is sent twice is stored once. Attempt 0 is the gateway's own events.
CREATE TABLE call_events (
    call_uuid   TEXT   NOT NULL REFERENCES calls (call_uuid),
    seq         BIGINT NOT NULL,
    attempt     BIGINT NOT NULL,
    attempt_seq BIGINT NOT NULL,
    name        TEXT   NOT NULL,
    at_ms       BIGINT NOT NULL,
    stored_ms   BIGINT NOT NULL,
    node_id     TEXT,
    data        TEXT   NOT NULL,
    -- 1 for the one event that ended the call.
    is_final    BIGINT NOT NULL,
    PRIMARY KEY (call_uuid, seq),
    UNIQUE (call_uuid, attempt, attempt_seq)
);

-- One delivery of one event to its webhook.
CREATE TABLE webhooks (
    call_uuid    TEXT   NOT NULL,
    seq          BIGINT NOT NULL,
    tenant_id    TEXT   NOT NULL,
    url          TEXT   NOT NULL,
    -- scheme://host:port of the URL: one slow receiver must not hold up the others.
    origin       TEXT   NOT NULL,
    -- 'due', 'delivered' or 'dead'.
    state        TEXT   NOT NULL,
    tries        BIGINT NOT NULL,
    created_ms   BIGINT NOT NULL,
    next_ms      BIGINT NOT NULL,
    done_ms      BIGINT,
    last_status  BIGINT,
    last_error   TEXT,
    PRIMARY KEY (call_uuid, seq),
    FOREIGN KEY (call_uuid, seq) REFERENCES call_events (call_uuid, seq)
);

CREATE INDEX webhooks_due ON webhooks (origin, next_ms) WHERE state = 'due';
CREATE INDEX webhooks_due_of_call ON webhooks (call_uuid, seq) WHERE state = 'due';

-- Which router leads a region. The epoch rises with every new holder, and switches refuse a lower one.
CREATE TABLE router_leases (
    region     TEXT   PRIMARY KEY,
    holder     TEXT   NOT NULL,
    epoch      BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
