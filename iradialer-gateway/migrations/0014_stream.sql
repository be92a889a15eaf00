-- The id of the request that asked for a call, and the order in which a tenant's events were committed, for those who
-- follow them. Written to run on SQLite and PostgreSQL alike.

ALTER TABLE calls ADD COLUMN request_id TEXT;

ALTER TABLE call_events ADD COLUMN tenant_id TEXT;
-- From 1 for each tenant, in the order of the commits: one transaction writes at a time. NULL: of before there was a
-- stream.
ALTER TABLE call_events ADD COLUMN place BIGINT;
CREATE UNIQUE INDEX call_events_stream ON call_events (tenant_id, place) WHERE place IS NOT NULL;
