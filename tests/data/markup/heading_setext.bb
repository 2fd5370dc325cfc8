[b]Title[/b]

[b]Subtitle[/b]

Text
