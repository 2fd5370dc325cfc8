-- Every table of the first version. Times are milliseconds since 1970 UTC. States are the text
-- forms of domain::agent and domain::delivery. Tokens are sealed by the vault before they get here.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- One agent: its state, its cursor into the portal's event log, and its identity once it has one.
CREATE TABLE agents (
    name             TEXT PRIMARY KEY,
    state            TEXT NOT NULL,
    reason           TEXT NOT NULL DEFAULT '',
    cursor           INTEGER NOT NULL DEFAULT 0,
    created_at       INTEGER NOT NULL,
    changed_at       INTEGER NOT NULL,
    user             INTEGER,
    user_name        TEXT,
    member           TEXT,
    client_endpoint  TEXT,
    oauth_host       TEXT,
    access           BLOB,
    refresh          BLOB,
    previous_refresh BLOB,
    expires_at       INTEGER,
    refreshed_at     INTEGER
) STRICT, WITHOUT ROWID;

-- One account of the portal is one agent.
CREATE UNIQUE INDEX agents_by_user ON agents (user) WHERE user IS NOT NULL;

-- Consent links and OAuth states: only their hashes, each used once.
CREATE TABLE tickets (
    hash       BLOB PRIMARY KEY,
    agent      TEXT NOT NULL REFERENCES agents (name) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL,
    used       INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE consent_states (
    hash       BLOB PRIMARY KEY,
    ticket     BLOB NOT NULL REFERENCES tickets (hash) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Inbound: committed together with the cursor that lets the portal forget the events.
CREATE TABLE outbox (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    agent       TEXT NOT NULL REFERENCES agents (name) ON DELETE CASCADE,
    chat        INTEGER NOT NULL,
    dialog      TEXT NOT NULL,
    message     INTEGER NOT NULL,
    text        TEXT NOT NULL,
    sender      INTEGER NOT NULL,
    sender_name TEXT NOT NULL,
    mentioned   INTEGER NOT NULL,
    reply_to    INTEGER,
    sent_at     INTEGER,
    state       TEXT NOT NULL DEFAULT 'pending',
    attempts    INTEGER NOT NULL DEFAULT 0,
    due_at      INTEGER NOT NULL,
    failure     TEXT NOT NULL DEFAULT '',
    queued_at   INTEGER NOT NULL,
    finished_at INTEGER,
    UNIQUE (agent, message)
) STRICT;

CREATE INDEX outbox_pending ON outbox (id) WHERE state = 'pending';
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead';

-- Outbound: one row a delivery, its parts, its attempts.
CREATE TABLE deliveries (
    row             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    agent           TEXT NOT NULL,
    dialog          TEXT NOT NULL,
    operation       TEXT NOT NULL,
    content         BLOB NOT NULL,
    reply_to        INTEGER,
    state           TEXT NOT NULL DEFAULT 'accepted',
    attempts        INTEGER NOT NULL DEFAULT 0,
    due_at          INTEGER NOT NULL,
    accepted_at     INTEGER NOT NULL,
    finished_at     INTEGER,
    failure_code    TEXT,
    failure_message TEXT,
    warnings        TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX deliveries_unfinished ON deliveries (row)
    WHERE state IN ('accepted', 'attempting', 'waiting', 'unknown');
CREATE INDEX deliveries_given_up ON deliveries (row) WHERE state IN ('dead', 'parked');

CREATE TABLE parts (
    delivery INTEGER NOT NULL REFERENCES deliveries (row) ON DELETE CASCADE,
    part     INTEGER NOT NULL,
    text     TEXT NOT NULL,
    uuid     TEXT NOT NULL,
    message  INTEGER,
    PRIMARY KEY (delivery, part)
) STRICT, WITHOUT ROWID;

-- "Is this message one of ours?", for replies to an agent.
CREATE INDEX parts_by_message ON parts (message) WHERE message IS NOT NULL;

-- An attempt without an end has an unknown effect.
CREATE TABLE attempts (
    delivery   INTEGER NOT NULL REFERENCES deliveries (row) ON DELETE CASCADE,
    attempt    INTEGER NOT NULL,
    part       INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    class      TEXT,
    code       TEXT,
    effect     TEXT,
    PRIMARY KEY (delivery, attempt)
) STRICT, WITHOUT ROWID;
