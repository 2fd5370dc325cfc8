[b]One two three[/b]

Text

[b]Sub[/b]

More
