Формула:

[code]x_i \cdot y^{2}[/code]

где $x$ — [i]число[/i].
