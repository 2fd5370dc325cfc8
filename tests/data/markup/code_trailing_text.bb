[code]a
``` trailing

b[/code]
