-- Inbound complete: who may talk with an agent, what has been read besides events, what could not be
-- read at all.

-- An agent's own rule over departments, in the text forms of domain::acl; NULL = as the settings say.
ALTER TABLE agents ADD COLUMN departments TEXT;
ALTER TABLE agents ADD COLUMN departments_denied TEXT;

-- Every message up to this one has been looked for in the dialogs themselves, besides the events;
-- NULL until the first such look. And when the last complete look began, by the portal's clock.
ALTER TABLE agents ADD COLUMN caught_up INTEGER;
ALTER TABLE agents ADD COLUMN caught_up_at INTEGER;

-- Where a look got further in one chat than that: kept while a look is under way.
CREATE TABLE chats (
    agent     TEXT NOT NULL REFERENCES agents (name) ON DELETE CASCADE,
    chat      INTEGER NOT NULL,
    caught_up INTEGER NOT NULL,
    PRIMARY KEY (agent, chat)
) STRICT, WITHOUT ROWID;

-- Events that could not be read, as they came, for whoever mends the reader. Bounded; the oldest go.
CREATE TABLE quarantine (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    agent     TEXT NOT NULL REFERENCES agents (name) ON DELETE CASCADE,
    event     INTEGER,
    raw       TEXT NOT NULL,
    queued_at INTEGER NOT NULL
) STRICT;

-- The company's structure as the portal last told it. Departments of a person: ids and commas.
CREATE TABLE departments (
    id     INTEGER PRIMARY KEY,
    name   TEXT NOT NULL,
    parent INTEGER,
    head   INTEGER
) STRICT;

CREATE TABLE people (
    id          INTEGER PRIMARY KEY,
    name        TEXT NOT NULL,
    departments TEXT NOT NULL
) STRICT;

-- Written by the connector itself, such as the answer to somebody who may not ask: not bounded by the
-- rule that bounds what the gateway sends.
ALTER TABLE deliveries ADD COLUMN notice INTEGER NOT NULL DEFAULT 0;

-- For people who look at the outbox: "what was put aside?", newest first. Few rows, seldom changed.
CREATE INDEX outbox_put_aside ON outbox (state) WHERE state IN ('dropped', 'withdrawn');
-- "What came for this agent?" As deliveries_by_agent, and with a condition for the same reason.
CREATE INDEX outbox_by_agent ON outbox (agent) WHERE id > 0;
