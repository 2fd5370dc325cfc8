• [url]https://a.example[/url]
• [url]https://b.example/x?y=1[/url]
• [url=https://c.example]c[/url]
