—————

[b]Ann [today][/b]
[b]text[/b]
