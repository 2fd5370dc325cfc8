Start

[code]const a = 1;

const b = 2;[/code]
