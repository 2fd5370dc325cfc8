[USER=7]Ольга [​HR][/USER], [USER=8]Пётр[/USER]: x y
