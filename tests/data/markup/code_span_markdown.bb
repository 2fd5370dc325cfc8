`**not bold**` `_x_` `# no` `a|b` `~~x~~` `\*`
