[code]a


b[/code]
