[i]a[/i]
[i]b[/i] [b]c[/b]
[b]d[/b]
