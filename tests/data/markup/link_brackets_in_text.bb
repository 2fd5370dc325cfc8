[url=https://a.example]a [1] b[/url] [url=https://b.example][​b][/url] [url=https://c.example][x][/url] [url=https://d.example][​b]x[​/b][/url]
