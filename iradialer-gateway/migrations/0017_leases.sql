-- What each life of each switch holds of the licence. Written to run on SQLite and PostgreSQL alike.

CREATE TABLE license_leases (
    node_id         TEXT   NOT NULL,
    incarnation     TEXT   NOT NULL,
    journal_id      TEXT   NOT NULL,
    -- The order they came in: those that came first are the switches that a licence allows.
    place           BIGINT NOT NULL,
    -- The last question that was answered.
    ask             BIGINT NOT NULL,
    -- How long after it the switch may go by what it was told, ms.
    good_for_ms     BIGINT NOT NULL,
    -- Calls at once: what it uses, what it holds, what it could use by its settings, the most it may be using.
    channels_using  BIGINT NOT NULL,
    channels_has    BIGINT NOT NULL,
    channels_most   BIGINT NOT NULL,
    channels_height BIGINT NOT NULL,
    -- Calls begun a second, in thousandths: the same.
    rate_using      BIGINT NOT NULL,
    rate_has        BIGINT NOT NULL,
    rate_most       BIGINT NOT NULL,
    rate_height     BIGINT NOT NULL,
    PRIMARY KEY (node_id, incarnation)
);
