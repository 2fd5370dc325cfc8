[url=https://a.example/net.png]🖼 Схема сети[/url] и 🖼 локальная (./img/a.png)
