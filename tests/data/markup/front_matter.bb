—————

[b]title: X[/b]

text
