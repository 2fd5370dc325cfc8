[b]Вики[/b] — Адрес: [url]https://wiki.example/a[/url]
[b][url=https://mail.example]Почта[/url][/b] — Адрес: [url=mailto:a@b.example]написать[/url]
