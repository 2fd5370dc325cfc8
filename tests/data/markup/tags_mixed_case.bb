[​B]x[​/B] [​Url=[url]https://a.example[/url]]t[​/uRL] [​SiZe=20]y[​/size] [​color=#ff0000]z[​/color] [​img][url]https://a.example/x.png[/url][​/img] [​quote]q[​/quote] [​list][​*​]a[​/list]
