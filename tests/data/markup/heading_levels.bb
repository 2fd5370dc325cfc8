[b]One[/b]

[b]Two[/b]

[b]Three[/b]

[b]Four[/b]

[b]Five[/b]

[b]Six[/b]

#​#​#​#​### Seven
