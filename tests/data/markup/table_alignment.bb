[b]a[/b] — Center: b; Right: c
[b]длинный текст[/b] — Center: [b]ж[/b]; Right: `код`
