-- Every try at a call, and what the trunks have shown of themselves. Times are ms since the Unix epoch.
-- Written to run on SQLite and PostgreSQL alike.

-- One row for each try that was given to a switch, in the transaction that gave it. It stays when the call
-- goes on to another try, so that it can be told afterwards who decided what, and why.
CREATE TABLE attempts (
    call_uuid      TEXT   NOT NULL REFERENCES calls (call_uuid),
    attempt        BIGINT NOT NULL,
    attempt_id     TEXT   NOT NULL UNIQUE,
    trunk          TEXT   NOT NULL,
    node_id        TEXT   NOT NULL,
    incarnation    TEXT   NOT NULL,
    journal_id     TEXT   NOT NULL,
    epoch          BIGINT NOT NULL,
    assigned_ms    BIGINT NOT NULL,
    -- The switch must not dial after this.
    not_after_ms   BIGINT NOT NULL,
    -- The router's decision, a JSON object.
    why            TEXT   NOT NULL,
    -- Written once. 'not_dialled': taken back. 'queued_again': its last event came before it rang, and the
    -- reason is what the carrier or the switch said. 'ended': by its last event; the reason is the call's
    -- final state. 'given_up': by the gateway.
    outcome        TEXT,
    outcome_reason TEXT,
    outcome_ms     BIGINT,
    PRIMARY KEY (call_uuid, attempt)
);

-- A router that takes over reads how many calls each trunk was given just before.
CREATE INDEX attempts_by_trunk ON attempts (trunk, assigned_ms);

CREATE TABLE trunk_states (
    trunk             TEXT   PRIMARY KEY,
    -- Calls a thousand seconds that the carrier was found to bear; NULL: it never said.
    learned_cps_milli BIGINT,
    learned_ms        BIGINT,
    -- No calls through it before.
    wait_until_ms     BIGINT,
    -- 'closed', 'open' or 'half_open'.
    breaker           TEXT   NOT NULL,
    breaker_until_ms  BIGINT,
    breaker_reason    TEXT,
    failures          BIGINT NOT NULL,
    updated_ms        BIGINT NOT NULL
);

-- Idempotency keys are forgotten by age, and looking for old ones must not read every call.
CREATE INDEX calls_by_idempotency_age ON calls (created_ms) WHERE idempotency_key IS NOT NULL;
