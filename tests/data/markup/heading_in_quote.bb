>>[b]Title[/b]
>>
>>text
