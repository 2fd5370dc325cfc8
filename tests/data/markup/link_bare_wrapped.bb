([url]https://a.example[/url]) «[url]https://b.example[/url]» "[url]https://c.example[/url]" '[url]https://d.example[/url]' [​[url]https://e.example[/url]] {[url]https://f.example[/url]}
