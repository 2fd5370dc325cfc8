[b]Ann[/b] — Age: 5; City: Oslo
[b]Bob[/b] — City: a|​b

after
