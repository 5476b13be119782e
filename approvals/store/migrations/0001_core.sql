-- Questions, what they left behind, and the feed of both. Times are seconds since the epoch.
-- What refers to an approval is removed with it (ON DELETE CASCADE) when it is 30 days old.

-- One process each; whether it lives is asked of its lock, not of this table.
CREATE TABLE gateways (
    gateway_id text NOT NULL PRIMARY KEY,
    started_at double precision NOT NULL,
    ended_at double precision
);

-- A session with a name outlives the gateways that serve it; one without ends with its gateway.
CREATE TABLE sessions (
    session_id text NOT NULL PRIMARY KEY,
    name text UNIQUE,
    gateway_id text NOT NULL REFERENCES gateways (gateway_id),
    created_at double precision NOT NULL
);

CREATE TABLE approvals (
    approval_id text NOT NULL PRIMARY KEY,
    session_id text NOT NULL REFERENCES sessions (session_id),
    host text NOT NULL,
    protocol text NOT NULL,
    port bigint NOT NULL,
    status text NOT NULL,
    version bigint NOT NULL,
    gateway_id text NOT NULL REFERENCES gateways (gateway_id),
    question text NOT NULL,
    shown text NOT NULL,
    digest text NOT NULL,
    answer text,
    created_at double precision NOT NULL,
    expires_at double precision NOT NULL,
    ended_at double precision
);

-- However many ask, in however many gateways: one open question for each key.
CREATE UNIQUE INDEX approvals_open ON approvals (session_id, host, protocol, port)
    WHERE status = 'pending';
CREATE INDEX approvals_ended ON approvals (ended_at);
CREATE INDEX approvals_host ON approvals (host, created_at);
CREATE INDEX approvals_gateway ON approvals (gateway_id, status);

-- What later requests with the same key meet: a yes or a no, until it ends. `detail` is all of it
-- as it was given (JSON); what is used and how it ended stand beside it.
CREATE TABLE grants (
    grant_id text NOT NULL PRIMARY KEY,
    approval_id text NOT NULL UNIQUE REFERENCES approvals (approval_id) ON DELETE CASCADE,
    gateway_id text NOT NULL REFERENCES gateways (gateway_id),
    session_id text NOT NULL REFERENCES sessions (session_id),
    scope text NOT NULL,
    detail text NOT NULL,
    created_at double precision NOT NULL,
    used_connections bigint NOT NULL,
    used_bytes bigint NOT NULL,
    ended_at double precision,
    end_reason text
);

CREATE INDEX grants_session ON grants (session_id, ended_at);
CREATE INDEX grants_gateway ON grants (gateway_id, ended_at);

-- Numbers are given out one transaction after the other, so that a reader who saw number n never
-- finds a smaller one later: a revocation can't be missed.
CREATE TABLE changes (
    number bigint NOT NULL PRIMARY KEY,
    kind text NOT NULL,
    ref text NOT NULL,
    at double precision NOT NULL
);

CREATE TABLE last_change (
    one bigint NOT NULL PRIMARY KEY CHECK (one = 1),
    number bigint NOT NULL
);

INSERT INTO last_change (one, number) VALUES (1, 0);
