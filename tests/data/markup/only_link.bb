[url]https://a.example/only[/url]
