[url=https://a.example/?a=1&b=2&lt=3&c=4#frag!]q[/url] [url]https://a.example/?x=1&y=2#z[/url] [url]https://a.example/a%20b[/url]
