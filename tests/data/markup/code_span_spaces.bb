`a‘b` and `x` and `  ` and `‘‘`
