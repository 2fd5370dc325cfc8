[i][b]all[/b][/i] and [i][b]bold italic[/b] italic[/i] and [b]bold [i]both[/i][/b], _​_​_​_​ and *​*​*​*​
