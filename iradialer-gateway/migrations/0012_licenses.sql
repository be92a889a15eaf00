-- Licences. Times are ms since the Unix epoch. Written to run on SQLite and PostgreSQL alike.

CREATE TABLE licenses (
    license_id   TEXT   PRIMARY KEY,
    -- The order they were installed in: the last is in force.
    place        BIGINT NOT NULL UNIQUE,
    customer     TEXT   NOT NULL,
    serial       BIGINT NOT NULL,
    -- The licence itself, signed.
    token        TEXT   NOT NULL,
    installed_ms BIGINT NOT NULL
);
CREATE INDEX licenses_by_customer ON licenses (customer, serial);

-- The highest time seen, in one row: time does not go back for a licence.
CREATE TABLE license_clock (
    one        BIGINT PRIMARY KEY CHECK (one = 1),
    highest_ms BIGINT NOT NULL
);

-- What the operator was told of a licence's end.
CREATE TABLE license_warnings (
    license_id TEXT   NOT NULL,
    -- How many days were left at the most; 0: it has expired.
    days       BIGINT NOT NULL,
    told_ms    BIGINT NOT NULL,
    PRIMARY KEY (license_id, days)
);
