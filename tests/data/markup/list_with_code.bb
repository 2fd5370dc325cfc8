1. first
[code]code[/code]
2. second
