[code]a[/code]

[code]b[/code]
