[url]https://пример.рф/путь?ключ=значение[/url] и [url]https://ru.wikipedia.org/wiki/Москва_(город)[/url].
