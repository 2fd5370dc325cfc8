[​USER=1]Ann[​/USER] [​b]x[​/b] [​url=[url]https://e.example[/url]]t[​/url] [​DISK=5] [​send=x]t[​/send] [​br] #​BR# [​user =1] [​Code]x[​/Code]
