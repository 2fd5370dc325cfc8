-- Identities without tokens: for a portal that has no internet access. `access` is then the secret of
-- the account's webhook, which does not end; `refresh` is empty.
ALTER TABLE agents ADD COLUMN webhook INTEGER NOT NULL DEFAULT 0;

-- The newest of this agent's messages that was removed because it is old: no older one is taken any
-- more, or an edit would bring it back.
ALTER TABLE agents ADD COLUMN pruned_to INTEGER NOT NULL DEFAULT -1;
