[b]bold[/b] [i]italic[/i] [i][b]both[/b][/i] [s]gone[/s] [u]under[/u] [b]b[/b] [i]i[/i]
