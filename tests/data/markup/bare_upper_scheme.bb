see [url]HTTPS://C.example/x[/url]
