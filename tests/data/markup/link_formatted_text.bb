[url=https://a.example][b]bold[/b] and [i]it[/i][/url] [url=https://b.example]a `b` c[/url] [url=https://c.example][s]s[/s][/url]
