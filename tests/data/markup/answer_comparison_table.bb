Short answer: for your size [b]PostgreSQL[/b] is enough. In detail:

[b]Transactions[/b] — PostgreSQL: ✅; MySQL: ✅; SQLite: ✅
[b]JSON indexes[/b] — PostgreSQL: ✅; MySQL: ⚠️ partial; SQLite: ❌
[b]Concurrent writers[/b] — PostgreSQL: many; MySQL: many; SQLite: one
[b]Replication[/b] — PostgreSQL: built in; MySQL: built in; SQLite: ❌
[b]Typical use[/b] — PostgreSQL: services; MySQL: web sites; SQLite: apps, tests

A few remarks:

1. SQLite allows one writer at a time, but with WAL readers are not blocked.
2. MySQL's JSON columns can be indexed only through [i]generated columns[/i].
3. In PostgreSQL use `jsonb`, not `json`.

Sources: [url=https://www.postgresql.org/docs/16/datatype-json.html]PostgreSQL[/url], [url=https://www.sqlite.org/wal.html]SQLite WAL[/url].
