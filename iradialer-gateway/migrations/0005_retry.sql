-- Which calls wait because a try failed, not because they were asked to: such a wait is short, and one that is
-- not was written by a clock that has been set since. Written to run on SQLite and PostgreSQL alike.

-- Ms since the Unix epoch: what not_before_ms was set to when the call came back.
ALTER TABLE calls ADD COLUMN retry_ms BIGINT;
