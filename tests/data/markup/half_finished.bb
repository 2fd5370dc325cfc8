*​*​bold without end and `​code without end

[code]print(1)[/code]
