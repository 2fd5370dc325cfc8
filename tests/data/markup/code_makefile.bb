[code]all:
    gcc -o a a.c

    @echo done[/code]
