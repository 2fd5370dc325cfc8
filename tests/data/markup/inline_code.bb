Use `[​USER=1]` and `​https://a.example` and `a`b` and ‘‘x`y`​`​ and `#​BR#` `&amp;lt;`
