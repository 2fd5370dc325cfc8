[b][url]https://a.example[/url][/b] and [b]see [url]https://a.example/x[/url], ok[/b]
