Text

[b]Heading[/b]

more

[b]Another[/b]

• item
