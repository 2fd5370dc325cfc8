[​send=/delete]нажми[​/send] [​put=x]y[​/put] [​call=112]c[​/call] [​icon=[url]https://a.example/x.png[/url] size=20] [​timestamp=1 format=SHORT_TIME_FORMAT] [​rating=5] [​like] [​cut]
