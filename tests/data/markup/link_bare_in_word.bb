xhttps://a.example и:[url]https://b.example[/url] конец
