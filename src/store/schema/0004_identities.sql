-- Identities without tokens: for a portal that has no internet access. `access` is then the secret of
-- the account's webhook, which does not end; `refresh` is empty.
ALTER TABLE agents ADD COLUMN webhook INTEGER NOT NULL DEFAULT 0;
