[b]Bold[/b], [i]it[/i], [u]under[/u], [s]gone[/s], [s]old[/s], [u]both [b]b[/b][/u], H2O, x2, Ctrl+C, m
