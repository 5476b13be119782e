-- What endpoints are told, and what they answered. Times are seconds since the epoch.

-- One message of a kind about one thing to one endpoint, however many gateways have it to tell.
CREATE TABLE webhook_outbox (
    webhook_id text NOT NULL PRIMARY KEY,
    endpoint text NOT NULL,
    kind text NOT NULL,
    ref text NOT NULL,
    approval_id text NOT NULL,
    body text NOT NULL,
    created_at double precision NOT NULL,
    expires_at double precision NOT NULL,
    attempts bigint NOT NULL,
    -- When it is tried next. Whoever claims it puts this off first: should they die, others go on.
    next_at double precision,
    delivered_at double precision,
    -- Of a question: what its answer has to name, and how far the endpoint was told of it.
    nonce text,
    version bigint,
    digest text,
    joined bigint,
    reply_id text,
    told text,
    UNIQUE (endpoint, kind, ref)
);

CREATE INDEX webhook_outbox_due ON webhook_outbox (next_at);
CREATE INDEX webhook_outbox_told ON webhook_outbox (told);

-- An answer that comes again is answered again, and has no effect again.
CREATE TABLE webhook_replies (
    endpoint text NOT NULL,
    webhook_id text NOT NULL,
    digest text NOT NULL,
    received_at double precision NOT NULL,
    status bigint,
    response text,
    PRIMARY KEY (endpoint, webhook_id)
);
