[url=https://a.example]two[/url]
[url=https://a.example]lines[/url] end
