-- What each try at a webhook came to, and what was given up and may be sent again. Times are ms since the Unix
-- epoch. Written to run on SQLite and PostgreSQL alike.

-- 'TENANT ORIGIN': whose places and whose breaker count for it. Two tenants with one origin are two receivers.
ALTER TABLE webhooks ADD COLUMN receiver TEXT NOT NULL DEFAULT '';
UPDATE webhooks SET receiver = tenant_id || ' ' || origin;
-- 1: its receiver answered 410 and wants no more of the call. Sending anything of the call again takes it back.
ALTER TABLE webhooks ADD COLUMN is_gone BIGINT NOT NULL DEFAULT 0;
UPDATE webhooks SET is_gone = 1 WHERE state = 'dead' AND last_status = 410;
-- When somebody last asked for it to be sent again.
ALTER TABLE webhooks ADD COLUMN replayed_ms BIGINT;

DROP INDEX webhooks_due;
CREATE INDEX webhooks_due ON webhooks (receiver, next_ms) WHERE state = 'due';
-- What was given up, as it is listed.
CREATE INDEX webhooks_dead ON webhooks (tenant_id, done_ms, call_uuid, seq) WHERE state = 'dead';

-- One row for each try, in the transaction that notes what it came to.
CREATE TABLE webhook_tries (
    call_uuid TEXT   NOT NULL,
    seq       BIGINT NOT NULL,
    -- From 1, over all that was ever tried.
    try_no    BIGINT NOT NULL,
    begun_ms  BIGINT NOT NULL,
    took_ms   BIGINT NOT NULL,
    -- 1: the receiver took it.
    taken     BIGINT NOT NULL,
    status    BIGINT,
    error     TEXT,
    -- How the answer began, up to 1 KiB.
    answer    TEXT,
    PRIMARY KEY (call_uuid, seq, try_no),
    FOREIGN KEY (call_uuid, seq) REFERENCES webhooks (call_uuid, seq)
);
