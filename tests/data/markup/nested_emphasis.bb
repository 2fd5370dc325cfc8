[b]a [i]b[/i] c[/b] and [i]a [b]b[/b] c[/i]
