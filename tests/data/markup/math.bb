Inline $a_1 * b$ and

[code]x^2[/code]
