• [b]Скорость.[/b] Ответ за 2 с.
• [b]Цена:[/b] 0 ₽
• [i]Курсив[/i]: да
• `code`: no
• [url=https://a.example]link[/url]: yes
