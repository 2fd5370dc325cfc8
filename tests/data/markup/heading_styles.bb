[b]A [i]styled[/i] `code` and [url=https://a.example]link[/url] [s]old[/s][/b]

[b]Bold already[/b]

[b]🚀 Запуск[/b]
