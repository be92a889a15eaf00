-- Who changed what. Times are ms since the Unix epoch; JSON is text. Written to run on SQLite and PostgreSQL alike.

CREATE TABLE audit (
    -- In the order of the changes.
    audit_id   TEXT   PRIMARY KEY,
    at_ms      BIGINT NOT NULL,
    -- Whose thing it was.
    tenant_id  TEXT   NOT NULL,
    -- 'api' or 'command_line'.
    via        TEXT   NOT NULL,
    -- The id of a token, or the name of who typed a command.
    actor      TEXT   NOT NULL,
    request_id TEXT,
    -- Such as 'flow.put', and what it was done to.
    action     TEXT   NOT NULL,
    subject    TEXT   NOT NULL,
    -- What it was and what it is: JSON, never with a secret in it. NULL: it was, or is, not there.
    was        TEXT,
    became     TEXT
);
CREATE INDEX audit_by_tenant ON audit (tenant_id, audit_id);
