-- Tokens for the HTTP API. Of each only the SHA-256 is kept: who reads this file has none of them.

CREATE TABLE tokens (
    token_id text NOT NULL PRIMARY KEY,
    digest text NOT NULL UNIQUE,
    name text NOT NULL,
    permissions text NOT NULL,
    created_at double precision NOT NULL,
    created_by text NOT NULL,
    expires_at double precision NOT NULL,
    used_at double precision,
    revoked_at double precision,
    revoked_by text
);

-- The name is what the audit trail calls the reviewer: two that are good at once never share one.
CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL;
