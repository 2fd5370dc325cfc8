`​https://a.example/x` `​www.a.example` `GET ​http://localhost:8080/v1?a=1&lt=2`
