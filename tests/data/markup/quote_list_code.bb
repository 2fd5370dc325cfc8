>>• a
>>• b

[code]x[/code]

>>tail
