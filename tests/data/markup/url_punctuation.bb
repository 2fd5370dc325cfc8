Go to [url]https://a.example/x[/url]. Or ([url]https://a.example/a_b_(c)[/url]), or [url]https://a.example[/url]|​y
