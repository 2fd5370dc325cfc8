• a
 ◦ b
  ▪ c
