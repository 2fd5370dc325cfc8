1. First
 1. Sub one
 2. Sub two
  1. Deep
2. Second
 ◦ mixed
 ◦ bullets
