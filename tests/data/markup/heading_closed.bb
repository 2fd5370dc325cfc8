[b]Closed[/b]

#​NoSpace and #hashtag

text
