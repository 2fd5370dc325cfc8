[b]first line[/b]
[b]second line[/b] then [i]a[/i]
[i]b[/i]
[i]c[/i] end
