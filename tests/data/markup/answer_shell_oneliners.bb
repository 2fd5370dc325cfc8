Несколько полезных однострочников:

[b]Найти большие файлы[/b]

[code]find / -xdev -type f -size +500M -printf '%s\t%p\n' | sort -rn | head[/code]

[b]Кто занимает порт[/b]

[code]ss -ltnp 'sport = :8080'[/code]

[b]Подсчитать ошибки в логе по часам[/b]

[code]awk '/ERROR/ {split($2, t, ":"); n[t[1]]++} END {for (h in n) print h, n[h]}' app.log | sort[/code]

Пояснения к последнему:

• `/ERROR/` — только строки с ошибкой;
• `split($2, t, ":")` — разбить время `12:30:45` на части;
• `n[t[1]]++` — счётчик по часу.

P. S. `awk` считает поля с 1, а не с 0 😉
