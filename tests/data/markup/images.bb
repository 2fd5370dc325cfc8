[url=https://a.example/c.png]🖼 chart[/url] and [url=https://a.example/d.png]🖼 d.png[/url] 🖼 local (c.png)
