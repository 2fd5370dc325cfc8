[url]https://a.example[/url] [url=https://b.example]https://a.example[/url] [url=https://a.example]a.example[/url]
