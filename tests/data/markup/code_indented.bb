Text:

[code]indented code
  deeper[/code]

after
