Here are the first results:

[b]small[/b] — Accuracy: 81.2 %; Latency: 40 ms
[b]medium[/b] — Accuracy: 88.9 %; Latency: 95 ms
[b]large[/b] — Accuracy: 9
