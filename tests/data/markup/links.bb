[url=https://a.example/?q=%5B1%5D]text[/url] [url]https://b.example[/url] [url=mailto:a@b.example]mail[/url] [url]https://c.example[/url]
