-- A delivery is a row of steps, and not only of parts to add: edits, removals, reactions, files.

ALTER TABLE parts RENAME TO steps;
ALTER TABLE steps RENAME COLUMN part TO step;
ALTER TABLE attempts RENAME COLUMN part TO step;
DROP INDEX parts_by_message;

-- A text form of domain::step.
ALTER TABLE steps ADD COLUMN kind TEXT NOT NULL DEFAULT 'add';
-- A step that acts on a message knows it before it is done.
ALTER TABLE steps ADD COLUMN done INTEGER NOT NULL DEFAULT 0;
UPDATE steps SET done = 1 WHERE message IS NOT NULL;

CREATE INDEX steps_by_message ON steps (message) WHERE message IS NOT NULL;

-- Whether the steps are known. Before that they follow from the source text, the target, the files.
ALTER TABLE deliveries ADD COLUMN planned INTEGER NOT NULL DEFAULT 1;
-- The text they are made from and how it is written, until then.
ALTER TABLE deliveries ADD COLUMN source TEXT;
ALTER TABLE deliveries ADD COLUMN format TEXT;
-- The message that an operation acts on, or the delivery whose messages it acts on.
ALTER TABLE deliveries ADD COLUMN target INTEGER;
ALTER TABLE deliveries ADD COLUMN origin INTEGER;
ALTER TABLE deliveries ADD COLUMN reaction TEXT;
ALTER TABLE deliveries ADD COLUMN remove INTEGER NOT NULL DEFAULT 0;

-- When a person last asked for another try: from then on it is as young as a new one.
ALTER TABLE deliveries ADD COLUMN retried_at INTEGER;

-- For people who look at the ledger: "what failed, and how?", newest first. Few rows, written once.
DROP INDEX deliveries_given_up;
CREATE INDEX deliveries_failed ON deliveries (state)
    WHERE state IN ('rejected', 'dead', 'parked', 'cancelled');
-- "What did this agent say?" One entry for each delivery, at the end of its agent's; never changed.
-- The condition is always true, and keeps the index away from questions that do not repeat it: an
-- agent may have a million rows, and SQLite does not know.
CREATE INDEX deliveries_by_agent ON deliveries (agent) WHERE row > 0;

-- "Which deliveries changed what this one shows?"
CREATE INDEX deliveries_by_origin ON deliveries (origin) WHERE origin IS NOT NULL;

-- The files of a delivery, numbered like the steps that upload them.
CREATE TABLE files (
    delivery INTEGER NOT NULL REFERENCES deliveries (row) ON DELETE CASCADE,
    file     INTEGER NOT NULL,
    name     TEXT NOT NULL,
    as_file  INTEGER NOT NULL,
    -- Where it is fetched from, until it is on the shelf under this name.
    url      TEXT,
    kept     TEXT,
    bytes    INTEGER,
    -- The portal's number of it, once uploaded.
    disk     INTEGER,
    PRIMARY KEY (delivery, file)
) STRICT, WITHOUT ROWID;
