[b][url=https://a.example]bold link[/url][/b] and [b]see [url=https://b.example]x[/url] now[/b] [i][url=https://c.example]it[/url][/i]
