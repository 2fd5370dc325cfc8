[url=mailto:a@b.example?subject=Hi%20there]mail[/url] [url=tel:+74951234567]call[/url]
