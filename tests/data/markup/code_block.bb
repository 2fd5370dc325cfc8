Before

[code]a:
  b: 1
    c: [​/code] #​BR# [​USER=1][/code]

After
