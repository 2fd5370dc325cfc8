To run it locally you need only Docker. Create `docker-compose.yml`:

[code]version: "3.9"
services:
  db:
    image: postgres:16
    environment:
      POSTGRES_PASSWORD: example
    volumes:
      - data:/var/lib/postgresql/data
  app:
    build: .
    depends_on:
      - db
    ports:
      - "8080:8080"
volumes:
  data: {}[/code]

Then:

[code]docker compose up -d --build
docker compose logs -f app | grep -v "health"[/code]

Useful commands:

• `docker compose ps` - what is running
• `docker compose exec db psql -U postgres` - a shell in the database
• `docker compose down -v` - stop [b]and delete the data[/b]

The app is at [url]http://localhost:8080/[/url], its health at `​http://localhost:8080/healthz`.
