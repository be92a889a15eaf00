-- What a token may do and until when. Times are ms since the Unix epoch. Written to run on SQLite and PostgreSQL
-- alike.

-- 'admin', 'operator', 'tenant' or 'read-only'. Those that were made before may what they could.
ALTER TABLE tokens ADD COLUMN role TEXT NOT NULL DEFAULT 'tenant';
-- What of that it is narrowed down to, such as 'calls:write flows:read'. Empty: nothing of it is taken away.
ALTER TABLE tokens ADD COLUMN scopes TEXT NOT NULL DEFAULT '';
-- From then on it is refused.
ALTER TABLE tokens ADD COLUMN expires_ms BIGINT;
-- Requests a second and at once, where they differ from web.requests_per_s and web.burst. 0 a second: any number.
ALTER TABLE tokens ADD COLUMN requests_per_s BIGINT;
ALTER TABLE tokens ADD COLUMN burst BIGINT;
