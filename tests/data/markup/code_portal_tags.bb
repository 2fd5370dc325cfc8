[code][​/code] [​code] [b]x[/b] [​USER=1]a[​/USER] [​user=2] [​DISK=7] [​BR] [​br] #​BR# [​send=x]y[​/send] #​###REPLACEMENT_1[/code]
