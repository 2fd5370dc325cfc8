[url]https://a.example[/url] [url]http://b.example:8080/x[/url], e.example/path
