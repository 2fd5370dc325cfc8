Write to [url=mailto:a@b.example]a@b.example[/url].
