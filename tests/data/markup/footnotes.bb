Fact¹ and².

¹ Source.
² Other [b]source[/b].
