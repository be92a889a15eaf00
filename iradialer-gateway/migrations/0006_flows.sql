-- Flows that the API stores, their documents, and the numbers that may not be called. Times are ms since the
-- Unix epoch. Written to run on SQLite and PostgreSQL alike.

-- Each version of a tenant's named flows. What is deleted keeps its number: the next version goes on from it.
CREATE TABLE flows (
    tenant_id  TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    hash       TEXT   NOT NULL,
    created_ms BIGINT NOT NULL,
    deleted_ms BIGINT,
    PRIMARY KEY (tenant_id, name, version)
);

-- Documents by the SHA-256 of their canonical JSON, those of calls that brought their own among them. One
-- that is of no version any more is kept for as long as a call that names it may be queued.
CREATE TABLE flow_documents (
    tenant_id TEXT   NOT NULL,
    hash      TEXT   NOT NULL,
    document  TEXT   NOT NULL,
    used_ms   BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, hash)
);
CREATE INDEX flow_documents_by_use ON flow_documents (used_ms);
CREATE INDEX flows_by_hash ON flows (tenant_id, hash) WHERE deleted_ms IS NULL;

CREATE TABLE do_not_call (
    tenant_id     TEXT   NOT NULL,
    -- Its digits, without a '+'.
    number        TEXT   NOT NULL,
    -- Empty: no campaign of the tenant may call it.
    campaign_name TEXT   NOT NULL,
    -- 'opted_out': by the step dnc of a flow, in the call call_uuid.
    reason        TEXT   NOT NULL,
    added_ms      BIGINT NOT NULL,
    call_uuid     TEXT,
    PRIMARY KEY (tenant_id, number, campaign_name)
);
