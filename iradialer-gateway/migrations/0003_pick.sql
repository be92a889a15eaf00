-- The queue in an order that a look at it can begin in the middle of: what waits for the morning must not be
-- walked past, however much of it there is. Written to run on SQLite and PostgreSQL alike.

DROP INDEX calls_queue;
-- Calls that were never given to a switch: each priority of a campaign by since when they may be dialled.
CREATE INDEX calls_queue ON calls
    (tenant_id, campaign_name, priority, not_before_ms, call_uuid, expires_ms)
    WHERE state = 'queued' AND attempt = 1;
-- Calls that came back keep their age. They are few.
CREATE INDEX calls_retried ON calls
    (tenant_id, campaign_name, priority DESC, created_ms, call_uuid, not_before_ms, expires_ms)
    WHERE state = 'queued' AND attempt > 1;
