[b]`code`[/b] [i]`code`[/i] [url=https://a.example]`code`[/url] [s]`code`[/s]
