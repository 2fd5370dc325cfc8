>>one
>>
>>two
>>
>>three
