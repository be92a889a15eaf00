-- How a number came on the do-not-call list: 'flow' (the step dnc, as all that were on it so far), 'api' or
-- 'import'. Written to run on SQLite and PostgreSQL alike.
ALTER TABLE do_not_call ADD COLUMN source TEXT NOT NULL DEFAULT 'flow';

-- A campaign's own list is read without those of others.
CREATE INDEX do_not_call_by_campaign ON do_not_call (tenant_id, campaign_name, number);
