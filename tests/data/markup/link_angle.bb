[url]https://a.example/?a=1&b=2[/url] и [url]http://b.example[/url]
