[b]/start[/b] — команда
