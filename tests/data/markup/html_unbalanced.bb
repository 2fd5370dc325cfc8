[b]never closed[/b]

[b]next paragraph[/b] and  stray [u]u[/u]
