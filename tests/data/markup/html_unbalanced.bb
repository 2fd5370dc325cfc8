[b]never closed[/b]

next paragraph and  stray [u]u[/u]
