[text]​([url]https://a.example[/url] and [text] ([url]https://b.example[/url]) [url=https://c.example]text[/url] [a]​(b c)
