>>quoted [b]bold[/b]
>>[b]over[/b] lines
>>
>>second
>>
>>│ inner

after
