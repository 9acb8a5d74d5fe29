-- One-time tickets for live events: a browser cannot send a header with a WebSocket or an EventSource, and a token in a URL ends up in logs.

CREATE TABLE radscheduler.stream_ticket (
    site_id       integer     NOT NULL REFERENCES radscheduler.site,
    ticket_hash   bytea       NOT NULL,
    principal     text        NOT NULL,
    login         text,
    token_version integer,
    scopes        text[]      NOT NULL,
    until         timestamptz,
    expires_at    timestamptz NOT NULL,
    PRIMARY KEY (site_id, ticket_hash)
);
CREATE INDEX stream_ticket_hash ON radscheduler.stream_ticket (ticket_hash);
COMMENT ON TABLE  radscheduler.stream_ticket IS 'Tickets that were given out and not used yet (create_stream_ticket()): for 30 seconds, once. Nobody is granted this table.';
COMMENT ON COLUMN radscheduler.stream_ticket.site_id IS 'The site whose events it opens.';
COMMENT ON COLUMN radscheduler.stream_ticket.ticket_hash IS 'SHA-256 of the ticket, which is nowhere.';
COMMENT ON COLUMN radscheduler.stream_ticket.principal IS 'Whose it is: user:<login>, key:<id>, empty for nobody.';
COMMENT ON COLUMN radscheduler.stream_ticket.login IS 'Of a user whose token was signed here.';
COMMENT ON COLUMN radscheduler.stream_ticket.token_version IS 'Of that token: the ticket counts no longer than it.';
COMMENT ON COLUMN radscheduler.stream_ticket.scopes IS 'What its holder may do.';
COMMENT ON COLUMN radscheduler.stream_ticket.until IS 'When the token runs out that it was given for, and with it the connection; NULL for a key.';
COMMENT ON COLUMN radscheduler.stream_ticket.expires_at IS 'Until when it may be used.';

SELECT radscheduler.audit_table('stream_ticket', 'principal', 'names');
SELECT radscheduler.secure_table('radscheduler.stream_ticket'::regclass);
