Конечно! Вот [b]краткий план[/b]:

[b]1. Подготовка[/b]

• Проверьте доступ к `​https://portal.example/rest/`
• Убедитесь, что токен [i]не истёк[/i]

[b]2. Запуск[/b]

[code]{
  "agent": "helper",
  "enabled": true
}[/code]

—————

[b]Важно:[/b] не публикуйте ключ. Подробнее: [url]https://wiki.example/keys[/url].
