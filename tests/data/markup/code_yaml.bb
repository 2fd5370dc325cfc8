[code]services:
  app:
    image: "app:1"
    ports:
      - "80:80"[/code]
