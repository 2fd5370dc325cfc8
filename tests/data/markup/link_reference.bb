See [url=https://a.example/docs]the docs[/url], [url=https://b.example]second[/url] and [url=https://c.example/x]third[/url].
