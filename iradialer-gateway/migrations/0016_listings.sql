-- What the listings are read by, so that none reads what it does not show, however many calls there are. Written
-- to run on SQLite and PostgreSQL alike.

-- Calls by state, and by campaign: of a campaign all states are read side by side.
CREATE INDEX calls_by_state ON calls (tenant_id, state, created_ms, call_uuid);
CREATE INDEX calls_by_campaign ON calls (tenant_id, campaign_name, state, created_ms, call_uuid);

-- The call's campaign, so that what was given up of one is found without those of the others.
ALTER TABLE webhooks ADD COLUMN campaign_name TEXT NOT NULL DEFAULT '';
UPDATE webhooks SET campaign_name =
    (SELECT calls.campaign_name FROM calls WHERE calls.call_uuid = webhooks.call_uuid);
CREATE INDEX webhooks_dead_of_campaign ON webhooks (tenant_id, campaign_name, done_ms, call_uuid, seq)
    WHERE state = 'dead';

-- What a delivery says of its call's answer, and whether its receiver wants no more: without reading all that the
-- call has.
CREATE INDEX call_events_answers ON call_events (call_uuid, attempt, seq) WHERE name = 'answered';
CREATE INDEX webhooks_gone ON webhooks (call_uuid) WHERE is_gone = 1;

CREATE INDEX tokens_by_tenant ON tokens (tenant_id, created_ms, token_id);

-- What is done is deleted after a while, the oldest first.
CREATE INDEX webhooks_done ON webhooks (done_ms) WHERE done_ms IS NOT NULL;

-- Each receiver that was ever tried, with what can't be counted from what is kept.
CREATE TABLE webhook_receivers (
    -- 'TENANT ORIGIN'
    receiver        TEXT   PRIMARY KEY,
    tenant_id       TEXT   NOT NULL,
    origin          TEXT   NOT NULL,
    -- How many it has ever taken.
    delivered       BIGINT NOT NULL,
    -- When it was last tried, ms since the Unix epoch.
    tried_ms        BIGINT NOT NULL,
    -- Since when it gets one at a time; NULL: it does not.
    breaker_open_ms BIGINT
);
CREATE INDEX webhook_receivers_by_tenant ON webhook_receivers (tenant_id, origin);
INSERT INTO webhook_receivers (receiver, tenant_id, origin, delivered, tried_ms)
    SELECT receiver, tenant_id, origin, SUM(CASE WHEN state = 'delivered' THEN 1 ELSE 0 END),
        MAX(COALESCE(done_ms, created_ms))
    FROM webhooks GROUP BY receiver, tenant_id, origin;
-- Counted from the index alone: how many wait, how many of them were tried, since when the oldest.
DROP INDEX webhooks_due;
CREATE INDEX webhooks_due ON webhooks (receiver, next_ms, tries, created_ms) WHERE state = 'due';
CREATE INDEX webhooks_dead_of_receiver ON webhooks (receiver) WHERE state = 'dead';
