[url=https://ci.example/run]🖼 Build[/url] [url=https://a.example/s.png]🖼 Схема[/url]
