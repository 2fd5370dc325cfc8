[​us[i]er=1[/i]]x and [​`b`] and [​[b]b[/b]]x[​/b]
