`[​b]x[​/b]` `[​/code]` `:​f09f9880:` `(​C)` `<​br />` `&amp;amp;` `&amp;#91;b]` `[​USER=5]`
