[code]let x = 1;[/code]
