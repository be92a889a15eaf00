-- Campaigns and trunks that were added or changed at run time, what was asked of switches, and the queue's
-- parameters. Written to run on SQLite and PostgreSQL alike.

CREATE TABLE catalogue (
    -- 'campaign', 'trunk', 'node' or 'queue'.
    kind      TEXT NOT NULL,
    -- Of a campaign; else empty.
    tenant_id TEXT NOT NULL,
    -- Empty for the queue.
    name      TEXT NOT NULL,
    -- A JSON object. What is in the configuration file has what is overridden of it only.
    body      TEXT NOT NULL,
    PRIMARY KEY (kind, tenant_id, name)
);

-- Raised by each change. It is made in the transaction that raises it from the version it was thought out
-- against, and every process looks at it to see that something has changed.
CREATE TABLE catalogue_version (
    only_one BIGINT PRIMARY KEY,
    version  BIGINT NOT NULL
);
INSERT INTO catalogue_version (only_one, version) VALUES (1, 1);

-- Calls that are to be connected with one that is up are dialled also where their campaign is not active.
CREATE INDEX calls_waited_for ON calls
    (tenant_id, campaign_name, state, priority DESC, not_before_ms, call_uuid)
    WHERE state = 'queued' AND parent_uuid IS NOT NULL;

-- What the last heartbeat of each switch has said: a JSON array.
ALTER TABLE switch_views ADD COLUMN nodes TEXT NOT NULL DEFAULT '[]';
