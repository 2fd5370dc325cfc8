>>Код:

[code]x = 1
  y = 2[/code]

>>после
