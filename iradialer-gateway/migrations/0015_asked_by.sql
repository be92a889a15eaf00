-- Whose token asked for a call. Written to run on SQLite and PostgreSQL alike.

-- The token's id; NULL: it came by another way, or before this was kept.
ALTER TABLE calls ADD COLUMN token_id TEXT;
