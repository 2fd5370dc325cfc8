[url=https://en.wikipedia.org/wiki/Rust_(programming_language)]a[/url] and [url=https://a.example/x%20y]b[/url] and [url=https://a.example/(x)]c[/url]
