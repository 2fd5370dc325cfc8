Sure! Here's how to restart the service:

1. [b]Stop[/b] it:
[code]sudo systemctl stop app[/code]
2. Check the log (`/var/log/app.log`):
 ◦ look for `ERROR`
 ◦ see [url=https://docs.example/a_(b)]the docs[/url]

>>[b]Note:[/b] this takes ~2 minutes.

[b]Stop[/b] — Time: 10 s
[b]Start[/b] — Time: 1:30

Let me know if that helps! :)
