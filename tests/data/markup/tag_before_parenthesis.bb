[b]​(скобки)[/b] и [url=https://a.example]x[/url]​(y)
