[url=https://a.example]a[/url] [url=https://b.example]b[/url] [url=https://c.example]c[/url]
