-- Calls that are dialled for another one, which waits on its switch to be connected with them. Written to run
-- on SQLite and PostgreSQL alike.

-- The call that waits.
ALTER TABLE calls ADD COLUMN parent_uuid TEXT;
-- The switch that has it, and the life of its module: the call is given to no other.
ALTER TABLE calls ADD COLUMN pinned_node TEXT;
ALTER TABLE calls ADD COLUMN pinned_incarnation TEXT;

CREATE INDEX calls_by_parent ON calls (parent_uuid) WHERE parent_uuid IS NOT NULL;
